"""Measure a tensor that exists only while it is read; print its bytes and the peak of memory.

Run by itself, so that the peak is its own: what it takes above the bare interpreter.
"""

from __future__ import annotations

import json
import re
import struct
import sys
from pathlib import Path


def peak() -> int:
    """The most memory that this process has had, in bytes.

    Not getrusage: that counts the memory of the process that started this one.
    """
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) << 10


bare = peak()

import numpy as np  # noqa: E402 — what it takes is counted

from fpcheck.attention import Attention, Piece, Tower  # noqa: E402
from fpcheck.checkpoint import read_checkpoint  # noqa: E402
from fpcheck.layouts import Kind, Role  # noqa: E402
from fpcheck.packing import Pattern  # noqa: E402
from fpcheck.signature.measure import measure  # noqa: E402
from fpcheck.source import SourceFile  # noqa: E402
from tests.memory_source import MemorySource  # noqa: E402
from tests.signature.samples import stored  # noqa: E402

FILE = "model.safetensors"
SIZE = 3 << 28  # bytes of the tensor


class LargeSource(MemorySource):
    """One file: a header, and then the same block again and again."""

    def __init__(self, header: bytes, block: bytes) -> None:
        super().__init__({FILE: header}, read_size=8 << 20)
        self._header = len(header)
        self._block = block

    def files(self) -> dict[str, SourceFile]:
        return {FILE: SourceFile(FILE, self._header + SIZE)}

    def read_into(self, file: str, start: int, view: memoryview) -> None:
        if start < self._header:
            super().read_into(file, start, view)
            return
        for place in range(0, len(view), len(self._block)):
            part = view[place : place + len(self._block)]
            part[:] = self._block[: len(part)]


def main(dtype: str, columns: int) -> None:
    """Measure `columns` roles that alternate within one tensor."""
    block = stored(np.random.default_rng(0).normal(size=1 << 17), dtype)
    width = 1536
    shape = [SIZE // block.itemsize // width, width]
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, SIZE]}
    header = json.dumps({"t": entry}).encode()
    source = LargeSource(struct.pack("<Q", len(header)) + header, block.tobytes())
    checkpoint = read_checkpoint(source)
    roles = (Role.Q, Role.K, Role.V)[:columns]
    pattern = Pattern(shape[0], tuple((role, width // columns) for role in roles))
    layers = {0: (Piece(checkpoint.tensors["t"], pattern),)}
    measure(checkpoint, Attention((Tower("", "", Kind.SELF, layers),), (), ()), workers=64)
    print(SIZE, peak() - bare)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
