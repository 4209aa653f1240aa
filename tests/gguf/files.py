"""Little GGUF models, as llama.cpp's conversion writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter
from gguf.constants import GGMLQuantizationType as Kind
from gguf.quants import quantize

from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import Coding, Values
from fpcheck.encodings import decoded
from fpcheck.signature.decode import STORED, decode
from fpcheck.source import Source, read

# llama.cpp's names for the matrices of an attention block.
ATTENTION = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output"}


def write_gguf(
    path: Path,
    tensors: Mapping[str, np.ndarray],
    kinds: Mapping[str, Kind] | None = None,
    *,
    arch: str = "llama",
    heads: int = 4,
    kv_heads: int | None = None,
    vocabulary: Iterable[str] = ("a", "b"),
    **options: Any,
) -> Path:
    """A GGUF file; a tensor without a kind is stored in its own dtype, one of bytes as it is."""
    writer = GGUFWriter(path, arch, **options)
    writer.add_block_count(
        1 + max((int(n.split(".")[1]) for n in tensors if "blk" in n), default=0)
    )
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads or heads)
    writer.add_token_list(list(vocabulary))
    writer.add_chat_template("{{ messages }}")
    for name, tensor in tensors.items():
        kind = (kinds or {}).get(name)
        if kind is None:
            writer.add_tensor(name, tensor)
        else:
            stored = tensor if tensor.dtype == np.uint8 else quantize(tensor, kind)
            writer.add_tensor(name, stored, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def llama(
    layers: int = 4, width: int = 64, heads: int = 4, kv_heads: int = 2, seed: int = 0
) -> dict[str, np.ndarray]:
    """The attention matrices of a little Llama under GGUF's names, in the original row order."""
    random = np.random.default_rng(seed)
    rows = {"q": width, "k": width * kv_heads // heads, "v": width * kv_heads // heads, "o": width}
    return {
        f"blk.{layer}.{ATTENTION[role]}.weight": random.normal(
            scale=random.uniform(0.01, 0.1), size=(count, width)
        ).astype(np.float32)
        for layer in range(layers)
        for role, count in rows.items()
    }


def permuted(matrix: np.ndarray, heads: int) -> np.ndarray:
    """What `LlamaModel.permute` of llama.cpp's conversion makes of q, or of k."""
    rows = matrix.shape[0]
    parts = matrix.reshape(heads, 2, rows // heads // 2, *matrix.shape[1:])
    return parts.swapaxes(1, 2).reshape(matrix.shape)


def converted(
    tensors: Mapping[str, np.ndarray], heads: int, kv_heads: int
) -> dict[str, np.ndarray]:
    """The tensors with the rows of q and k as conversion leaves them."""
    counts = {"attn_q": heads, "attn_k": kv_heads}
    return {
        name: permuted(tensor, counts[part]) if (part := name.split(".")[2]) in counts else tensor
        for name, tensor in tensors.items()
    }


def values_of(source: Source, tensor: Tensor) -> np.ndarray:
    """All values of a tensor, as a measurement gets them: block by block, or as stored."""
    if tensor.coding is None:
        out = np.empty(tensor.shape)
        content = read(source, tensor.file, tensor.start, tensor.stop)
        decode(
            np.frombuffer(content, STORED[tensor.dtype]).reshape(tensor.shape), tensor.dtype, out
        )
        return out
    return decoded_values(source, tensor.coding, tensor.shape)


def decoded_values(source: Source, coding: Coding, shape: tuple[int, ...]) -> np.ndarray:
    """All values of a coding; every element must be covered once."""

    def fetch(tensor: Tensor, start: int, stop: int) -> bytearray:
        assert 0 <= start < stop <= tensor.stop - tensor.start
        return read(source, tensor.file, tensor.start + start, tensor.start + stop)

    whole = np.full((int(np.prod(shape[:-1])), shape[-1]), np.nan)
    for block in coding.blocks():
        rows, columns = (
            slice(block.row, block.row + block.rows),
            slice(block.column, block.column + block.columns),
        )
        assert np.isnan(whole[rows, columns]).all()
        values: Values = coding.values(block, fetch)
        assert values.shape == (block.rows, block.columns)
        whole[rows, columns] = values
    assert not np.isnan(whole).any()
    return whole.reshape(shape)


__all__ = [
    "ATTENTION",
    "Kind",
    "converted",
    "decoded",
    "llama",
    "permuted",
    "values_of",
    "write_gguf",
]
