"""What a config says of heads: how many there are, of queries and of keys and values, how wide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fpcheck.checkpoint.config import integer, listed, views

Config = Mapping[str, Any]
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
KV_HEADS = (
    *("num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads", "kv_n_heads"),
    "multi_query_group_num",
)
PER_LAYER = "per_layer_config"  # sizes of single layers, by their numbers
NESTED = "attn_config"  # where MPT and DBRX keep the settings of attention
HEAD_LISTS = ("num_query_heads", "num_kv_heads")  # one count a layer
LINEAR_VALUES = ("linear_num_value_heads", "linear_value_head_dim")
LINEAR_KEY_HEADS = "linear_num_key_heads"


def are_heads(width: int, kv: int, config: Config) -> bool:
    """Whether q of one width and k of another are of heads of one size, as the config counts them.

    Thirds need no such witness. Without it, a misshapen output projection would move the split.
    """
    if kv == width:
        return True
    return any(width * groups == kv * heads for heads, groups in head_counts(config))


def head_counts(config: Config) -> Iterator[tuple[int, int]]:
    """Every count of query heads, and of key/value heads, that the config gives some layer."""
    heads = integer(config, *HEADS)
    nested = config.get(NESTED)
    for view in (config, nested if isinstance(nested, dict) else {}):
        groups = integer(view, *KV_HEADS)
        if heads and groups:
            yield heads, groups
    if heads:
        yield heads, 1  # multi-query attention, whatever the config says of groups
    for each, every in zip(*(listed(config, key) for key in HEAD_LISTS), strict=False):
        if type(each) is int and type(every) is int:
            yield each, every


def is_value_width(width: int, config: Config) -> bool:
    """Whether the config gives linear attention values of this width, all heads together."""
    heads, size = (integer(config, key) for key in LINEAR_VALUES)
    return heads is not None and size is not None and width == heads * size


def stated_everywhere(config: Config, key: str) -> set[int]:
    """The sizes that the config gives some layer: all of them, the sliding ones, one by one."""
    layers = (view.get(PER_LAYER) for view in views(config))
    each = [one for layer in layers if isinstance(layer, dict) for one in layer.values()]
    known = [config, *(view for view in each if isinstance(view, dict))]
    found = (integer(view, name) for view in known for name in (key, f"swa_{key}"))
    return {size for size in found if size is not None}
