"""The modules of a checkpoint that are stored as several tensors, and what becomes of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.checkpoint.coding import Coding
from fpcheck.encodings.found import Found

WEIGHT = ".weight"  # how the unquantised matrix of a module is called
SCALES = ("F16", "BF16", "F32")
MAX_SIDE = 1 << 20  # rows or columns; the widest attention matrices have some ten thousand
UNQUANTISED = "release the unquantised weights, or point fpcheck at them"


class UndecodableError(Exception):
    """Why a matrix that is recognised cannot be decoded, in words."""


class Shaped(Coding, Protocol):
    """A coding that knows the shape of its matrix and where the codes are."""

    @property
    def shape(self) -> tuple[int, int]: ...

    @property
    def codes(self) -> Tensor: ...


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

    Those stay, under the name of their matrix, as what nobody can take for values. `others` are
    the tails of tensors that belong to a module's codes without being one of the coding's.
    """
    decoded: dict[str, Tensor] = {}
    used: set[str] = set()
    refused: dict[str, list[str]] = defaultdict(list)
    for module in found:
        name, used_up = module.name + WEIGHT, {module.codes.name}
        try:
            tensor = decoded[name] = _decoded(name, coding(module), module)
            used_up |= {part.name for part in tensor.coding.stored} if tensor.coding else set()
            used_up |= {module.tensors[tail].name for tail in others if tail in module.tensors}
        except UndecodableError as refusal:
            dtype = f"codes in {module.codes.dtype}"
            decoded[name] = replace(module.codes, name=name, dtype=dtype)
            refused[str(refusal)].append(name)
        used |= used_up
    return Found(decoded, frozenset(used), {n[0]: _counted(why, n) for why, n in refused.items()})


def _decoded(name: str, coding: Shaped, module: Module) -> Tensor:
    if module.codes.name != name and name.removeprefix(module.name + ".") in module.tensors:
        raise UndecodableError("it is stored twice: as codes, and as weights that loaders pass by")
    rows, columns = coding.shape
    if not 0 < rows <= MAX_SIDE or not 0 < columns <= MAX_SIDE:
        raise UndecodableError(f"{rows:,} × {columns:,} is no size of a matrix")
    codes = coding.codes
    return Tensor(name, coding.scheme, coding.shape, codes.file, codes.start, codes.stop, coding)


def _counted(reason: str, names: list[str]) -> str:
    return f"{reason} (and so for {len(names) - 1} more)" if len(names) > 1 else reason
