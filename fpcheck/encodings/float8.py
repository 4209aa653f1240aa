"""FP8: 8-bit floating-point weights with scales beside them.

Value = number × scale, although some call the scale inverse. The names are those of transformers'
fine-grained FP8 (DeepSeek, Qwen), compressed-tensors, ModelOpt and FBGEMM, DeepSeek's own
inference code, ComfyUI, and Mistral's consolidated files. A weight without scales is what it says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.encodings.collecting import Collection
from fpcheck.encodings.found import Found
from fpcheck.encodings.grids import grid_over
from fpcheck.encodings.scaled import Scaled
from fpcheck.encodings.settings import no_method
from fpcheck.encodings.siblings import NAMED, is_scale, split, weight_scales
from fpcheck.encodings.stated import block_sizes, is_quantised

WORDS: Mapping[str, str] = {"F8_E4M3": "FP8 E4M3", "F8_E5M2": "FP8 E5M2"}
METHODS = frozenset(
    {
        *("fp8", "fbgemm-fp8", "compressed-tensors", "w8a8-fp8", "quark", "mxfp8"),
        *("modelopt", "modelopt-fp4", "modelopt-mixed", "nvfp4"),
    }
)
SUFFIXES = ("_scale_inv", "_scale")  # behind the weight's own name
OF_WEIGHT = ("scale", "scale_inv", "scale_weight", "qscale_weight")  # in the weight's place


def float8(checkpoint: Checkpoint) -> Found:
    """The FP8 matrices that have scales, or should have."""
    found = Collection()
    sizes, expected = block_sizes(checkpoint.config), is_quantised(checkpoint.config)
    matrices = list(_matrices(checkpoint.tensors))
    scaled = any(scales for _, scales in matrices)
    fault = no_method(checkpoint, METHODS) if scaled else ""
    for weight, scales in matrices:
        shape = weight.shape[0], weight.shape[1]
        if not scales:
            if expected:
                found.refuse(weight, "config.json says that it is quantised, and it has no scales")
        elif len(scales) > 1 or not _is_known(weight, scales[0]):
            names = ", ".join(split(scale.name)[1] for scale in scales)
            found.refuse(weight, f"it has {names} beside it, and no format has this", scales)
        else:
            grid = grid_over(shape, scales[0], sizes)
            if fault or isinstance(grid, str):
                found.refuse(weight, grid if isinstance(grid, str) else fault, scales)
            else:
                coding = Scaled(WORDS[weight.dtype], weight.dtype, weight, shape, grid)
                found.add(weight.name, coding, shape)
    return found.found()


def _matrices(tensors: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """Every FP8 matrix and the scales that are its own."""
    beside = weight_scales(tensors)
    for tensor in tensors.values():
        module, leaf = split(tensor.name)
        if tensor.dtype not in WORDS or len(tensor.shape) != 2 or is_scale(leaf):
            continue
        if tensor.count:
            own = _own(beside.get(module, ()), leaf)
            yield tensor, [tensors[module + scale] for scale in own]


def _own(scales: Sequence[str], leaf: str) -> Sequence[str]:
    """The first scales of a leaf, of those of its module; what lies beside `weight` is its own."""
    first = 0 if leaf == "weight" else bisect_left(scales, leaf + "_")
    some = scales[first : first + NAMED]
    return some if leaf == "weight" else [s for s in some if s.startswith(leaf + "_")]


def _is_known(weight: Tensor, scale: Tensor) -> bool:
    module, leaf = split(weight.name)
    known = [leaf + suffix for suffix in SUFFIXES] + (list(OF_WEIGHT) if leaf == "weight" else [])
    return scale.name.removeprefix(module) in known
