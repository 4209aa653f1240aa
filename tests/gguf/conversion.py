"""Conversions of real checkpoints, in the way of llama.cpp's scripts, with the package's writer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gguf.constants import MODEL_ARCH
from gguf.quants import dequantize, quantize
from gguf.tensor_mapping import get_tensor_name_map

from tests.gguf.files import Kind, permuted, write_gguf

ROLES = ("q", "k", "v", "o")


class Conversion(NamedTuple):
    """A GGUF file, and the values that its matrices have, by layer and role, in the old order."""

    path: Path
    values: Mapping[tuple[int, str], np.ndarray]


class Family(NamedTuple):
    """How a kind of checkpoint calls its attention matrices, and what conversion does to them."""

    arch: MODEL_ARCH
    names: Mapping[str, str]
    permutes: bool = False


BERT = Family(
    MODEL_ARCH.BERT,
    {
        "q": "encoder.layer.{}.attention.self.query",
        "k": "encoder.layer.{}.attention.self.key",
        "v": "encoder.layer.{}.attention.self.value",
        "o": "encoder.layer.{}.attention.output.dense",
    },
)
LLAMA = Family(
    MODEL_ARCH.LLAMA,
    {role: f"model.layers.{{}}.self_attn.{role}_proj" for role in ROLES},
    permutes=True,
)


def weights(folder: Path) -> dict[str, np.ndarray]:
    """All tensors of a safetensors file as float32, read without the code under test."""
    content = (folder / "model.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    found = {}
    for name, entry in json.loads(content[8 : 8 + length]).items():
        if name != "__metadata__":
            start, stop = (8 + length + offset for offset in entry["data_offsets"])
            found[name] = _floats(content[start:stop], entry).reshape(entry["shape"])
    return found


def _floats(content: bytes, entry: Mapping[str, Any]) -> np.ndarray:
    if entry["dtype"] == "BF16":
        return (np.frombuffer(content, "<u2").astype("<u4") << 16).view("<f4")
    stored = {"F32": "<f4", "F16": "<f2", "I64": "<i8"}[entry["dtype"]]
    return np.frombuffer(content, stored).astype("<f4")


def convert(
    folder: Path, path: Path, family: Family, kind_of: Callable[[int, str], Kind]
) -> Conversion:
    """The attention of a checkpoint in one file, each matrix in the type that is asked for."""
    config, stored = json.loads((folder / "config.json").read_text()), weights(folder)
    layers, heads = config["num_hidden_layers"], config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads", heads)
    names = get_tensor_name_map(family.arch, layers)
    tensors, kinds, values = {}, {}, {}
    for layer in range(layers):
        for role, pattern in family.names.items():
            name = f"{names.get_name(pattern.format(layer))}.weight"
            matrix, kind = stored[pattern.format(layer) + ".weight"], kind_of(layer, role)
            values[layer, role] = dequantize(quantize(matrix, kind), kind).astype(np.float64)
            if family.permutes and role in "qk":
                matrix = permuted(matrix, heads if role == "q" else kv_heads)
            tensors[name], kinds[name] = matrix, kind
    arch = {MODEL_ARCH.BERT: "bert", MODEL_ARCH.LLAMA: "llama"}[family.arch]
    write_gguf(path, tensors, kinds, arch=arch, heads=heads, kv_heads=kv_heads)
    return Conversion(path, values)
