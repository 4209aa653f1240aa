"""How a checkpoint was understood, as text for a terminal or a log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from fpcheck.coverage import Coverage
from fpcheck.explain import Explanation, Group, TowerRead
from fpcheck.explain.meanings import Meaning, Share
from fpcheck.explain.names import ranges
from fpcheck.filling import POOLED_ROLES
from fpcheck.report.sinks import plain
from fpcheck.source import Origin

# Lines of each part that are shown unasked: honest models have a few, and the rest is for --all.
MAX_TENSORS = 60
MAX_OTHERS = 15
MAX_REMARKS = 20
WIDTH = 72  # of a column of names; longer ones push the rest of their line


def render(origin: Origin, explanation: Explanation, *, everything: bool = False) -> str:
    """Plain text; every untrusted word has passed the log's sink."""
    lines = [*_head(origin, explanation)]
    for tower in explanation.towers:
        lines += ["", *_tower(tower, everything)]
    lines += _remarks("to know", explanation.notes, everything)
    lines += _unmeasured(explanation, everything)
    lines += _others(explanation, everything)
    return "\n".join(lines) + "\n"


def _head(origin: Origin, explanation: Explanation) -> list[str]:
    covered = explanation.covered
    named = plain(explanation.model_type) or "no model type"
    share = f"{len(covered.measured)} of {len(covered.layers)} layers"
    measured = f"{share} of {plain(covered.stack) or 'the top level'} are measured"
    return [
        f"{plain(origin)}  ({named})",
        f"  {measured if covered.layers else 'no tensor is named like a layer'}",
        *_without(covered),
    ]


def _without(covered: Coverage) -> list[str]:
    """The layers that hold something known in place of attention."""
    layers: dict[str, list[int]] = defaultdict(list)
    for layer, kind in covered.without.items():
        layers[kind].append(layer)
    return [f"  in place of attention, {kind}: {_layers(own)}" for kind, own in layers.items()]


def _tower(tower: TowerRead, everything: bool) -> list[str]:
    layouts = " + ".join(repr(name) for name in tower.layouts)
    kind = "" if tower.kind in tower.name else f"{tower.kind}, "  # unless its name says it
    head = f"{plain(tower.name)}  {kind}layout {layouts}, {_layers(tower.layers)}"
    lent = [
        f"{', '.join(lent.roles)} of {_layers(lent.layers)}: those of layer {lent.source}"
        for lent in tower.lent
    ]
    lines = _table(tower.tensors, MAX_TENSORS, everything)
    return [head, *lines, *_capped([f"  {text}" for text in lent], MAX_REMARKS, everything)]


def _layers(numbers: Sequence[int]) -> str:
    return f"layer{'s' if len(numbers) > 1 else ''} {ranges(numbers)}"


def _unmeasured(explanation: Explanation, everything: bool) -> list[str]:
    lines = _remarks("not measured", explanation.unmeasured, everything)
    if not explanation.unknown:
        return lines
    lines += ["", "matrices of layers whose attention is not known"]
    return lines + _table(explanation.unknown, MAX_OTHERS, everything)


def _others(explanation: Explanation, everything: bool) -> list[str]:
    groups = explanation.others
    if not groups:
        return []
    count = sum(group.count for group in groups)
    head = ["", f"no role in attention: {count:,} tensors"]
    return head + _table(groups, MAX_OTHERS, everything)


def _remarks(title: str, texts: Sequence[str], everything: bool) -> list[str]:
    lines = _capped([f"  {plain(text)}" for text in texts], MAX_REMARKS, everything)
    return ["", title, *lines] if lines else []


def _table(groups: Sequence[Group], limit: int, everything: bool) -> list[str]:
    """A line for each group, its columns one below the other."""
    shown = groups if everything else groups[:limit]
    names, stored = [plain(group.names) for group in shown], [_stored(group) for group in shown]
    left, middle = _width(names), _width(stored)
    lines = [
        f"  {name:<{left}}  {kept:<{middle}}  {_told(group.meaning)}".rstrip()
        for name, kept, group in zip(names, stored, shown, strict=True)
    ]
    rest = len(groups) - len(shown)
    return [*lines, f"  and {rest:,} more patterns: see them with --all"] if rest else lines


def _width(column: Sequence[str]) -> int:
    return max((len(text) for text in column if len(text) <= WIDTH), default=0)


def _stored(group: Group) -> str:
    """Shape and dtype, the number of tensors where it is not told by the pattern's one number."""
    shape = "several shapes" if group.shape is None else str(list(group.shape))
    dtype = "several dtypes" if group.dtype is None else plain(group.dtype)
    codes = f" ({', '.join(map(plain, group.stored))})" if group.stored else ""
    count = f"  × {group.count:,}" if len(group.names.numbers) > 1 else ""
    return f"{shape} {dtype}{codes}{count}"


def _told(meaning: Meaning | None) -> str:
    """The roles, and in words how they share the tensor."""
    if meaning is None:
        return ""
    shares = [_share(share) for share in meaning.shares]
    unsettled = "which part is which is not settled" if meaning.roles[0] in POOLED_ROLES else ""
    inputs = "stored with its inputs first" if meaning.transposed else ""
    details = "; ".join(filter(None, (meaning.holds, unsettled, *shares, inputs)))
    return f"→ {', '.join(meaning.roles)}" + (f"  ({details})" if details else "")


def _share(share: Share) -> str:
    parts = [f"{length:,} of {role}" for role, length in share.sequence]
    parts[0] = parts[0].replace(" of ", f" {share.along} of ", 1)
    each = ", ".join(parts)
    return each if share.repeats == 1 else f"{share.repeats:,} × ({each})"


def _capped(lines: Iterable[str], limit: int, everything: bool) -> list[str]:
    found = list(lines)
    rest = 0 if everything else len(found) - limit
    return [*found[:limit], f"  and {rest:,} more: see them with --all"] if rest > 0 else found
