"""Real little checkpoints: safetensors files made byte by byte, right or wrong as a test wants."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

LAYER_KEYS = {"num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers"}
ROLES = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "o_proj"}
NAMES = {"<f4": "F32", "<f8": "F64", "<f2": "F16", "|i1": "I8", "<i8": "I64", "|u1": "U8"}


def framed(header: bytes, data: bytes = b"") -> bytes:
    """A safetensors file of these header and data bytes, whatever they are."""
    return struct.pack("<Q", len(header)) + header + data


def safetensors(
    tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> bytes:
    """A well-formed safetensors file of numpy arrays."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    contents = [np.ascontiguousarray(array).tobytes() for array in tensors.values()]
    stop = 0
    for (name, array), content in zip(tensors.items(), contents, strict=True):
        start, stop = stop, stop + len(content)
        header[name] = {
            "dtype": NAMES[array.dtype.str],
            "shape": list(array.shape),
            "data_offsets": [start, stop],
        }
    return framed(json.dumps(header).encode(), b"".join(contents))


def llama(
    layers: int = 10, width: int = 16, seed: int = 0, prefix: str = "model.layers"
) -> dict[str, np.ndarray]:
    """The tensors of a little Llama whose spreads differ by layer and role, as real ones do."""
    random = np.random.default_rng(seed)
    tensors = {"model.embed_tokens.weight": random.normal(size=(32, width)).astype(np.float32)}
    for layer in range(layers):
        for role in ROLES.values():
            scale = random.uniform(0.01, 0.1)
            matrix = random.normal(scale=scale, size=(width, width)).astype(np.float32)
            tensors[f"{prefix}.{layer}.self_attn.{role}.weight"] = matrix
        gain = random.normal(1, 0.1, size=width).astype(np.float32)
        tensors[f"{prefix}.{layer}.input_layernorm.weight"] = gain
    return tensors


def write(
    folder: Path, tensors: Mapping[str, np.ndarray], config: Mapping[str, Any] | None = None
) -> Path:
    """A checkpoint's folder with model.safetensors and config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    given = config if config is not None and not config else counted(tensors, config)
    (folder / "config.json").write_text(json.dumps(given))
    return folder


def counted(tensors: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A config, a Llama's unless one is given, that counts the layers of these tensors."""
    if config and LAYER_KEYS & config.keys():
        return dict(config)
    found = [re.search(r"(?:^|\.)(\d+)\.(?!auto_model)", name) for name in tensors]
    layers = max((int(match[1]) + 1 for match in found if match), default=1)
    return {"num_hidden_layers": layers, **(config or {"model_type": "llama"})}


def write_sharded(folder: Path, tensors: Mapping[str, np.ndarray], shards: int = 2) -> Path:
    """The same in several shards with an index."""
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(tensors)
    weight_map = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        mine = names[shard::shards]
        (folder / file).write_bytes(safetensors({name: tensors[name] for name in mine}))
        weight_map |= dict.fromkeys(mine, file)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps(counted(tensors)))
    return folder
