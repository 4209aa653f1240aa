"""Many small tensors read at once, as a scheme that is described inside tensors needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from fpcheck.checkpoint import Tensor
from fpcheck.source import Source, read


def contents(source: Source, tensors: Iterable[Tensor], limit: int) -> Mapping[str, bytes]:
    """The bytes of tensors by name; of those that are no larger than `limit`.

    Raises SourceError when they cannot be had.
    """
    small = [tensor for tensor in tensors if tensor.stop - tensor.start <= limit]
    if not small:
        return {}
    with ThreadPoolExecutor(min(source.workers, len(small))) as pool:
        found = pool.map(lambda t: bytes(read(source, t.file, t.start, t.stop)), small)
        return {tensor.name: content for tensor, content in zip(small, found, strict=True)}
