"""Where tensors lie, read off their names: `<stack>.<layer number>.<module>.<leaf>`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from fpcheck.checkpoint import Tensor
from fpcheck.layouts import JOINED_PARTS, OTHER_TOWERS, WRAPPERS

_NUMBER = re.compile(r"0|[1-9][0-9]{0,5}")  # a canonical layer number: "07" would be a second 7
_LAYER, _FIRST = re.compile(rf"\.({_NUMBER.pattern})\."), re.compile(rf"({_NUMBER.pattern})\.")
_WORDS = re.compile(r"[a-z0-9]+")
_ODD = re.compile("|".join(sorted({*WRAPPERS, *JOINED_PARTS})))
ANY = "*"  # stands for a number in a module's name
# The deepest models have a few hundred layers; a table of more is no model.
MAX_LAYERS = 2_000

Numbers = tuple[int, ...]


class Place(NamedTuple):
    """A tensor's stack, layer number, and the rest of its name, below the layer."""

    stack: str
    layer: int
    below: str


@dataclass(frozen=True)
class Stack:
    """The prefix that some layers share, the number of weights below it, and their numbers."""

    name: str
    weights: int
    layers: frozenset[int]


@dataclass
class Site:
    """A module that layers of a stack have: its tensors by numbers and leaf.

    `numbers` are all those in the module's name, the layer's first; `doubled` are leaves of which
    there are two, once the wrappers' parts are dropped.
    """

    stack: str
    module: str
    blocks: dict[Numbers, dict[str, Tensor]] = field(default_factory=dict)
    doubled: set[tuple[Numbers, str]] = field(default_factory=set)

    def add(self, numbers: Numbers, leaf: str, tensor: Tensor) -> None:
        """Note a tensor; of too many layers, one too many is enough to know."""
        if numbers not in self.blocks:
            if len(self.blocks) > MAX_LAYERS:
                return
            self.blocks[numbers] = {}
        if leaf in self.blocks[numbers]:
            self.doubled.add((numbers, leaf))
        self.blocks[numbers][leaf] = tensor

    @cached_property
    def depths(self) -> Mapping[Numbers, int]:
        """The number of each block in depth.

        It is the one that differs between blocks; where several do (two attentions a layer, blocks
        of layers), blocks are counted in their order.
        """
        if self.is_nested:
            return {numbers: depth for depth, numbers in enumerate(sorted(self.blocks))}
        place = next(iter(self._differing), 0)
        return {numbers: numbers[place] for numbers in self.blocks}

    @property
    def is_nested(self) -> bool:
        """Whether depths are counts over several numbers, not a number in the name."""
        return len(self._differing) > 1

    @property
    def _differing(self) -> list[int]:
        columns = list(zip(*self.blocks, strict=True))
        return [place for place, column in enumerate(columns) if len(set(column)) > 1]


def place_of(name: str) -> Place | None:
    """Where a tensor lies: the first number in its name is its layer's, but for one at the start.

    None for a name without such a number, or that ends in it.
    """
    plain = _plain(name)
    found = _LAYER.search(plain) or _FIRST.match(plain)
    if not found:
        return None
    return Place(plain[: found.start()], int(found[1]), plain[found.end() :])


def _plain(name: str) -> str:
    """The name without wrappers' parts, and with joined parts apart."""
    if not _ODD.search(name):
        return name
    parts = (part for part in name.split(".") if part not in WRAPPERS)
    return ".".join(one for part in parts for one in JOINED_PARTS.get(part, (part,)))


def sites(
    tensors: Mapping[str, Tensor], leaves: frozenset[str], *, nested: bool = False
) -> list[Site]:
    """Every module that has a tensor of one of the leaves, sorted by name.

    A tensor can belong to several: `attention.query.weight` is the leaf `query.weight` of the
    module `attention` and a leaf of its own. `nested` is for architectures whose text has blocks
    of layers: elsewhere each number below the layer's makes a site of its own.
    """
    found: dict[tuple[str, str], Site] = {}
    endings = {".".join(leaf.split(".")[-2:]) for leaf in leaves}
    for name, tensor in tensors.items():
        if not _ends_in(_plain(name), endings):
            continue
        for stack, module, numbers, leaf in _readings(name, leaves):
            site = found.setdefault((stack, module), Site(stack, module))
            site.add(numbers, leaf, tensor)
    return [site for key in sorted(found) for site in _apart(found[key], nested)]


def _ends_in(name: str, endings: set[str]) -> bool:
    """Whether a name's end may be a leaf: most tensors of a mixture of experts are ruled out so."""
    parts = name.rsplit(".", 2)
    return parts[-1] in endings or ".".join(parts[-2:]) in endings


def _apart(site: Site, nested: bool) -> list[Site]:
    """A site for each attention that every layer has several of; else the site itself.

    Put together they would make one tower, into which a release could mix blocks of its own that
    no loader asks for. Blocks of layers, of which each has more than there are of them, stay one.
    """
    outer, inner = {numbers[0] for numbers in site.blocks}, {n[1:] for n in site.blocks}
    whole = len(inner) > len(outer) and (nested or not is_text(site.stack))
    if len(inner) == 1 or whole:
        return [site]
    split = {numbers: Site(site.stack, named(site.module, numbers)) for numbers in sorted(inner)}
    for numbers, block in site.blocks.items():
        for leaf, tensor in block.items():
            split[numbers[1:]].add(numbers[:1], leaf, tensor)
    for numbers, leaf in site.doubled:
        split[numbers[1:]].doubled.add((numbers[:1], leaf))
    return list(split.values())


def named(module: str, numbers: Numbers) -> str:
    """A module's name with its numbers filled in."""
    given = iter(numbers)
    return ".".join(str(next(given)) if part == ANY else part for part in module.split("."))


def _readings(name: str, leaves: frozenset[str]) -> Iterator[tuple[str, str, Numbers, str]]:
    """Each known leaf that a name ends in, with the stack, module and numbers above it.

    What has no layer number is a stack of its own, of one layer.
    """
    place = place_of(name)
    below = (place.below if place else _plain(name)).split(".")
    for cut in range(len(below)):
        leaf = ".".join(below[cut:])
        if leaf in leaves:
            above = below[:cut]
            if place is None:
                yield ".".join(above), "", (0,), leaf
                continue
            numbers = (place.layer, *(int(part) for part in above if _NUMBER.fullmatch(part)))
            module = ".".join(ANY if _NUMBER.fullmatch(part) else part for part in above)
            yield place.stack, module, numbers, leaf


def is_text(stack: str) -> bool:
    """Whether nothing in a stack's name says that it reads anything but text."""
    parts = stack.lower().split(".")
    words = {word for part in parts for word in (part, *_WORDS.findall(part))}
    return not words.intersection(OTHER_TOWERS)


def stacks(tensors: Mapping[str, Tensor]) -> dict[str, Stack]:
    """Every stack by name, with the weights in it and its layers' numbers."""
    weights: dict[str, int] = defaultdict(int)
    layers: dict[str, set[int]] = defaultdict(set)
    for name, tensor in tensors.items():
        place = place_of(name)
        if place:
            weights[place.stack] += tensor.count
            layers[place.stack].add(place.layer)
    if len(layers[""]) == 1 and len(weights) > 1:
        weights.pop("", None)  # the number of a module, such as sentence encoders begin with
    return {name: Stack(name, weights[name], frozenset(layers[name])) for name in weights}


def largest(found: Iterable[Stack]) -> Stack:
    """The stack that holds the most weights; one without a name or layers when there is none."""
    return max(found, key=lambda stack: stack.weights, default=Stack("", 0, frozenset()))
