"""Small integers packed into 32-bit words, and the scales that belong to them.

The packing is dense and little-endian: field i of a run of words occupies the bits from i × bits
on, across words where bits does not divide 32. GPTQ, AWQ and compressed-tensors all pack so (the
last two in orders of their own); see `pack` in GPTQModel's nn_modules/qlinear and `pack_to_int32`
in compressed-tensors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import Fetch, Values

WORD = 32
# The numpy type that holds an element's bits; a bfloat16 is the upper half of a float32.
STORED: Mapping[str, np.dtype[Any]] = {
    "I8": np.dtype("i1"),
    "I32": np.dtype("<u4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "F32": np.dtype("<f4"),
}
Words = NDArray[np.uint32]
Span = tuple[int, int]  # start, stop


def period(bits: int) -> tuple[int, int]:
    """After how many words fields begin with a word again, and how many fields those hold."""
    common = math.gcd(bits, WORD)
    return bits // common, WORD // common


def words_for(fields: int, bits: int) -> int:
    """How many words hold that many fields."""
    return -(-fields * bits // WORD)


def rectangle(tensor: Tensor, fetch: Fetch, rows: Span, columns: Span) -> NDArray[Any]:
    """The stored elements of rows and columns of a matrix, in one read where they are adjacent."""
    dtype, width = STORED[tensor.dtype], tensor.shape[1]
    if columns == (0, width):
        content = fetch(tensor, rows[0] * width * dtype.itemsize, rows[1] * width * dtype.itemsize)
        return np.frombuffer(content, dtype).reshape(rows[1] - rows[0], width)
    found = np.empty((rows[1] - rows[0], columns[1] - columns[0]), dtype)
    for place, row in enumerate(range(*rows)):
        start, stop = ((row * width + column) * dtype.itemsize for column in columns)
        found[place] = np.frombuffer(fetch(tensor, start, stop), dtype)
    return found


def numbers(tensor: Tensor, fetch: Fetch, rows: Span, columns: Span) -> Values:
    """The values of rows and columns of a matrix of scales.

    As float32 where a product with a code is exact in that, else as float64.
    """
    stored = rectangle(tensor, fetch, rows, columns)
    if tensor.dtype == "BF16":
        return (stored.astype("<u4") << 16).view("<f4")
    return stored.astype(np.float64 if tensor.dtype == "F32" else np.float32)


def down(words: Words, bits: int) -> Values:
    """The fields of words that are packed along the first axis, all of them, as float32."""
    step, fields = period(bits)
    runs = _whole(words, step, 0).reshape(-1, step, words.shape[1])
    found = np.empty((len(runs), fields, words.shape[1]), np.float32)
    for field in range(fields):
        found[:, field] = _field([runs[:, word] for word in range(step)], field * bits, bits)
    return found.reshape(-1, words.shape[1])


def across(words: Words, bits: int, order: Sequence[int] = ()) -> Values:
    """The fields of words that are packed along the second axis, all of them, as float32.

    `order` is the place of each field in its word's run, where they do not simply follow.
    """
    step, fields = period(bits)
    runs = _whole(words, step, 1).reshape(len(words), -1, step)
    found = np.empty((len(words), runs.shape[1], fields), np.float32)
    for field in range(fields):
        place = order[field] if order else field
        found[..., place] = _field([runs[..., w] for w in range(step)], field * bits, bits)
    return found.reshape(len(words), -1)


def _field(words: list[Words], start: int, bits: int) -> NDArray[np.int32]:
    """The field that begins at bit `start` of each run of words."""
    word, offset = divmod(start, WORD)
    found = words[word] >> np.uint32(offset) if offset else words[word]
    if offset + bits > WORD:
        found = found | words[word + 1] << np.uint32(WORD - offset)
    return (found & np.uint32((1 << bits) - 1)).view(np.int32)  # which converts faster


def _whole(words: Words, step: int, axis: int) -> Words:
    """The words, with zeros up to whole periods."""
    missing = -words.shape[axis] % step
    if not missing:
        return words
    padding = [(0, 0), (0, 0)]
    padding[axis] = (0, missing)
    return np.pad(words, padding)
