"""Whether attention is read right: checkpoints with known statistics, one line a type.

    python -m benchmarks.layouts DIR [DIR …]

Each folder below DIR that holds a `truth.json` is one checkpoint. That file lists, for every layer
and each of q, k, v and o, the population standard deviation of exactly the elements that feed it,
and the tensors they lie in. A role is

- matched when fpcheck measures it from tensors of the list to within 1e-3 relative,
- a mismatch when it measures another number there,
- missing when it measures none (a pooled role counts as missing, and is told apart).

What fpcheck measures of tensors that the truth gives to other roles is a mismatch, too. The exit
code is 1 when anything is mismatched.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fpcheck.attention import Tower, find_attention
from fpcheck.checkpoint import read_checkpoint
from fpcheck.encodings import decoded
from fpcheck.errors import FpcheckError
from fpcheck.filling import POOLED_ROLES
from fpcheck.layouts import Role
from fpcheck.signature import Moments, TowerProfile
from fpcheck.signature.measure import measure
from fpcheck.source.local import LocalSource

TOLERANCE = 1e-3
ROLES = (Role.Q, Role.K, Role.V, Role.O)


class Measured(NamedTuple):
    """One role of one layer: the number, and the tensors that it was taken from."""

    tower: str
    layer: int
    role: Role
    std: float
    tensors: frozenset[str]


class Result(NamedTuple):
    """How one checkpoint was read."""

    name: str
    matched: int
    mismatches: tuple[str, ...]
    missing: tuple[str, ...]
    said: tuple[str, ...]

    @property
    def word(self) -> str:
        if self.mismatches:
            return "MISMATCH"
        return "missing" if self.missing else "match"


def measurements(folder: Path) -> tuple[list[Measured], tuple[str, ...]]:
    """Everything that fpcheck measures of a checkpoint, and what it says of the rest."""
    with LocalSource(str(folder)) as source:
        checkpoint, undecoded = decoded(read_checkpoint(source))
        attention = find_attention(checkpoint)
        profiles = measure(checkpoint, attention)
    pairs = zip(attention.towers, profiles, strict=True)
    found = [one for tower, profile in pairs for one in _measured(tower, profile)]
    return found, (*undecoded, *attention.unmeasured, *attention.notes)


def _measured(tower: Tower, profile: TowerProfile) -> Iterator[Measured]:
    for place, layer in enumerate(profile.layers):
        tensors: dict[Role, set[str]] = defaultdict(set)
        for piece in tower.layers[layer]:
            for role, _ in piece.pattern.sequence:
                tensors[role].add(piece.tensor.name)
        for role in (*ROLES, *sorted(POOLED_ROLES)):
            moments: Moments | None = profile.roles.get(role, (None,) * len(profile.layers))[place]
            if moments:
                yield Measured(tower.name, layer, role, moments.std, frozenset(tensors[role]))


def judged(folder: Path, name: str) -> Result:
    """One checkpoint held against its truth."""
    truth = json.loads((folder / "truth.json").read_text())
    try:
        found, said = measurements(folder)
    except FpcheckError as error:
        found, said = [], (str(error),)
    matched, mismatches, missing = 0, [], []
    accounted: set[int] = set()
    for layer, role, std, tensors in _wanted(truth):
        where = f"{layer['stack']}.{layer.get('index')} {layer.get('attn', '')} {role}"
        own = [m for m in found if m.role is role and _same(m, layer, tensors, found)]
        accounted |= {id(m) for m in own}
        if not own:
            pooled = any(m.role in POOLED_ROLES and m.tensors & tensors for m in found)
            missing.append(f"{where}{' (pooled)' if pooled else ''}")
        elif all(abs(m.std - std) <= TOLERANCE * std for m in own):
            matched += 1
        else:
            mismatches.append(f"{where}: {own[0].std:.6g}, true {std:.6g}")
    named = {tensor for *_, tensors in _wanted(truth) for tensor in tensors}
    mismatches += [
        f"{m.tower}.{m.layer} {m.role}: {m.std:.6g} of {', '.join(sorted(m.tensors))}, "
        "which the truth gives to no such role"
        for m in found
        if id(m) not in accounted and m.role in ROLES and m.tensors & named
    ]
    return Result(name, matched, tuple(mismatches), tuple(missing), said)


def _same(
    m: Measured, layer: Mapping[str, Any], tensors: frozenset[str], found: list[Measured]
) -> bool:
    """Whether a measurement is of a layer's role: of its tensors, and beside its own o or q."""
    if not m.tensors & tensors:
        return False
    others = [_tensors(layer, role) for role in ROLES if role is not m.role]
    beside = [o for o in found if (o.tower, o.layer) == (m.tower, m.layer) and o is not m]
    return not beside or any(o.tensors & other for o in beside for other in others)


def _wanted(truth: Mapping[str, Any]) -> Iterator[tuple[Any, Role, float, frozenset[str]]]:
    for layer in truth["layers"]:
        for role in ROLES:
            if layer.get(role) and layer[role].get("parts"):
                yield layer, role, layer[role]["std"], _tensors(layer, role)


def _tensors(layer: Mapping[str, Any], role: Role) -> frozenset[str]:
    return frozenset(part["tensor"] for part in (layer.get(role) or {}).get("parts", ()))


def main(arguments: list[str]) -> int:
    whole = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=whole)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--verbose", action="store_true", help="what was said of each, too")
    given = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    for root in given.folders:
        for path in sorted(root.rglob("truth.json")):
            result = judged(path.parent, path.parent.relative_to(root).as_posix())
            counts[result.word] += 1
            _print(result, verbose=given.verbose)
    total = sum(counts.values())
    print(f"\n{counts['match']} of {total} types match, {counts['missing']} lack a role, ", end="")
    print(f"{counts['MISMATCH']} have a wrong number")
    return 1 if counts["MISMATCH"] or not total else 0


def _print(result: Result, *, verbose: bool) -> None:
    print(f"{result.word:9} {result.name:45} {result.matched:4} roles")
    lines = [*result.mismatches[:6], *(f"missing: {text}" for text in result.missing[:6])]
    if verbose or result.missing or result.mismatches:
        lines += [f"said: {text}" for text in result.said[:6]]
    for line in lines:
        print(f"          {line}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
