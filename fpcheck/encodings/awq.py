"""AWQ: `qweight`, `qzeros` and `scales`, as AutoAWQ defines them (awq/modules/linear).

Of a module with `in` × `out` channels and `groups` of input channels, in version
  GEMM  qweight I32 [in, out / 8], qzeros I32 [groups, out / 8], scales F16 [groups, out];
        the fields of a word hold the output channels 0, 2, 4, 6, 1, 3, 5, 7 of eight
  GEMV  qweight I32 [out, in / 8], qzeros I32 [out, width], scales F16 [out, 8 × width];
        fields in order; the width is that of the groups, rounded up as `calculate_zeros_width` does
Codes have 4 bits, zero points are stored as they are. The ExLlama versions are stored as GEMM.
Marlin, GEMV-fast and llm-awq shuffle codes for one kernel each: refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fpcheck.checkpoint import Checkpoint
from fpcheck.encodings.found import Found
from fpcheck.encodings.groups import groups
from fpcheck.encodings.input_major import InputMajor
from fpcheck.encodings.modules import (
    SCALES,
    UNQUANTISED,
    Module,
    Shaped,
    UndecodableError,
    recognised,
)
from fpcheck.encodings.output_major import OutputMajor
from fpcheck.encodings.qweights import Family, packing, qweights
from fpcheck.encodings.settings import Settings

BITS, FIELDS = 4, 8
# By how many words a row of GEMV's zero points is filled up, by the size of a group.
FILLED = {64: 2, 32: 4}


def awq(checkpoint: Checkpoint) -> Found:
    """The matrices that AWQ, or AutoRound in AWQ's packing, has quantised."""
    found, said = qweights(checkpoint, Family.AWQ)
    return recognised(found, lambda module: _coding(module, said))


def _coding(module: Module, said: Settings) -> Shaped:
    version = packing(said, "version", "format", "checkpoint_format")
    if version not in VERSIONS:
        raise UndecodableError(
            f"AWQ as {version[:40]!r}, which fpcheck does not read: {UNQUANTISED}"
        )
    bits = said.integer("bits", "w_bit")
    if bits not in (None, BITS):
        raise UndecodableError(f"AWQ with {bits} bits, where 4 are defined")
    return VERSIONS[version](module, said)


def _gemm(module: Module, said: Settings) -> InputMajor:
    codes, zeros = (module.part(tail, ("I32",)) for tail in ("qweight", "qzeros"))
    scales = module.part("scales", SCALES)
    channels, words = codes.shape
    if scales.shape[1:] != (FIELDS * words,) or zeros.shape != (*scales.shape[:1], words):
        raise UndecodableError(_misshapen(module, "GEMM"))
    sizes = groups(scales.shape[0], channels, said.integer("group_size", "q_group_size"), None)
    shape = (FIELDS * words, channels)
    return InputMajor("AWQ, 4 bits", shape, BITS, sizes, codes, scales, zeros, interleaved=True)


def _gemv(module: Module, said: Settings) -> OutputMajor:
    codes, zeros = (module.part(tail, ("I32",)) for tail in ("qweight", "qzeros"))
    scales = module.part("scales", SCALES)
    out, channels = codes.shape[0], codes.shape[1] * FIELDS
    size = said.integer("group_size", "q_group_size")
    size = channels if size == -1 else size
    if size is None or size <= 0 or channels % size:
        raise UndecodableError(
            f"AWQ's GEMV version with a group size of {size} for {channels} channels"
        )
    width = -(-(channels // size) // FIELDS)
    width = -(-width // FILLED.get(size, 1)) * FILLED.get(size, 1)
    if zeros.shape != (out, width) or scales.shape != (out, FIELDS * width):
        raise UndecodableError(_misshapen(module, "GEMV"))
    sizes = groups(channels // size, channels, size, None)
    return OutputMajor(
        scheme="AWQ (GEMV), 4 bits",
        shape=(out, channels),
        bits=BITS,
        groups=sizes,
        codes=codes,
        scales=scales,
        zeros=zeros,
        zeros_across=True,
    )


def _misshapen(module: Module, version: str) -> str:
    shapes = (list(module.tensors[tail].shape) for tail in ("qweight", "qzeros", "scales"))
    return "qweight, qzeros and scales have shapes {}, {}, {}: not as in AWQ's {} version".format(
        *shapes, version
    )


VERSIONS: Mapping[str, Callable[[Module, Settings], Shaped]] = {
    "": _gemm,  # what AutoAWQ and transformers take silence for
    "gemm": _gemm,
    "exllama": _gemm,
    "exllamav2": _gemm,
    "auto_round:auto_awq": _gemm,
    "gemv": _gemv,
}
