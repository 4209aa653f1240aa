"""Checkpoint → the same checkpoint with every quantised matrix under its own name and shape.

A quantised matrix is stored as several tensors. Each scheme recognises its own, by names, dtypes
and shapes and by `quantization_config`, and puts one tensor with a coding in their place, so that
no later stage knows of quantisation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.encodings.awq import awq
from fpcheck.encodings.bitsandbytes_4bit import bitsandbytes_4bit
from fpcheck.encodings.bitsandbytes_int8 import bitsandbytes_int8
from fpcheck.encodings.collecting import counted
from fpcheck.encodings.float4 import float4
from fpcheck.encodings.float8 import float8
from fpcheck.encodings.found import Found, Scheme
from fpcheck.encodings.gguf import ggml_rows
from fpcheck.encodings.gptq import gptq
from fpcheck.encodings.microscaled import microscaled
from fpcheck.encodings.packed_integers import packed_integers
from fpcheck.encodings.unconverted import FAULT, unconverted
from fpcheck.encodings.unknown import unknown
from fpcheck.source.split import SUFFIX

__all__ = ["SCHEMES", "Found", "Scheme", "decoded"]

# The order decides nothing: what two schemes recognise is nobody's.
SCHEMES: Mapping[str, Scheme] = {
    "AWQ": awq,
    "bitsandbytes, 4 bits": bitsandbytes_4bit,
    "bitsandbytes, int8": bitsandbytes_int8,
    "FP4": float4,
    "FP8": float8,
    "GGUF": ggml_rows,
    "GPTQ": gptq,
    "MXFP4 in blocks": microscaled,
    "compressed-tensors, integers": packed_integers,
    "what nobody reads": unknown,
}


def decoded(checkpoint: Checkpoint) -> tuple[Checkpoint, tuple[str, ...]]:
    """The checkpoint whose quantised matrices have codings, and in words what has not and why."""
    found = [scheme(checkpoint) for scheme in SCHEMES.values()]
    used = frozenset[str]().union(*(one.used for one in found))
    tensors = {name: t for name, t in checkpoint.tensors.items() if name not in used}
    for one in found:
        tensors |= one.decoded
    faults = [f"{name}: {fault}" for one in found for name, fault in one.faults.items()]
    for name in _contested(found):
        tensors[name] = replace(tensors[name], dtype="codes of two schemes", coding=None)
        faults.append(f"{name}: two schemes recognise it: remove the tensors of one of them")
    exempt = list(unconverted(checkpoint, _given(tensors)))
    tensors |= {n: replace(tensors[n], dtype="codes of no loader", coding=None) for n in exempt}
    faults += [f"{name}: {counted(FAULT, len(exempt))}" for name in exempt[:1]]
    ordered = {name: tensors[name] for name in sorted(tensors)}
    return replace(checkpoint, tensors=ordered), tuple(dict.fromkeys(faults))


def _given(tensors: Mapping[str, Tensor]) -> Iterator[str]:
    """The matrices that are decoded by what config.json says, as those of GGUF files are not."""
    return (n for n, t in tensors.items() if t.coding and not t.file.endswith(SUFFIX))


def _contested(found: Iterable[Found]) -> Iterator[str]:
    """The matrices that more than one scheme gives."""
    claims = Counter(name for one in found for name in one.decoded)
    return (name for name, times in claims.items() if times > 1)
