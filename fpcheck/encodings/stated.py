"""What config.json says of how the weights are quantised: whether, and in blocks of which size.

`weight_block_size` is that of transformers' FP8 (DeepSeek and Qwen), `config_groups` that of
compressed-tensors, with `block_structure` or `group_size`, of which those of 8 bits matter here.
Its earlier versions wrote `block_structure` as a text, "128x128".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fpcheck.checkpoint.config import views
from fpcheck.encodings.settings import KEYS, weights_of_groups

Size = tuple[int, int]
NO_SIZE: Size = (0, 0)  # something is said, and it is no size: nothing fits it
MAX_SIZES = 32  # different ones in a checkpoint; with more, nothing fits
_TEXT = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)


def is_quantised(config: Mapping[str, Any]) -> bool:
    """Whether any part of the config says that weights are quantised."""
    return any(True for _ in _statements(config))


def block_sizes(config: Mapping[str, Any]) -> frozenset[Size]:
    """Every size of a block that is stated, rows and columns; empty when none is."""
    sizes = frozenset(size for statement in _statements(config) for size in _sizes(statement))
    return sizes if len(sizes) <= MAX_SIZES else frozenset({NO_SIZE})


def _statements(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for view in views(config):
        yield from (view[key] for key in KEYS if isinstance(view.get(key), dict) and view[key])


def _sizes(statement: Mapping[str, Any]) -> Iterator[Size]:
    if statement.get("weight_block_size") is not None:
        yield _size(statement["weight_block_size"])
    for weights in weights_of_groups(statement):
        if weights.get("num_bits") == 8:
            if weights.get("block_structure") is not None:
                yield _size(_numbers(weights["block_structure"]))
            elif weights.get("group_size") is not None:
                yield _size([1, weights["group_size"]])


def _numbers(value: object) -> object:
    """The numbers of a size that is a text; all else as it is."""
    text = _TEXT.fullmatch(value) if isinstance(value, str) else None
    return [int(number) for number in text.groups()] if text else value


def _size(value: object) -> Size:
    if not isinstance(value, list) or len(value) != 2:
        return NO_SIZE
    rows, columns = value
    if type(rows) is not int or type(columns) is not int or rows < 1 or columns < 1:
        return NO_SIZE
    return rows, columns
