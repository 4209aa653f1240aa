"""FP8: 8-bit floating-point weights with scales beside them.

Value = number × scale, although some call the scale inverse. The names are those of transformers'
fine-grained FP8 (DeepSeek, Qwen), compressed-tensors, ModelOpt and FBGEMM, DeepSeek's own
inference code, ComfyUI, and Mistral's consolidated files. A weight without scales is what it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.encodings.collecting import Collection
from fpcheck.encodings.found import Found
from fpcheck.encodings.grids import grid_over
from fpcheck.encodings.scaled import Scaled
from fpcheck.encodings.siblings import is_scale, split, weight_scales
from fpcheck.encodings.stated import block_sizes, is_quantised

WORDS: Mapping[str, str] = {"F8_E4M3": "FP8 E4M3", "F8_E5M2": "FP8 E5M2"}
SUFFIXES = ("_scale_inv", "_scale")  # behind the weight's own name
OF_WEIGHT = ("scale", "scale_inv", "scale_weight", "qscale_weight")  # in the weight's place


def float8(checkpoint: Checkpoint) -> Found:
    """The FP8 matrices that have scales, or should have."""
    found = Collection()
    sizes, expected = block_sizes(checkpoint.config), is_quantised(checkpoint.config)
    for weight, scales in _matrices(checkpoint.tensors):
        shape = weight.shape[0], weight.shape[1]
        if not scales:
            if expected:
                found.refuse(weight, "config.json says that it is quantised, and it has no scales")
        elif len(scales) > 1 or not _is_known(weight, scales[0]):
            names = ", ".join(split(scale.name)[1] for scale in scales)
            found.refuse(weight, f"it has {names} beside it, and no format has this", scales)
        else:
            grid = grid_over(shape, scales[0], sizes)
            if isinstance(grid, str):
                found.refuse(weight, grid, scales)
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
            own = [scale for scale in beside.get(module, ()) if _belongs(scale, leaf)]
            yield tensor, [tensors[module + scale] for scale in own]


def _belongs(scale: str, leaf: str) -> bool:
    """Whether a scale is that of a leaf; whatever lies beside `weight` is its own."""
    return leaf == "weight" or scale.startswith(leaf + "_")


def _is_known(weight: Tensor, scale: Tensor) -> bool:
    module, leaf = split(weight.name)
    known = [leaf + suffix for suffix in SUFFIXES] + (list(OF_WEIGHT) if leaf == "weight" else [])
    return scale.name.removeprefix(module) in known
