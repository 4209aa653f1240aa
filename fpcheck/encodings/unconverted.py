"""Modules that the settings exempt: a loader takes what is stored there for the weights itself.

Scales beside such a weight are read by nobody, so that decoding it would measure another matrix.
Loaders differ in how they compare the lists with names; a matrix that one of them may take for
exempt is not measured.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fpcheck.checkpoint import Checkpoint
from fpcheck.encodings.name_patterns import EVERYTHING, Pattern, any_of, pattern
from fpcheck.encodings.settings import settings

LISTS = (
    *("modules_to_not_convert", "ignore", "ignored_layers", "exclude_modules"),
    *("llm_int8_skip_modules", "exclude"),  # the last: Quark's
)
INNER = "quantization"  # where ModelOpt's own file has its list
REGEX = "re:"
CLASSES = ("linear", "linearbase", "module", "object")  # of all that can be quantised
MAX_ENTRIES = 5_000
MAX_WORK = 1_000_000  # comparisons of a name with an entry; beyond, all may be exempt
FAULT = (
    "the quantisation settings may exempt it, and a loader would take its codes for weights: "
    "remove it from the list, or release it unquantised"
)
# What loaders put before a language model's layers, or leave out.
_PREFIX = re.compile(r"^(?:(?:model|language_model|base_model|text_model|transformer)\.)*")
_PREFIXES = ("", "model.", "language_model.model.", "model.language_model.", "transformer.")
Groups = Mapping[Pattern, set[Pattern]]  # by their loose form


def unconverted(checkpoint: Checkpoint, names: Iterable[str]) -> Iterator[str]:
    """Those of the decoded matrices that the settings may exempt."""
    held = sorted(names)
    texts = {e for place in settings(checkpoint).places for e in _entries(place)} if held else ()
    entries: dict[Pattern, set[Pattern]] = defaultdict(set)
    for entry in map(_pattern, sorted(texts)) if len(texts) <= MAX_ENTRIES else [EVERYTHING]:
        entries[entry.loose].add(entry)
    modules: dict[str, list[str]] = defaultdict(list)
    for name in held if entries else ():
        modules[re.sub(r"\d+", "0", name.lower())].append(name)
    if len(entries) * len(modules) > MAX_WORK:
        yield from held
        return
    for shape, alike in modules.items():
        yield from _meant(shape, alike, entries)


def _meant(shape: str, alike: list[str], entries: Groups) -> Iterator[str]:
    """Those of names alike but for numbers that some entry may match."""
    shapes = _paths(shape)
    close = {e for loose, own in entries.items() if any_of([loose], shapes) for e in own}
    if len(close) * len(alike) > MAX_WORK or EVERYTHING in close:
        yield from alike
        return
    yield from (name for name in alike if any_of(close, _paths(name.lower())))


def _paths(name: str) -> tuple[str, ...]:
    """What loaders may call a tensor's module."""
    module = name.removesuffix(".weight")
    own = _PREFIX.sub("", module, count=1)
    return (module, *(prefix + own for prefix in _PREFIXES))


def _entries(place: Mapping[str, Any]) -> Iterator[str]:
    """The entries of all lists; what is no list of texts may mean anything, as "" does."""
    inner = place.get(INNER)
    for part in (place, inner if isinstance(inner, dict) else {}):
        for key in LISTS:
            listed = part.get(key)
            if listed is not None:
                own = listed if isinstance(listed, list) else [""]
                yield from (entry if isinstance(entry, str) else "" for entry in own)


def _pattern(entry: str) -> Pattern:
    """What an entry may match."""
    if entry.lower() in CLASSES:
        return EVERYTHING
    if entry.startswith(REGEX):
        return pattern(entry.removeprefix(REGEX))
    # A router is called gate, and is not the gate_proj that some stand beside.
    return pattern(entry + "$" if entry.rpartition(".")[2] == "gate" else entry)
