"""The arrays of a signature to and from the bytes of a `.safetensors` file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from fpcheck.errors import UsageError
from fpcheck.feed_forward import FeedForwardRole
from fpcheck.fields import AGAIN
from fpcheck.layouts import MATRICES, Role
from fpcheck.signature import TowerProfile
from fpcheck.signature.arrays import ANCHORS, FORM, QK, VO, Arrays
from fpcheck.signature.positions import COORDINATES, SAMPLES

MAX_LAYERS = 512
MAX_BYTES = 64_000_000  # a candidate of 512 layers takes 9 MB
SAMPLED = frozenset({*MATRICES, *FeedForwardRole})
VECTORS = frozenset(Role) - frozenset(MATRICES)
FORMS, ROOM = (QK, VO), 4096  # bytes of a file that are not arrays, about
BUDGET, BUDGET_LAYERS = 256 * 1000, 48  # bytes of a reference of so many layers; deeper ones: more
FEWEST_ENTRIES = 384  # of a form; with fewer its correlation would be too uncertain

# What each group of arrays consists of, and how many columns it has at most.
EXPECTED: Mapping[str, tuple[type[np.generic], int]] = MappingProxyType(
    {
        "samples": (np.float16, SAMPLES),
        "shapes": (np.int32, 2),
        "forms": (np.int8, FORM),
        "vectors": (np.float16, COORDINATES),
    }
)
Tables = dict[str, NDArray[Any]]


def dump(towers: Sequence[TowerProfile]) -> bytes | None:
    """The arrays of the towers as a file's bytes; None when there are none."""
    tables: Tables = {}
    for place, tower in enumerate(towers):
        if tower.arrays:
            tables |= {f"{place}.{name}": table for name, table in _tables(tower.arrays)}
    return save_safetensors(tables) if tables else None


def _tables(arrays: Arrays) -> list[tuple[str, NDArray[Any]]]:
    groups: list[tuple[str, Mapping[str, NDArray[Any]]]] = [
        ("samples", arrays.samples),
        ("shapes", arrays.shapes),
        ("forms", arrays.forms),
        ("vectors", arrays.vectors),
    ]
    found = [
        (f"{group}.{name}", np.ascontiguousarray(table))
        for group, tables in groups
        for name, table in sorted(tables.items())
    ]
    return [*found, ("anchors", arrays.anchors)]


def load(content: bytes, towers: Sequence[TowerProfile], name: str) -> tuple[TowerProfile, ...]:
    """The towers with the arrays in a file's bytes; `name` is for errors. Raises UsageError."""
    if len(content) > MAX_BYTES:
        raise UsageError(f"{name}: {len(content):,} bytes, more than {MAX_BYTES:,}", hint=AGAIN)
    try:
        tables: Tables = load_safetensors(content)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"{name}: not a safetensors file of arrays: {error}", hint=AGAIN
        ) from error
    by_tower: dict[str, Tables] = {}
    for key, table in tables.items():
        place, _, rest = key.partition(".")
        by_tower.setdefault(place, {})[rest] = table
    found = []
    for number, tower in enumerate(towers):
        own = by_tower.pop(str(number), None)
        found.append(replace(tower, arrays=_arrays(own, tower, name)) if own else tower)
    if by_tower:
        raise UsageError(f"{name}: arrays of towers that the signature does not have", hint=AGAIN)
    return tuple(found)


def _arrays(tables: Tables, tower: TowerProfile, name: str) -> Arrays:
    depth = len(tower.layers)
    if depth > MAX_LAYERS:
        raise UsageError(f"{name}: arrays of {depth:,} layers, more than {MAX_LAYERS}", hint=AGAIN)
    groups: dict[str, Tables] = {group: {} for group in EXPECTED}
    anchors = tables.pop("anchors", None)
    if anchors is None or anchors.dtype != np.bool_ or anchors.shape != (ANCHORS,):
        raise UsageError(f"{name}: anchors: expected {ANCHORS} flags", hint=AGAIN)
    for key, table in tables.items():
        group, _, role = key.partition(".")
        kind, width = EXPECTED.get(group, (np.generic, 0))
        fits = table.ndim == 2 and table.shape[0] == depth and 0 < table.shape[1] <= width
        if not fits or table.dtype != kind:
            raise UsageError(
                f"{name}: {key[:80]}: not an array of {depth} layers as the recipe has",
                hint=AGAIN,
            )
        groups[group][role] = table
    for fault in _faults(groups):
        raise UsageError(f"{name}: {fault}", hint=AGAIN)
    return Arrays(anchors=anchors, **groups)


def _faults(groups: Mapping[str, Tables]) -> Iterator[str]:
    """What is wrong with arrays that have the sizes of the recipe."""
    samples, shapes, forms, vectors = (groups[g] for g in ("samples", "shapes", "forms", "vectors"))
    if samples.keys() != shapes.keys():
        yield "samples and shapes are not of the same roles"
    if not (samples.keys() <= SAMPLED and vectors.keys() <= VECTORS):
        yield "samples or vectors of a role that there is not"
    if not all(np.isfinite(table).all() for table in samples.values()):
        yield "samples: expected finite numbers"
    if any(np.isinf(table).any() for table in vectors.values()):
        yield "vectors: expected finite numbers, or NaN for what is not there"
    if any(table.shape[1] != 2 or (table < 0).any() for table in shapes.values()):
        yield "shapes: expected outputs and inputs"
    if forms and (forms.keys() != set(FORMS) or len({f.shape for f in forms.values()}) > 1):
        yield f"forms: expected {' and '.join(FORMS)}, of one size"


def for_reference(
    towers: Sequence[TowerProfile], main: TowerProfile | None
) -> tuple[TowerProfile, ...]:
    """The towers as a reference keeps them: the arrays of the main one alone, within the budget.

    All samples of all layers are kept, and of each form the first entries of the recipe's order,
    as many as there is room for: a fair sample, whose correlation is as uncertain as 1/√entries.
    """
    return tuple(
        replace(tower, arrays=_within(tower.arrays, len(tower.layers)))
        if tower is main and tower.arrays
        else replace(tower, arrays=None)
        for tower in towers
    )


def _within(arrays: Arrays, layers: int) -> Arrays:
    budget = BUDGET * max(1.0, layers / BUDGET_LAYERS) - ROOM
    room = budget - sum(t.nbytes for name, t in _tables(arrays) if not name.startswith("forms"))
    entries = int(room // (len(FORMS) * layers))
    kept = min(max(entries, FEWEST_ENTRIES), FORM)
    return replace(arrays, forms={name: form[:, :kept] for name, form in arrays.forms.items()})
