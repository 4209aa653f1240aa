"""compressed-tensors: integers packed into words ("pack-quantized") or int8 ("int-quantized").

As compressors/pack_quantized and compressors/naive_quantized of compressed-tensors define them.
Of a module with `in` × `out` channels and `groups` of input channels, all equal:
  weight_packed      I32 [out, in × bits / 32]      codes + 2^(bits − 1), along the input channels
  weight             I8 [out, in]                   or this
  weight_shape       I64 [2]                        out and in, where there is weight_packed
  weight_scale       F16 [out, groups]              groups may be 1; or [1] for the whole matrix
  weight_zero_point  I32 [out × bits / 32, groups]  packed as codes are, along the output channels;
                     I8 like weight_scale           from earlier versions, and beside int8
  weight_g_idx       I32 [in]                       the group of each channel; gone since 2026
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.encodings.found import Found
from fpcheck.encodings.groups import Groups, groups
from fpcheck.encodings.modules import SCALES, Module, UndecodableError, modules, recognised
from fpcheck.encodings.output_major import OutputMajor
from fpcheck.encodings.packed import words_for
from fpcheck.encodings.settings import Settings, settings, weights_of_groups
from fpcheck.encodings.small_reads import contents

METHODS = ("compressed-tensors", "w8a8-int8")  # the second is SGLang's name for the same int8
BITS = range(1, 9)
SCALE, ZERO, ORDER = "weight_scale", "weight_zero_point", "weight_g_idx"
ROWS = "SCB"  # what bitsandbytes calls the scales of its int8
REORDERED = ("group", "dynamic")  # the second is an older word for the first
SHAPE, SHAPE_BYTES = "weight_shape", 16
Shapes = Mapping[str, tuple[int, int]]  # by the name of the weight_shape


@dataclass(frozen=True)
class Said:
    """All settings, and what they say of the weights of any group of modules."""

    all: Settings
    bits: frozenset[int]
    reordered: bool


def packed_integers(checkpoint: Checkpoint) -> Found:
    """The matrices that compressed-tensors stores as integers of 1 to 8 bits."""
    packed = modules(checkpoint, "weight_packed", ("I32",))
    names = {module.name for module in packed}
    found = packed + [
        module
        for module in modules(checkpoint, "weight", ("I8",))
        if SCALE in module.tensors and ROWS not in module.tensors and module.name not in names
    ]
    if not found:
        return Found({}, frozenset(), {})
    said, shapes = _said(checkpoint), _shapes(packed, checkpoint)
    return recognised(found, lambda module: _coding(module, said, shapes), SHAPE)


def _said(checkpoint: Checkpoint) -> Said:
    said = settings(checkpoint)
    weights = [w for place in said.places for w in weights_of_groups(place)]
    bits = frozenset(w["num_bits"] for w in weights if isinstance(w.get("num_bits"), int))
    return Said(said, bits, any(w.get("actorder") in REORDERED for w in weights))


def _shapes(packed: Iterable[Module], checkpoint: Checkpoint) -> Shapes:
    """What each weight_shape says, which is 16 bytes, by its name."""
    tensors = [module.tensors[SHAPE] for module in packed if SHAPE in module.tensors]
    fitting = [tensor for tensor in tensors if (tensor.dtype, tensor.shape) == ("I64", (2,))]
    return {
        name: (int(out), int(channels))
        for name, content in contents(checkpoint.source, fitting, SHAPE_BYTES).items()
        for out, channels in [np.frombuffer(content, "<i8")]
    }


def _coding(module: Module, said: Said, shapes: Shapes) -> OutputMajor:
    method = said.all.method
    if method not in METHODS:
        named = f"is {method[:40]!r}" if method else "names no method"
        raise UndecodableError(f"it looks like compressed-tensors, but quantization_config {named}")
    if "weight_packed" in module.tensors:
        return _packed(module, said, shapes)
    codes, scales = module.part("weight", ("I8",)), module.part(SCALE, SCALES)
    out, channels = codes.shape
    sizes, zeros = _groups(module, scales, channels, said), module.optional(ZERO, ("I8",))
    return OutputMajor(
        scheme="compressed-tensors, int8",
        shape=(out, channels),
        bits=8,
        groups=sizes,
        codes=codes,
        scales=_rows(scales, (out, sizes.count)),
        zeros=zeros and _rows(zeros, (out, sizes.count)),
    )


def _packed(module: Module, said: Said, shapes: Shapes) -> OutputMajor:
    codes, scales = module.part("weight_packed", ("I32",)), module.part(SCALE, SCALES)
    out, channels = _shape(module, shapes)
    bits = _bits(codes, (out, channels), said)
    sizes, zeros = _groups(module, scales, channels, said), module.optional(ZERO, ("I8", "I32"))
    rows = words_for(out, bits) if zeros and zeros.dtype == "I32" else out
    return OutputMajor(
        scheme=f"compressed-tensors, {bits} bits",
        shape=(out, channels),
        bits=bits,
        groups=sizes,
        codes=codes,
        scales=_rows(scales, (out, sizes.count)),
        zeros=zeros and _rows(zeros, (rows, sizes.count)),
        offset=1 << (bits - 1),
    )


def _shape(module: Module, shapes: Shapes) -> tuple[int, int]:
    """The shape of the matrix as stored. Raises UndecodableError."""
    tensor = module.part(SHAPE, ("I64",))
    if tensor.name not in shapes:
        raise UndecodableError(f"{SHAPE} has shape {list(tensor.shape)}, not [2]")
    return shapes[tensor.name]


def _bits(codes: Tensor, shape: tuple[int, int], said: Said) -> int:
    """How many bits a code has: what the shapes allow, of what the settings say, if they do."""
    out, channels = shape
    fitting = [
        bits
        for bits in BITS
        if words_for(channels, bits) == codes.shape[1] and (not said.bits or bits in said.bits)
    ]
    if min(shape) <= 0 or out != codes.shape[0] or len(fitting) != 1:
        stored = " × ".join(map(str, codes.shape))
        bits = " or ".join(map(str, sorted(said.bits))) or "some"
        raise UndecodableError(
            f"{stored} words do not hold {out} × {channels} codes of {bits} bits"
        )
    return fitting[0]


def _groups(module: Module, scales: Tensor, channels: int, said: Said) -> Groups:
    """The groups that weight_scale tells of. Raises UndecodableError."""
    count = scales.shape[1] if len(scales.shape) == 2 else 1
    order = module.optional(ORDER, ("I32",))
    if count > 1 and order is None and said.reordered:
        raise UndecodableError(f"actorder says that channels are reordered, and {ORDER} is missing")
    return groups(count, channels, None, order, whole=True)


def _rows(tensor: Tensor, expected: tuple[int, int]) -> Tensor:
    """The same numbers as a matrix: a row an output channel, or one number."""
    if tensor.count == 1 or (tensor.shape == expected[:1] and expected[1] == 1):
        return replace(tensor, shape=(tensor.count, 1))
    if tensor.shape != expected:
        tail = tensor.name.rpartition(".")[2]
        raise UndecodableError(f"{tail} has shape {list(tensor.shape)}, not {list(expected)}")
    return tensor
