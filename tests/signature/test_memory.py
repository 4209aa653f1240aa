"""Memory stays bounded, whatever the checkpoint's size and however many threads are asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.data_folders import ROOT

LIMIT = 256 << 20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("dtype", ["BF16", "F64"])
@pytest.mark.parametrize("columns", [1, 3])
def test_a_large_tensor_takes_little_memory(dtype: str, columns: int) -> None:
    command = [sys.executable, "-m", "tests.signature.large_tensor", dtype, str(columns)]

    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)

    size, peak = map(int, found.stdout.split())
    assert size > 2 * LIMIT
    assert peak < LIMIT
