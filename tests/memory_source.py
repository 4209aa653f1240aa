"""A checkpoint in memory: the smallest real source."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from fpcheck.errors import SourceError
from fpcheck.source import Origin, SourceFile


class MemorySource:
    """Files given as bytes; `read_size` and `workers` as a test wants them."""

    def __init__(
        self, files: Mapping[str, bytes], *, read_size: int = 1 << 20, workers: int = 2
    ) -> None:
        self._content = dict(sorted(files.items()))
        self.origin = Origin("test/model", "0" * 40)
        self.read_size = read_size
        self.workers = workers

    def files(self) -> Mapping[str, SourceFile]:
        return {name: SourceFile(name, len(content)) for name, content in self._content.items()}

    def read_into(self, file: str, start: int, view: memoryview) -> None:
        content = self._content[file][start : start + len(view)]
        if len(content) < len(view):
            raise SourceError(f"{file}: ends early")
        view[:] = content

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
