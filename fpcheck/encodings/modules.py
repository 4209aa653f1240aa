"""The modules of a checkpoint that are stored as several tensors, and what becomes of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.checkpoint.coding import Coding
from fpcheck.encodings.collecting import TWICE, Collection
from fpcheck.encodings.found import Found

WEIGHT = ".weight"  # how the unquantised matrix of a module is called
SCALES = ("F16", "BF16", "F32")
MAX_SIDE = 1 << 20  # rows or columns; the widest attention matrices have some ten thousand
UNQUANTISED = "release the unquantised weights, or point fpcheck at them"


class UndecodableError(Exception):
    """Why a matrix that is recognised cannot be decoded, in words."""


class Shaped(Coding, Protocol):
    """A coding that knows the shape of its matrix."""

    @property
    def shape(self) -> tuple[int, int]: ...


@dataclass(frozen=True)
class Module:
    """One module's stored tensors, by what follows `<name>.`; its codes are one of them."""

    name: str
    codes: Tensor
    tensors: Mapping[str, Tensor]

    def part(self, tail: str, dtypes: Iterable[str]) -> Tensor:
        """A tensor that has to be there, of one of `dtypes`. Raises UndecodableError."""
        found = self.optional(tail, dtypes)
        if found is None:
            raise UndecodableError(f"{tail} is missing")
        return found

    def optional(self, tail: str, dtypes: Iterable[str]) -> Tensor | None:
        """A tensor that may be there, of one of `dtypes`. Raises UndecodableError for another."""
        tensor = self.tensors.get(tail)
        if tensor is not None and tensor.dtype not in dtypes:
            raise UndecodableError(f"{tail} is stored as {tensor.dtype}, not {' or '.join(dtypes)}")
        return tensor


def modules(checkpoint: Checkpoint, tail: str, dtypes: Iterable[str]) -> list[Module]:
    """The modules that have a matrix of codes, `<module>.<tail>` of one of the dtypes, by name."""
    codes = {
        name.removesuffix(f".{tail}"): tensor
        for name, tensor in checkpoint.tensors.items()
        if name.endswith(f".{tail}") and tensor.dtype in dtypes and len(tensor.shape) == 2
    }
    parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, tensor in checkpoint.tensors.items():
        module, _, rest = name.rpartition(".")
        if module in codes:
            parts[module][rest] = tensor
    return [Module(name, codes[name], parts[name]) for name in sorted(codes)]


def recognised(found: Iterable[Module], coding: Callable[[Module], Shaped], *others: str) -> Found:
    """The matrices of modules, and the reasons of those that cannot be decoded.

    `others` are the tails of tensors that belong to a module's codes without being one of the
    coding's.
    """
    collection = Collection()
    for module in found:
        name = module.name + WEIGHT
        try:
            own = coding(module)
            _refuse_no_matrix(own, module)
        except UndecodableError as refusal:
            collection.refuse(module.codes, str(refusal), name=name)
        else:
            beside = (module.tensors[tail] for tail in others if tail in module.tensors)
            collection.add(name, own, own.shape, beside)
    return collection.found()


def _refuse_no_matrix(coding: Shaped, module: Module) -> None:
    """Raise UndecodableError for what is stored as weights too, or is of no size of a matrix."""
    weight = WEIGHT.removeprefix(".")
    if module.codes.name != module.name + WEIGHT and weight in module.tensors:
        raise UndecodableError(TWICE)
    rows, columns = coding.shape
    if not 0 < rows <= MAX_SIDE or not 0 < columns <= MAX_SIDE:
        raise UndecodableError(f"{rows:,} × {columns:,} is no size of a matrix")
