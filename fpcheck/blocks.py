"""One attention block after another: its layout, its kind, and its elements by role."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.checkpoint.config import model_types
from fpcheck.fitting import Choice, choose, fault, inputs, matrix, outputs, patterns, unused_v
from fpcheck.heads import Config
from fpcheck.layouts import (
    BIAS_OF,
    KIND_OF_MODULE,
    KIND_OF_STACK,
    STATE_LEAVES,
    STATE_TYPES,
    Holds,
    Kind,
    Layout,
    Role,
)
from fpcheck.mixers import ROLE_LEAVES, SEVERAL
from fpcheck.norms import norms_of
from fpcheck.packing import Pattern, over_bias, over_matrix, whole
from fpcheck.stacks import MAX_LAYERS, Numbers, Site, named

# Siblings that say a stored value is a code, whose weight is code × scale.
SCALES = ("_scale_inv", "_scale", "_scales")


@dataclass(frozen=True)
class Piece:
    """One tensor and which of its elements, row-major, serve which role.

    `transposed` says that a matrix is stored as inputs × outputs.
    """

    tensor: Tensor
    pattern: Pattern
    transposed: bool = False


@dataclass(frozen=True)
class Block:
    """One attention block: its place, what was chosen for it, and its pieces.

    `layer` is the number in its name, `depth` its number among the blocks of its module; `width` is
    how many inputs it takes (None where no matrix says so), `missing` the leaves that its layout
    has and it lacks.
    """

    stack: str
    module: str
    layer: int
    depth: int
    kind: Kind
    choice: Choice
    pieces: tuple[Piece, ...]
    width: int | None
    missing: tuple[str, ...]
    nested: bool


@dataclass(frozen=True)
class Reading:
    """The blocks of a site, and in words what of it could not be read."""

    blocks: tuple[Block, ...]
    faults: tuple[str, ...]
    partial: str  # why the site as a whole is none of a known layout, or ""


def blocks_of(site: Site, checkpoint: Checkpoint) -> Reading:
    """The attention blocks of a site."""
    where = f"{site.stack}.*.{site.module}".rstrip(".")
    if len(site.blocks) > MAX_LAYERS:
        return Reading((), (f"{where}: more than {MAX_LAYERS:,} layers",), "")
    chosen = _choices(site, checkpoint.config)
    rows = [choice for choice in chosen.values() if isinstance(choice, Choice)]
    if not rows:
        told = max(chosen, key=len, default=frozenset())
        said = f"{where}: {chosen[told]}" if len(told) >= SEVERAL else ""
        return Reading((), (), said)
    found: list[Block] = []
    faults: list[str] = []
    for numbers, block in sorted(site.blocks.items()):
        result = _block(site, numbers, chosen[_roles(block)], rows, checkpoint)
        if isinstance(result, Block):
            found.append(result)
        elif result:
            faults.append(result)
    return Reading(tuple(found), tuple(faults), "")


def _roles(block: Mapping[str, Tensor]) -> frozenset[str]:
    return frozenset(block) & ROLE_LEAVES


def _choices(site: Site, config: Config) -> dict[frozenset[str], Choice | str]:
    """What is chosen for each set of leaves that blocks of the site have."""
    alike: dict[frozenset[str], list[Mapping[str, Tensor]]] = defaultdict(list)
    for block in site.blocks.values():
        alike[_roles(block)].append(block)
    return {
        leaves: choose([{leaf: b[leaf] for leaf in leaves} for b in blocks], site.module, config)
        for leaves, blocks in alike.items()
        if leaves
    } | {frozenset(): ""}


def _block(
    site: Site,
    numbers: Numbers,
    choice: Choice | str,
    rows: list[Choice],
    checkpoint: Checkpoint,
) -> Block | str:
    """A block, or in words why it is none; "" for what holds no attention at all."""
    tensors = site.blocks[numbers]
    where, roles = _name(site, numbers), _roles(tensors)
    if isinstance(choice, str):
        # Some layers lack what others have: keys and values that they take from those.
        chosen = next((c for c in rows if roles and roles <= c.row.leaves.keys()), None)
        if chosen is None:
            return f"{where}: {choice}" if len(roles) >= SEVERAL else ""
        choice = chosen
    wrong = _fault(site, numbers, choice, checkpoint)
    return f"{where}: {wrong}" if wrong else _made(site, numbers, choice, checkpoint)


def _fault(site: Site, numbers: Numbers, choice: Choice, checkpoint: Checkpoint) -> str:
    row, tensors = choice.row, site.blocks[numbers]
    doubled = sorted(leaf for own, leaf in site.doubled if own == numbers and leaf in row.leaves)
    if doubled:
        return f"{doubled[0]} is there twice, under names that mean the same"
    spare = _scaled(row, tensors, checkpoint) or unused_v(numbers[0], row, checkpoint.config)
    return spare or fault(row, tensors, checkpoint.config, pooled=choice.pooled)


def _made(site: Site, numbers: Numbers, choice: Choice, checkpoint: Checkpoint) -> Block:
    row, tensors = choice.row, site.blocks[numbers]
    kind = _kind(site, row, tensors, checkpoint.config)
    return Block(
        stack=site.stack,
        module=site.module,
        layer=numbers[0],
        depth=site.depths[numbers],
        kind=kind,
        choice=choice,
        pieces=(
            *_pieces(choice, tensors, checkpoint),
            *_norms(site, row, kind, tensors, checkpoint),
        ),
        width=_width(row, tensors),
        missing=tuple(sorted(row.required - tensors.keys())),
        nested=site.is_nested,
    )


def _name(site: Site, numbers: Numbers) -> str:
    """The block's own name: the module's, with its numbers."""
    parts = (site.stack, str(numbers[0]), named(site.module, numbers[1:]))
    return ".".join(part for part in parts if part)


def _scaled(row: Layout, tensors: Mapping[str, Tensor], checkpoint: Checkpoint) -> str:
    for leaf in row.leaves.keys() & tensors.keys():
        tensor = tensors[leaf]
        if not tensor.coding and any(tensor.name + s in checkpoint.tensors for s in SCALES):
            return f"{tensor.name} has scales beside it that no known scheme explains"
    return ""


def _kind(site: Site, row: Layout, tensors: Mapping[str, Tensor], config: Config) -> Kind:
    if row.kind is not Kind.SELF:
        return row.kind
    for part in site.module.split("."):
        if part in KIND_OF_MODULE:
            return KIND_OF_MODULE[part]
    if STATE_LEAVES & tensors.keys() and model_types(config) & STATE_TYPES:
        return Kind.LINEAR
    found = (KIND_OF_STACK[part] for part in site.stack.split(".") if part in KIND_OF_STACK)
    return next(found, Kind.SELF)


def _pieces(
    choice: Choice, tensors: Mapping[str, Tensor], checkpoint: Checkpoint
) -> Iterator[Piece]:
    row = choice.row
    for leaf in row.leaves:
        if leaf not in tensors:
            continue
        tensor = tensors[leaf]
        for axis in patterns(row, leaf, tensors, checkpoint.config, pooled=choice.pooled):
            yield Piece(tensor, _over(axis, row, leaf, tensor), row.transposed)
            yield from _bias(axis, tensor, leaf, outputs(row, tensor), checkpoint)


def _norms(
    site: Site, row: Layout, kind: Kind, tensors: Mapping[str, Tensor], checkpoint: Checkpoint
) -> Iterator[Piece]:
    leaf = next(leaf for leaf in row.leaves if leaf in tensors)
    module = tensors[leaf].name.removesuffix(leaf).removesuffix(".")
    layer = module.rsplit(".", len(site.module.split(".")))[0] if site.module else module
    for role, norm in norms_of(module, layer, kind, checkpoint.tensors):
        if _is_vector(norm):
            yield Piece(norm, whole(role, norm.count))


def _over(axis: Pattern, row: Layout, leaf: str, tensor: Tensor) -> Pattern:
    if len(axis.sequence) == 1:
        return whole(axis.sequence[0][0], tensor.count)
    along_inputs = row.leaves[leaf] is Holds.O_AND_BRANCH
    return over_matrix(axis, matrix(tensor), transposed=row.transposed is not along_inputs)


def _bias(
    axis: Pattern, tensor: Tensor, leaf: str, size: int, checkpoint: Checkpoint
) -> Iterator[Piece]:
    """The bias beside a weight, if it has as many elements as the weight has channels."""
    stem = leaf.removesuffix("weight")
    bias = checkpoint.tensors.get(f"{tensor.name.removesuffix('weight')}bias")
    if stem != leaf and bias is not None and _is_vector(bias) and bias.count == size:
        first = axis.sequence[0][0]
        split = len(axis.sequence) > 1 and first is not Role.O
        yield Piece(bias, over_bias(axis) if split else whole(BIAS_OF[first], size))


def _width(row: Layout, tensors: Mapping[str, Tensor]) -> int | None:
    """How many inputs the block takes: those of the first matrix that no other feeds."""
    fed = {Holds.O, Holds.O_AND_BRANCH, Holds.O_GROUPED, Holds.O_LATENT, Holds.K_V_PER_HEAD}
    if any(row.leaves[leaf] is Holds.Q_LATENT for leaf in row.leaves.keys() & tensors.keys()):
        fed |= {Holds.Q}
    found = (
        inputs(row, tensors[leaf])
        for leaf, holds in row.leaves.items()
        if leaf in tensors and holds not in fed
    )
    return next(found, None)


def _is_vector(tensor: Tensor) -> bool:
    return len(tensor.shape) == 1 and tensor.count > 1 and tensor.is_measurable
