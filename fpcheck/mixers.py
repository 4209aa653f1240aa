"""What layers hold in place of attention, or beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fpcheck.checkpoint.architectures import LAYER_KEYS
from fpcheck.checkpoint.config import own_type
from fpcheck.filling import POOLED
from fpcheck.heads import Config
from fpcheck.layouts import LAYOUTS, MIXERS, PARALLEL_TYPES, Holds
from fpcheck.stacks import Site

Place = tuple[str, int]  # a stack, and a layer's number
SEVERAL = 2  # known leaves that make a block one of attention; one alone is a coincidence
_QUERIES = {Holds.Q, Holds.Q_IS_K, *POOLED}
QUERY_LEAVES = frozenset(
    leaf for row in LAYOUTS for leaf, holds in row.leaves.items() if holds in _QUERIES
)
ROLE_LEAVES = frozenset().union(*(row.leaves for row in LAYOUTS))


def mixers(found: Iterable[Site]) -> Mapping[Place, str]:
    """The kind of mixer of each layer that has one whole."""
    return {
        (site.stack, numbers[0]): kind
        for site in found
        for numbers, block in site.blocks.items()
        for kind, leaves in MIXERS
        if leaves <= block.keys()
    }


def attention_named(found: Iterable[Site]) -> Iterator[Place]:
    """The layers that have tensors with the names of attention, read or not."""
    for site in found:
        for numbers, block in site.blocks.items():
            roles = ROLE_LEAVES & block.keys()
            if len(roles) >= SEVERAL and QUERY_LEAVES & roles:
                yield site.stack, numbers[0]


def excludes_attention(config: Config) -> bool:
    """Whether a layer with another mixer has no attention, as its architecture is built.

    Attention beside it is then nothing that a loader asks for.
    """
    return own_type(config) in LAYER_KEYS and own_type(config) not in PARALLEL_TYPES
