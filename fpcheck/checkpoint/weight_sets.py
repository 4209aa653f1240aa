"""Which safetensors files of a folder belong together, by their names, and which set is loaded.

A set is one model's weights under one name: a single file, numbered shards, an index, or several of
these. `model.safetensors`, `model-00001-of-00002.safetensors` and `model.safetensors.index.json`
are of the set `model`; with a variant, as in `model.fp16.safetensors`, of the set `model.fp16`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice

from fpcheck.errors import FormatError

SUFFIX = ".safetensors"
# What loaders look for when nothing else is asked for, and which loader does.
DEFAULTS: Mapping[str, str] = {
    "model": "transformers",
    "diffusion_pytorch_model": "diffusers",
}
# What they take, of other forms, when they find no safetensors of that name; indices included.
FALLBACKS: Mapping[str, str] = {
    "pytorch_model.bin": "transformers",
    "tf_model.h5": "transformers",
    "flax_model.msgpack": "transformers",
    "diffusion_pytorch_model.bin": "diffusers",
    "diffusion_flax_model.msgpack": "diffusers",
}
INDEXED = ".index.json"
# What some loaders take instead when it is there, and which.
PREFERRED: Mapping[str, str] = {"consolidated": "which vLLM loads instead"}
MAX_NAMED = 3  # files, or numbers of shards, that a message names

_SHARD = re.compile(r"(?P<set>.+)-(?P<number>\d{1,6})-of-(?P<total>\d{1,6})\.safetensors")
_INDEX = re.compile(r"(?P<set>.+)\.safetensors\.index(?P<variant>\.[^.]+)?\.json")


@dataclass(frozen=True)
class WeightSet:
    """The files of one set, sorted by name."""

    name: str
    files: tuple[str, ...]

    @property
    def single(self) -> str:
        """The file that holds the whole set, or ""."""
        return self.name + SUFFIX if self.name + SUFFIX in self.files else ""

    @property
    def index(self) -> str:
        """The index of its shards, or ""."""
        return next((file for file in self.files if _INDEX.fullmatch(file)), "")

    @property
    def loader(self) -> str:
        """Who loads it unasked, or "": numbered shards without an index are found by nobody."""
        return DEFAULTS.get(self.name, "") if self.single or self.index else ""

    @property
    def numbered(self) -> dict[str, tuple[int, int]]:
        """Its shards, by the number and the total that each has in its name."""
        found = ((file, _SHARD.fullmatch(file)) for file in self.files)
        return {file: (int(m["number"]), int(m["total"])) for file, m in found if m}

    @property
    def shown(self) -> str:
        """Its most telling file, for a message."""
        return repr((self.single or self.index or self.files[0])[:200])

    def shards(self) -> tuple[str, ...]:
        """Its numbered shards, all of them. Raises FormatError when one is missing."""
        totals = sorted({total for _, total in self.numbered.values()})
        numbers = {number for number, _ in self.numbered.values()}
        if len(totals) > 1 or len(numbers) < len(self.numbered):
            raise FormatError(
                f"{listed(self.numbered)}: shards of more than one set, and no index",
                hint=f"remove those of older sets, or add {self.name[:80]}{SUFFIX}.index.json",
            )
        if numbers != set(range(1, totals[0] + 1) if len(numbers) == totals[0] else ()):
            raise self._incomplete(numbers, totals[0])
        return tuple(sorted(self.numbered))

    def _incomplete(self, numbers: Set[int], total: int) -> FormatError:
        lack = total - sum(1 <= n <= total for n in numbers)
        first = islice((n for n in range(1, total + 1) if n not in numbers), MAX_NAMED)
        more = f" and {lack - MAX_NAMED:,} more" if lack > MAX_NAMED else ""
        return FormatError(
            f"{listed(self.numbered)}: {len(numbers)} of {total:,} shards; missing: number "
            f"{', '.join(map(str, first)) or 'none of them, but one is numbered 0'}{more}",
            hint="name the folder that holds them all; an upload or download may be incomplete",
        )


def weight_sets(files: Iterable[str]) -> dict[str, WeightSet]:
    """The sets of safetensors files at the top of a folder, by name."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(files):
        name = "" if "/" in file else _set_of(file)
        if name:
            found[name].append(file)
    return {name: WeightSet(name, tuple(own)) for name, own in found.items()}


def _set_of(file: str) -> str:
    """The set that a file's name says it is of, or ""."""
    index, shard = _INDEX.fullmatch(file), _SHARD.fullmatch(file)
    if index:
        return index["set"] + (index["variant"] or "")
    if shard:
        return shard["set"]
    return file.removesuffix(SUFFIX) if file.endswith(SUFFIX) else ""


def choose(sets: Mapping[str, WeightSet]) -> WeightSet:
    """The set that a loader takes unasked, else the only one. Raises FormatError."""
    defaults = [name for name in DEFAULTS if name in sets]
    if len(defaults) == 1:
        return sets[defaults[0]]
    if len(sets) == 1:
        return next(iter(sets.values()))
    files = [file for own in sets.values() for file in own.files if file.endswith(SUFFIX)]
    which = "two are" if defaults else "none is"
    raise FormatError(
        f"{len(files)} safetensors files and no model{SUFFIX}.index.json: {listed(files)}: {which} "
        "what loaders take unasked",
        hint="name the one to check instead of the folder, and check each that is released",
    )


def refuse_fallback(chosen: WeightSet, files: Iterable[str]) -> None:
    """Raise FormatError where a loader that does not know this set takes a file of another form."""
    loaders = ((file, FALLBACKS.get(file.removesuffix(INDEXED), "")) for file in files)
    other = next((row for row in loaders if row[1] not in ("", chosen.loader)), None)
    if other:
        file, loader = other
        default = next(name for name, own in DEFAULTS.items() if own == loader) + SUFFIX
        named = chosen.single or chosen.index
        way = "name the file to check" if named else f"add {chosen.name[:80]}{SUFFIX}{INDEXED}"
        raise FormatError(
            f"{file} is what {loader} loads unasked, as there is no {default} or index of its "
            f"shards; {chosen.shown} is loaded by those who ask for it",
            hint=f"remove {file}, or convert it to {default} and check that; or {way}, and release "
            "that alone",
        )


def reason(chosen: WeightSet, others: Sequence[WeightSet]) -> str:
    """Why this set was chosen, what is beside it, and who loads that; "" without a choice."""
    if others:
        beside = [f"{own.shown}, {_for_whom(own, chosen)}" for own in others[:MAX_NAMED]]
        more = [f"{len(others) - MAX_NAMED} more"] if len(others) > MAX_NAMED else []
        loader = DEFAULTS.get(chosen.name, "every loader")
        return f"{chosen.shown} was checked, as {loader} loads it; not " + "; ".join(beside + more)
    base, _, variant = chosen.name.partition(".")
    if base in DEFAULTS and variant:
        return f"{chosen.shown} was checked, {_asked(variant)}"
    return ""


def _for_whom(own: WeightSet, chosen: WeightSet) -> str:
    if own.name in PREFERRED:
        return PREFERRED[own.name]
    if own.name.startswith(chosen.name + "."):
        return _asked(own.name[len(chosen.name) + 1 :])
    return "loaded where it is named"


def _asked(variant: str) -> str:
    return f"loaded where variant={variant[:40]!r} is asked for"


def listed(names: Iterable[str], limit: int = MAX_NAMED) -> str:
    """The first few names, and how many more there are."""
    shown = [repr(name[:200]) for name in names]
    more = f" and {len(shown) - limit:,} more" if len(shown) > limit else ""
    return ", ".join(shown[:limit]) + more
