"""GPTQ and AWQ give their tensors the same names: which of the two a module is, if either."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from fpcheck.checkpoint import Checkpoint
from fpcheck.encodings.modules import UNQUANTISED, Module, UndecodableError, modules
from fpcheck.encodings.settings import Settings, settings

ANY = ("I32", "I16", "U8", "I8", "U32", "I64", "U16", "U64")


class Family(Enum):
    """Who packed a module."""

    GPTQ = "gptq"
    AWQ = "awq"


METHODS: Mapping[str, Family] = {"gptq": Family.GPTQ, "awq": Family.AWQ}
# AutoRound packs as one of the two, and says as which (GPTQ_FORMAT, AWQ_FORMAT in its backend.py).
AUTO_ROUND = ("auto-round", "intel/auto-round")
AUTO_ROUND_KEY = "packing_format"
PACKINGS: Mapping[str, Family] = {
    "auto_round:auto_gptq": Family.GPTQ,
    "auto_round:gptqmodel": Family.GPTQ,
    "auto_round": Family.GPTQ,
    "auto_round:auto_awq": Family.AWQ,
}


def qweights(checkpoint: Checkpoint, family: Family) -> tuple[list[Module], Settings]:
    """The modules of that family, and what the files say of them.

    Where the files name neither, the shapes decide; whoever it is then has to refuse other methods.
    """
    found = modules(checkpoint, "qweight", ANY)
    if not found:
        return [], Settings(())
    said = settings(checkpoint)
    return [module for module in found if (_family(said) or _looks(module)) is family], said


def packing(said: Settings, *keys: str) -> str:
    """What the settings call the packing, under one of `keys`; "" when they do not.

    Raises UndecodableError, also when there are no settings at all.
    """
    if not said:
        raise UndecodableError("no quantization_config says how its qweight is to be read")
    if said.method and said.method not in (*METHODS, *AUTO_ROUND):
        raise UndecodableError(
            f"named like GPTQ and AWQ, but the method is {said.method[:40]!r}: {UNQUANTISED}"
        )
    if said.method not in AUTO_ROUND:
        return said.text(*keys)
    name = said.text(AUTO_ROUND_KEY)
    if name not in PACKINGS:
        raise UndecodableError(
            f"AutoRound's packing {name[:40]!r}, which fpcheck does not read: {UNQUANTISED}"
        )
    return name


def _family(said: Settings) -> Family | None:
    """The family that the settings name; None when they name none."""
    try:
        if said.method in AUTO_ROUND:
            return PACKINGS.get(said.text(AUTO_ROUND_KEY), Family.GPTQ)
        return METHODS.get(said.method)
    except UndecodableError:  # two methods are named: whoever looks closer says so
        return None


def _looks(module: Module) -> Family:
    """AWQ's GEMM format packs output channels: fewer of codes than of scales."""
    codes, scales = module.tensors["qweight"], module.tensors.get("scales")
    if scales is None or len(scales.shape) != 2:
        return Family.GPTQ
    return Family.AWQ if scales.shape[1] == 8 * codes.shape[1] else Family.GPTQ
