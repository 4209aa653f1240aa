"""What is true of each pair of models: the lineage that is written beside every checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

LINEAGE = "lineage.json"
UNDETECTABLE = "undetectable"
# What twins have in common, under the names that different zoos give it.
ALIKE = (("family", "arch"), ("corpus", "data"), ("tokenizer",), ("layers",), ("width",), ("tied",))


class Kind(StrEnum):
    """What a candidate is to a reference."""

    INDEPENDENT = "independent"  # nothing in common but perhaps architecture or data
    TWIN = "twin"  # independent: architecture, data and tokenizer are the same, the seed is another
    TIED_TWIN = "tied twin"  # the same, and the embedding is the output matrix too
    SAME_SEED = "same seed, other data"
    DERIVED = "derived"
    UNDETECTABLE = UNDETECTABLE  # derived, and known to leave no trace in the weights
    SIBLING = "sibling"  # derived from the same

    @property
    def is_independent(self) -> bool:
        """Whether the two were trained apart, so that any finding is a false alarm."""
        return self in STRANGERS


STRANGERS = (Kind.INDEPENDENT, Kind.TWIN, Kind.TIED_TWIN)


@dataclass(frozen=True)
class Model:
    """A checkpoint's folder, its parents with the weight that each has, and what made it."""

    id: str
    folder: Path
    parents: Mapping[str, float]
    facts: Mapping[str, Any]

    @property
    def is_base(self) -> bool:
        """Whether it was trained from scratch."""
        return not self.parents

    @property
    def relation(self) -> str:
        """How it was made of its parents."""
        found = (self.facts.get(key) for key in ("derivation", "how", "relation"))
        return next((str(name) for name in found if name), "base")

    @property
    def alike(self) -> tuple[Any, ...]:
        """What twins have in common."""
        return tuple(
            next((self.facts[name] for name in names if name in self.facts), None)
            for names in ALIKE
        )


Models = Mapping[str, Model]


def read_models(out: Path) -> dict[str, Model]:
    """Every checkpoint of a folder that has its lineage beside it, bases first."""
    found = [_model(path.parent) for path in sorted(out.glob(f"*/{LINEAGE}"))]
    models = {m.id: m for m in sorted(found, key=lambda m: (not m.is_base, m.id))}
    for model in found:
        if unknown := sorted(set(model.parents) - set(models)):
            raise ValueError(f"{model.id}: no lineage of its parent {', '.join(unknown)}")
    return models


def _model(folder: Path) -> Model:
    facts = json.loads((folder / LINEAGE).read_text("utf-8"))
    return Model(folder.name, folder, dict(_parents(facts)), facts)


def _parents(facts: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Parents and weights: names, pairs of both, objects, or a mapping; 1 where none is given."""
    given = facts.get("parents", facts.get("parent")) or ()
    items = (
        given.items() if isinstance(given, dict) else [given] if isinstance(given, str) else given
    )
    weights = facts.get("weights")
    shared = weights if isinstance(weights, list) and len(weights) == len(items) else None
    for place, item in enumerate(items):
        if isinstance(item, dict):
            yield str(item["id"]), float(item.get("weight", 1))
        elif isinstance(item, str):
            yield item, float(shared[place] if shared else 1)
        else:
            yield str(item[0]), float(item[1])


def ancestors(models: Models, identity: str) -> frozenset[str]:
    """Everything that a model descends from, itself not among it."""
    parents = models[identity].parents
    return frozenset(parents).union(*(ancestors(models, parent) for parent in parents))


def roots(models: Models, identity: str) -> frozenset[str]:
    """The bases that a model descends from; a base is its own."""
    every = ancestors(models, identity) | {identity}
    return frozenset(name for name in every if models[name].is_base)


def traceable(models: Models, identity: str) -> frozenset[str]:
    """The ancestors that some line of descent leads to whose every step can be seen in weights."""
    model = models[identity]
    if model.facts.get("expected") == UNDETECTABLE:
        return frozenset()
    return frozenset(model.parents).union(*(traceable(models, p) for p in model.parents))


def weight(models: Models, identity: str, ancestor: str) -> float:
    """The share of an ancestor in a model, over all lines of descent."""
    if identity == ancestor:
        return 1.0
    parents = models[identity].parents.items()
    return sum(share * weight(models, parent, ancestor) for parent, share in parents)


def kind(models: Models, candidate: str, reference: str) -> Kind:
    """What a candidate is to a reference."""
    if reference in ancestors(models, candidate):
        seen = reference in traceable(models, candidate)
        return Kind.DERIVED if seen else Kind.UNDETECTABLE
    own, theirs = roots(models, candidate), roots(models, reference)
    if own & theirs:
        return Kind.SIBLING
    if {_seed(models, name) for name in own} & {_seed(models, name) for name in theirs}:
        return Kind.SAME_SEED
    if {models[name].alike for name in own} & {models[name].alike for name in theirs}:
        return Kind.TIED_TWIN if models[reference].facts.get("tied") else Kind.TWIN
    return Kind.INDEPENDENT


def unit(models: Models, pair: tuple[str, str]) -> frozenset[str]:
    """The bases behind a pair: pairs of the same ones are no independent observations."""
    return roots(models, pair[0]) | roots(models, pair[1])


def _seed(models: Models, base: str) -> str:
    """The base that has the initialisation of this one: itself, unless it says another."""
    return str(models[base].facts.get("initialised_as") or base)


def row(models: Models, candidate: str, reference: str) -> str:
    """Under which name a pair of DERIVED is counted: the derivation, and the parent's share."""
    model = models[candidate]
    share = weight(models, candidate, reference)
    return model.relation if share > 0.999 else f"{model.relation}, parent of {share:.0%}"
