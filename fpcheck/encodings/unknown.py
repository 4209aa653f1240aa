"""Quantisation that no scheme here reads: said once, by its name, instead of left to be guessed.

Nothing is decoded. What such a checkpoint stores under the names of weights is no weight: integers
are measured nowhere, and this says why.
"""

from __future__ import annotations

from collections.abc import Mapping

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.checkpoint.dtypes import MEASURABLE
from fpcheck.encodings.found import Found
from fpcheck.encodings.modules import UNQUANTISED, UndecodableError
from fpcheck.encodings.settings import settings

# The methods that some scheme reads, or says itself why it does not.
READ = frozenset(
    {
        *("gptq", "awq", "auto-round", "intel/auto-round", "compressed-tensors", "w8a8-int8"),
        *("bitsandbytes", "fp8", "fbgemm-fp8", "modelopt", "mxfp4", "mxfp8", "nvfp4", "gguf"),
        *("modelopt-fp4", "modelopt-mixed", "w8a8-fp8", "quark"),
    }
)
# What only one method calls its tensors, for checkpoints that name none.
TAILS: Mapping[str, str] = {
    "codebooks": "AQLM or a relative of it",
    "W_q": "HQQ",
    "weight_scales": "EETQ",
    "weight._data": "quanto",
    "q_weight": "ExLlamaV2",
    "trellis": "ExLlamaV3",
    "Qidxs": "QuIP#",
    "scale_packed": "compressed-tensors in the packing of Marlin-24",
    # torchao takes its tensors apart
    "_weight_qdata": "torchao",
    "weight:_data": "torchao",
    "weight:tensor_impl": "torchao",
}
# Dtypes of truths, positions and sizes, which are stored beside weights too.
OF_BUFFERS = frozenset({"BOOL", "I64"})


def unknown(checkpoint: Checkpoint) -> Found:
    """The one fault of a checkpoint whose method nobody reads; nothing is decoded."""
    method = _unread(checkpoint) if any(map(_is_coded, checkpoint.tensors.values())) else ""
    if not method:
        return Found({}, frozenset(), {})
    fault = f"the weights are quantised by {method}, which fpcheck does not read: {UNQUANTISED}"
    return Found({}, frozenset(), {"quantization_config": fault})


def _is_coded(tensor: Tensor) -> bool:
    """Whether what is stored can only mean something to a scheme."""
    return tensor.dtype not in MEASURABLE and tensor.dtype not in OF_BUFFERS and tensor.count > 1


def _unread(checkpoint: Checkpoint) -> str:
    """The method that nobody reads, "" when there is none."""
    try:
        method = settings(checkpoint).method
    except UndecodableError:  # it is named twice; those who recognise the tensors say so
        return ""
    if method:
        return "" if method in READ else repr(method[:40])
    tails = (tail for name in checkpoint.tensors for tail in TAILS if name.endswith("." + tail))
    return next((TAILS[tail] for tail in tails), "")
