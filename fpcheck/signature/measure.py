"""Measure a checkpoint's attention as its bytes stream by, in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from fpcheck.attention import Attention, Tower
from fpcheck.checkpoint import Checkpoint
from fpcheck.layouts import Role
from fpcheck.signature import Moments, TowerProfile
from fpcheck.signature.arrays import Arrays
from fpcheck.signature.assembly import Assembly
from fpcheck.signature.decode import STORED
from fpcheck.signature.found import Found
from fpcheck.signature.gathering import gathered
from fpcheck.signature.kernels import UNIT, Scratch
from fpcheck.signature.moments import Part, merge, rounded
from fpcheck.signature.plan import bytes_of, plan
from fpcheck.signature.pool import run
from fpcheck.signature.probes import Probe
from fpcheck.signature.reduce import Reducer
from fpcheck.signature.targets import Target, targets
from fpcheck.source import Source

# What the buffers and scratch of all threads may take together: half of what a check may take.
MEMORY = 128 << 20
Progress = Callable[[int, int], None]  # bytes done, bytes in all


def measure(
    checkpoint: Checkpoint,
    attention: Attention,
    probes: Mapping[str, Probe] | None = None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[TowerProfile, ...]:
    """The moments of every role in every layer of every tower, and the arrays that probes ask for.

    `progress` is called on the calling thread. Raises NonFiniteError for a weight that is not
    finite, SourceError when bytes cannot be had.
    """
    given = probes or {}
    wanted = targets(attention.towers, given)
    assembly = Assembly(wanted)
    if wanted:
        _stream(checkpoint.source, wanted, assembly, workers, progress)
    return tuple(_towers(attention, given, wanted, assembly))


def _towers(
    attention: Attention,
    probes: Mapping[str, Probe],
    wanted: Sequence[Target],
    assembly: Assembly,
) -> Iterator[TowerProfile]:
    """Each tower's layers are the groups of targets that follow on those of the one before."""
    own: dict[int, list[Mapping[Role, Part]]] = defaultdict(list)
    for target, parts in zip(wanted, assembly.parts, strict=True):
        own[target.group].append(parts)
    first = 0
    for tower in attention.towers:
        groups = range(first, first + len(tower.layers))
        first = groups.stop
        probe = probes.get(tower.name)
        arrays = gathered(assembly, groups, probe) if probe else None
        yield _profile(tower, [own[group] for group in groups], arrays)


def _stream(
    source: Source,
    wanted: Sequence[Target],
    assembly: Assembly,
    workers: int | None,
    progress: Progress | None,
) -> None:
    """Read every target once, on several threads; what they find is put together in order."""
    sizes = [bytes_of(target) for target in wanted]
    done, size = 0, sum(sizes)

    def take(found: Found) -> None:
        nonlocal done
        assembly.take(found)
        for owner, _, part in found.parts:
            piece = wanted[owner].piece
            done += part.count * sizes[owner] // (piece.pattern.length if piece else 1)
        if progress:
            progress(done, size)

    room = _room(source, wanted)
    threads = min(workers or source.workers, MEMORY // (room + Scratch.BYTES))
    run(Reducer(source, wanted, room), plan(wanted, source.read_size), max(threads, 1), take)


def _room(source: Source, wanted: Sequence[Target]) -> int:
    """The size in bytes that no read exceeds."""
    plain = [STORED[t.tensor.dtype].itemsize for t in wanted if not t.tensor.coding]
    return max(source.read_size, UNIT * max(plain, default=8))


def _profile(
    tower: Tower, found: Sequence[Sequence[Mapping[Role, Part]]], arrays: Arrays | None
) -> TowerProfile:
    """A tower's moments, from the parts of its pieces layer by layer, and its arrays."""
    moments = [_moments(layer) for layer in found]
    roles = {role: tuple(layer.get(role) for layer in moments) for role in Role}
    measured = {role: row for role, row in roles.items() if any(row)}
    layers = tuple(sorted(tower.layers))
    return TowerProfile(tower.name, tower.layout, tower.kind, layers, measured, arrays)


def _moments(pieces: Sequence[Mapping[Role, Part]]) -> dict[Role, Moments]:
    """The moments of each role in one layer."""
    parts: dict[Role, list[Part]] = defaultdict(list)
    for piece in pieces:
        for role, part in piece.items():
            parts[role].append(part)
    return {role: rounded(merge(own)) for role, own in parts.items()}
