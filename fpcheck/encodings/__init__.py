"""Checkpoint → the same checkpoint with every quantised matrix under its own name and shape.

A quantised matrix is stored as several tensors. Each scheme recognises its own, by names, dtypes
and shapes and by `quantization_config`, and puts one tensor with a coding in their place, so that
no later stage knows of quantisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fpcheck.checkpoint import Checkpoint
from fpcheck.encodings.found import Found, Scheme

__all__ = ["SCHEMES", "Found", "Scheme", "decoded"]

# The order decides nothing: no two schemes recognise the same tensors; a test holds them to it.
SCHEMES: Mapping[str, Scheme] = {}


def decoded(checkpoint: Checkpoint) -> tuple[Checkpoint, tuple[str, ...]]:
    """The checkpoint whose quantised matrices have codings, and in words what has not and why."""
    tensors = dict(checkpoint.tensors)
    faults: list[str] = []
    for scheme in SCHEMES.values():
        found = scheme(checkpoint)
        for name in found.used:
            tensors.pop(name, None)
        tensors.update(found.decoded)
        faults += [f"{name}: {fault}" for name, fault in found.faults.items()]
    ordered = {name: tensors[name] for name in sorted(tensors)}
    return replace(checkpoint, tensors=ordered), tuple(dict.fromkeys(faults))
