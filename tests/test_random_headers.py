"""Headers that nobody wrote: renamed, permuted, missing, doubled and misshapen tensors.

Whatever the header, each role that is measured is what its architecture says, or a pooled number
that is said to be one, or nothing with a reason.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpcheck.attention import Attention, Piece, find_attention
from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.coverage import coverage
from fpcheck.layouts import Role
from fpcheck.source import SourceFile
from tests.memory_source import MemorySource
from tests.test_layouts import HEADERS

EXAMPLES = int(os.environ.get("FPCHECK_RANDOM_HEADERS", "1000"))
ROLES = (Role.Q, Role.K, Role.V, Role.O)
POOLED = (Role.QKV, Role.KV, Role.Q_GATE)
# What other names a leaf could get, right for another layout or for none.
WORDS = (
    "q_proj",
    "qkv_proj",
    "c_attn",
    "query_key_value",
    "o_proj",
    "dense",
    "out_proj",
    "nothing",
)
WRAPPERS = ("_orig_mod", "module", "base_layer")

Header = dict[str, Any]
# A tensor of a changed header: its shape, and the tensor that it was before, if it is still whole.
Tensors = dict[str, tuple[list[int], str | None]]


def renamed(name: str, tensors: Tensors, draw: Callable[[Any], Any]) -> None:
    """The tensor under another leaf."""
    parts = name.split(".")
    place = draw(st.integers(max(len(parts) - 3, 0), len(parts) - 1))
    parts[place] = draw(st.sampled_from(WORDS))
    tensors[".".join(parts)] = tensors.pop(name)


def wrapped(name: str, tensors: Tensors, draw: Callable[[Any], Any]) -> None:
    """The tensor in a wrapper that training tools put around modules."""
    parts = name.split(".")
    place = draw(st.integers(0, len(parts) - 1))
    parts.insert(place, draw(st.sampled_from(WRAPPERS)))
    tensors[".".join(parts)] = tensors.pop(name)


def missing(name: str, tensors: Tensors, draw: Callable[[Any], Any]) -> None:
    """The tensor is not there."""
    del tensors[name]


def doubled(name: str, tensors: Tensors, draw: Callable[[Any], Any]) -> None:
    """A second tensor under a name that means the same, or one nearby."""
    copied = dict(tensors)
    wrapped(name, copied, draw)
    tensors |= copied


def misshapen(name: str, tensors: Tensors, draw: Callable[[Any], Any]) -> None:
    """The tensor in another shape."""
    shape = list(tensors[name][0])
    if not shape:
        return
    axis = draw(st.integers(0, len(shape) - 1))
    shape[axis] = draw(st.sampled_from([0, 1, 7, shape[axis] * 2, shape[axis] // 2, 48]))
    if draw(st.booleans()):
        shape = shape[::-1]
    tensors[name] = (shape, tensors[name][1] if shape == tensors[name][0] else None)


def permuted(name: str, tensors: Tensors, draw: Callable[[Any], Any]) -> None:
    """Two tensors that have changed names."""
    other = draw(st.sampled_from(sorted(tensors)))
    tensors[name], tensors[other] = tensors[other], tensors[name]


CHANGES = (renamed, wrapped, missing, doubled, misshapen, permuted)


@st.composite
def changed(draw: Any) -> tuple[Header, Tensors]:
    """A recorded header after a few changes, some of them to its config."""
    header = HEADERS[draw(st.sampled_from(sorted(HEADERS)))]
    tensors: Tensors = {n: (shape, n) for n, (_, shape) in header["tensors"].items()}
    for _ in range(draw(st.integers(0, 5))):
        if tensors:
            draw(st.sampled_from(CHANGES))(draw(st.sampled_from(sorted(tensors))), tensors, draw)
    config = copy.deepcopy(header["config"])
    if draw(st.booleans()) and config:
        key = draw(st.sampled_from(sorted(config)))
        config[key] = draw(st.sampled_from([None, "something_new", -1, 0, 5, [], True]))
    return header | {"config": config}, tensors


def checkpoint(header: Header, tensors: Tensors) -> Checkpoint:
    """A checkpoint of these names and shapes: no byte of it is ever read."""
    table = {
        name: Tensor(name, "F32", tuple(shape), "model.safetensors", 0, 0)
        for name, (shape, _) in sorted(tensors.items())
    }
    return Checkpoint(
        source=MemorySource({}),
        tensors=table,
        shards=("model.safetensors",),
        config=header["config"],
        declared_bases=(),
        files=(SourceFile("model.safetensors", 0),),
        strays=(),
    )


def elements(piece: Piece, role: Role) -> np.ndarray:
    """The flat indices of a tensor that a piece gives to a role."""
    sequence = np.concatenate([np.full(n, r is role) for r, n in piece.pattern.sequence])
    return np.flatnonzero(np.tile(sequence, piece.pattern.repeats))


def true_elements(header: Header, name: str, role: Role) -> np.ndarray | None:
    """The same by the header; None when the tensor does not serve the role."""
    slices: Mapping[str, Any] = header["slices"][role]
    if name not in slices:
        return None
    shape = header["tensors"][name][1]
    chosen = np.zeros(shape, bool)
    axis, ranges = slices[name] or (0, [[0, shape[0]]])
    for start, stop in ranges:
        chosen[(slice(None),) * axis + (slice(start, stop),)] = True
    return np.flatnonzero(chosen)


def wrong(attention: Attention, header: Header, tensors: Tensors) -> list[str]:
    """The roles that were split off a fused tensor where its architecture has others."""
    found = []
    for tower in attention.towers:
        for layer, pieces in tower.layers.items():
            for piece in pieces:
                before = tensors[piece.tensor.name][1]
                roles = {role for role, _ in piece.pattern.sequence}
                if before is None or len(roles) == 1:
                    continue
                for role in roles.intersection(ROLES):
                    true = true_elements(header, before, role)
                    if true is not None and not np.array_equal(elements(piece, role), true):
                        found.append(f"{tower.name}.{layer} {role} of {piece.tensor.name}")
    return found


def unsaid(attention: Attention) -> list[str]:
    """The pooled roles that no note tells of."""
    return [
        tower.name
        for tower in attention.towers
        for pieces in tower.layers.values()
        for piece in pieces
        if piece.pattern.sequence[0][0] in POOLED
        and not any("pooled" in n and n.startswith(tower.name) for n in attention.notes)
    ]


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
@given(changed())
def test_a_random_header_is_read_right_or_not_at_all(case: tuple[Header, Tensors]) -> None:
    header, tensors = case

    made = checkpoint(header, tensors)
    attention = find_attention(made)

    assert wrong(attention, header, tensors) == []
    assert unsaid(attention) == []
    assert attention.towers or attention.unmeasured or coverage(made, ()).gap
