"""Two sources read as one: what is released, and what is needed beside it to make sense of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from threading import Lock
from types import TracebackType
from typing import Self

from fpcheck.errors import SourceError
from fpcheck.source import Origin, Source, SourceFile

# Two slashes stand in no path that a source lists, so that no file of the other can be meant.
MARK = "adapter//"
# The pieces of an adapter are small, and each is wanted for many blocks of a matrix.
MAX_KEPT_PIECE = 2 << 20
MAX_KEPT = 24 << 20


class JoinedSource:
    """The base's files under their own names, the adapter's behind `MARK`.

    The origin is the adapter's: it is what is released. Neither source is closed with this one.
    """

    def __init__(self, base: Source, adapter: Source) -> None:
        self._base, self._adapter = base, adapter
        self._kept = _Kept()
        own = {MARK + f.name: replace(f, name=MARK + f.name) for f in adapter.files().values()}
        self._files = dict(sorted({**base.files(), **own}.items()))

    @property
    def origin(self) -> Origin:
        return self._adapter.origin

    @property
    def read_size(self) -> int:
        return self._base.read_size

    @property
    def workers(self) -> int:
        return self._base.workers

    def files(self) -> Mapping[str, SourceFile]:
        return self._files

    def read_into(self, file: str, start: int, view: memoryview) -> None:
        if not file.startswith(MARK):
            self._base.read_into(file, start, view)
            return
        kept = self._kept.get(file, start, len(view))
        if kept is not None:
            view[:] = kept
            return
        try:
            self._adapter.read_into(file.removeprefix(MARK), start, view)
        except SourceError as error:
            raise SourceError(f"the adapter's {error}", hint=error.hint) from error
        self._kept.put(file, start, view)

    def close(self) -> None:
        """Nothing to close: both sources belong to whoever opened them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


class _Kept:
    """The pieces that were read last, up to so many bytes. Safe to use from several threads."""

    def __init__(self) -> None:
        self._pieces: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, file: str, start: int, size: int) -> bytes | None:
        with self._lock:
            piece = self._pieces.get((file, start, size))
            if piece is not None:
                self._pieces.move_to_end((file, start, size))
            return piece

    def put(self, file: str, start: int, view: memoryview) -> None:
        if len(view) > MAX_KEPT_PIECE:
            return
        with self._lock:
            if (file, start, len(view)) not in self._pieces:
                self._pieces[file, start, len(view)] = bytes(view)
                self._size += len(view)
            while self._size > MAX_KEPT:
                self._size -= len(self._pieces.popitem(last=False)[1])
