"""Checkpoints as they were before conversion, read and written without fpcheck."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quantisers import Array, Matrix, Stored

FILE = "model.safetensors"
NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "BF16": "<u2"}


@dataclass(frozen=True)
class Family:
    """How a kind of checkpoint calls its attention matrices, and what converting to GGUF does.

    `arch` is GGUF's name for it; `names` are modules by role, with the layer's number left open;
    `permutes` says that conversion puts the rows of q and k in another order.
    """

    arch: str
    names: Mapping[str, str]
    permutes: bool = False


FAMILIES = {
    "bert": Family(
        "bert",
        {
            "q": "encoder.layer.{}.attention.self.query",
            "k": "encoder.layer.{}.attention.self.key",
            "v": "encoder.layer.{}.attention.self.value",
            "o": "encoder.layer.{}.attention.output.dense",
        },
    ),
    "llama": Family(
        "llama",
        {role: f"model.layers.{{}}.self_attn.{role}_proj" for role in "qkvo"},
        permutes=True,
    ),
    "gpt_neox": Family(
        "gptneox",
        {
            "qkv": "gpt_neox.layers.{}.attention.query_key_value",
            "o": "gpt_neox.layers.{}.attention.dense",
        },
    ),
}


@dataclass(frozen=True)
class Original:
    """A checkpoint: its config, and every tensor as it is stored."""

    name: str
    config: Mapping[str, Any]
    tensors: Mapping[str, Stored]

    @property
    def family(self) -> Family:
        """What kind of checkpoint it is."""
        return FAMILIES[self.config["model_type"]]

    @property
    def layers(self) -> int:
        """How many layers it has."""
        return int(self.config["num_hidden_layers"])

    @property
    def heads(self) -> int:
        """How many heads q has."""
        return int(self.config["num_attention_heads"])

    @property
    def kv_heads(self) -> int:
        """How many heads k and v have."""
        return int(self.config.get("num_key_value_heads", self.heads))

    def linear(self) -> Mapping[str, Matrix]:
        """The matrices of the layers, which quantisers take, by the module's name, in order."""
        return {
            name.removesuffix(".weight"): numbers(tensor)
            for name, tensor in self.tensors.items()
            if re.search(r"\.layers?\.\d+\.", name) and name.endswith(".weight")
            if tensor.array.ndim == 2
        }

    def roles(self, values: Mapping[str, Matrix]) -> Iterator[tuple[int, str, Matrix]]:
        """The values of each layer's q, k, v and o, from those of modules."""
        for layer in range(self.layers):
            for role, pattern in self.family.names.items():
                matrix = values[pattern.format(layer)]
                if role != "qkv":
                    yield layer, role, matrix
                    continue
                parts = matrix.reshape(self.heads, 3, -1, matrix.shape[1])  # q, k, v of each head
                yield from ((layer, part, parts[:, place]) for place, part in enumerate("qkv"))


def numbers(tensor: Stored) -> Matrix:
    """A tensor as float64."""
    if tensor.dtype != "BF16":
        return tensor.array.astype(np.float64)
    return (tensor.array.astype("<u4") << 16).view("<f4").astype(np.float64)


def read_original(folder: Path, name: str = "") -> Original:
    """The checkpoint in a folder of one safetensors file, called so, or by the folder's name.

    Raises OSError, KeyError or ValueError for one that is not there, or not known here.
    """
    config = json.loads((folder / "config.json").read_text())
    if config["model_type"] not in FAMILIES:
        raise ValueError(f"{folder}: {config['model_type']}, not {' or '.join(FAMILIES)}")
    content = (folder / FILE).read_bytes()
    length = int.from_bytes(content[:8], "little")
    tensors = {}
    for key, entry in json.loads(content[8 : 8 + length]).items():
        if key != "__metadata__":
            start, stop = (8 + length + offset for offset in entry["data_offsets"])
            array = np.frombuffer(content[start:stop], NUMPY[entry["dtype"]])
            tensors[key] = Stored(entry["dtype"], array.reshape(entry["shape"]))
    return Original(name or folder.name, config, tensors)


def random_llama(layers: int = 8, width: int = 256, heads: int = 4, kv_heads: int = 2) -> Original:
    """A little Llama of random weights, whose rows hold blocks of 256 as few little models' do."""
    random = np.random.default_rng(0)
    low = width * kv_heads // heads
    rows = {"q": width, "k": low, "v": low, "o": width}
    tensors = {"model.embed_tokens.weight": _drawn(random, (64, width))}
    for layer in range(layers):
        for role, count in rows.items():
            name = FAMILIES["llama"].names[role].format(layer)
            tensors[f"{name}.weight"] = _drawn(random, (count, width))
    config = {
        "model_type": "llama",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
    }
    return Original("random weights", config, tensors)


def _drawn(random: np.random.Generator, shape: tuple[int, int]) -> Stored:
    spread = random.uniform(0.01, 0.1)
    return Stored("F32", random.normal(scale=spread, size=shape).astype("<f4"))


def write_folder(
    folder: Path, tensors: Mapping[str, Stored], config: Mapping[str, Any], shards: int = 1
) -> Path:
    """A checkpoint's folder, its tensors in so many files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    names = sorted(tensors)
    weight_map: dict[str, str] = {}
    for shard in range(shards):
        file = FILE if shards == 1 else f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        mine = {name: tensors[name] for name in names[shard::shards]}
        _write_file(folder / file, mine)
        weight_map |= dict.fromkeys(mine, file)
    if shards > 1:
        index = {"metadata": {}, "weight_map": weight_map}
        (folder / f"{FILE}.index.json").write_text(json.dumps(index))
    return folder


def _write_file(path: Path, tensors: Mapping[str, Stored]) -> None:
    header: dict[str, Any] = {}
    contents: list[Array] = []
    stop = 0
    for name, (dtype, array) in tensors.items():
        contents.append(np.asarray(array, order="C"))
        start, stop = stop, stop + array.nbytes
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [start, stop]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for content in contents:
            file.write(content.data if content.ndim else content.tobytes())
