"""Every quantised form that a checkpoint is converted to, as the tools of each write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from gguf import GGUFWriter
from gguf.constants import MODEL_ARCH_NAMES, GGMLQuantizationType
from gguf.tensor_mapping import TensorNameMap, get_tensor_name_map

from benchmarks.originals import Original, numbers, write_folder
from benchmarks.quantisers import Array, Coded, Matrix, Quantise, integers
from benchmarks.quantisers.floats import float8, four_bits, llm_int8, mxfp4, nvfp4
from benchmarks.quantisers.ggml import TYPES, fitting

Values = Mapping[str, Matrix]  # by the name of the module


class Form(Protocol):
    """One form: how it is called, and how to write a checkpoint in it to a folder."""

    @property
    def name(self) -> str: ...

    def types(self, original: Original) -> str:
        """The types that attention has then, where the name does not tell."""
        ...

    def convert(self, original: Original, folder: Path) -> Values:
        """Write it. The values of its matrices, by the formats' definitions."""
        ...


@dataclass(frozen=True)
class Coding:
    """A form of safetensors: a quantiser, what config.json says of it, and in how many files."""

    name: str
    quantise: Quantise
    settings: Mapping[str, Any] = field(default_factory=dict)
    shards: int = 1

    def types(self, original: Original) -> str:
        """The name tells."""
        return ""

    def convert(self, original: Original, folder: Path) -> Values:
        """Every matrix of a layer in codes, all else as it was."""
        tensors, values = dict(original.tensors), {}
        for name, matrix in original.linear().items():
            coded = self.quantise(matrix)
            del tensors[f"{name}.weight"]
            tensors |= {f"{name}.{leaf}": tensor for leaf, tensor in coded.tensors.items()}
            values[name] = coded.values
        config = {**original.config, "quantization_config": self.settings}
        write_folder(folder, tensors, config, self.shards)
        return values


@dataclass(frozen=True)
class Gguf:
    """A form of GGUF: the type of a matrix, by its layer, how many there are, and its new name."""

    name: str
    kind_of: Callable[[int, int, str], str]

    def convert(self, original: Original, folder: Path) -> Values:
        """What llama.cpp's conversion makes of it, and its quantiser then."""
        folder.mkdir(parents=True, exist_ok=True)
        writer = GGUFWriter(folder / "model.gguf", original.family.arch)
        writer.add_block_count(original.layers)
        writer.add_embedding_length(original.config["hidden_size"])
        writer.add_head_count(original.heads)
        writer.add_head_count_kv(original.kv_heads)
        writer.add_token_list(["a", "b"])
        values = self._add_tensors(writer, original)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return values

    def types(self, original: Original) -> str:
        """The types that there are, when they are not those of the name."""
        kinds = {
            self._kind(original, pattern.format(layer))
            for pattern in original.family.names.values()
            for layer in range(original.layers)
        }
        return "" if self.name.endswith(" ".join(kinds)) else f" ({', '.join(sorted(kinds))})"

    def _kind(self, original: Original, module: str) -> str:
        name = renamed(original, f"{module}.weight") or ""
        asked = self.kind_of(int(name.split(".")[1]), original.layers, name)
        return fitting(asked, original.tensors[f"{module}.weight"].array.shape[1])

    def _add_tensors(self, writer: GGUFWriter, original: Original) -> Values:
        values, linear = {}, original.linear()
        for name, tensor in original.tensors.items():
            new, order = renamed(original, name), rows_of(original, name)
            module = name.removesuffix(".weight")
            if new is None or tensor.dtype == "I64":
                continue
            if module not in linear:
                writer.add_tensor(new, numbers(tensor)[order].astype(np.float32))
                continue
            kind = self._kind(original, module)
            table, values[module] = TYPES[kind](linear[module])
            writer.add_tensor(new, table[order], raw_dtype=GGMLQuantizationType[kind])
        return values


def renamed(original: Original, name: str) -> str | None:
    """GGUF's name for a tensor; None for one that conversion leaves out."""
    found: str | None = _names(original.family.arch, original.layers).get_name(
        name, (".weight", ".bias")
    )
    return found


@cache
def _names(arch: str, layers: int) -> TensorNameMap:
    (key,) = (key for key, name in MODEL_ARCH_NAMES.items() if name == arch)
    return get_tensor_name_map(key, layers)


def rows_of(original: Original, name: str) -> Array:
    """The place before conversion of each row of a tensor after it."""
    module, family = name.rpartition(".")[0], original.family
    rows = np.arange(original.tensors[name].array.shape[0])
    role = next((r for r, n in family.names.items() if _is_like(n, module)), "")
    if role == "qkv":  # all of q, then of k and of v
        return rows.reshape(original.heads, 3, -1).swapaxes(0, 1).reshape(-1)
    if not family.permutes or role not in ("q", "k"):
        return rows
    heads = original.kv_heads if role == "k" else original.heads
    return rows.reshape(heads, 2, -1).swapaxes(1, 2).reshape(-1)


def _is_like(pattern: str, module: str) -> bool:
    """Whether a module is one of a pattern's."""
    first, last = pattern.split("{}")
    return module.startswith(first) and module.endswith(last)


def all_of(kind: str) -> Callable[[int, int, str], str]:
    """One type for all."""
    return lambda layer, layers, name: kind


def mixed(layer: int, layers: int, name: str) -> str:
    """llama-quantize's Q4_K_M: Q4_K, more for fused matrices, and for half of v and of down."""
    if "attn_qkv" in name:
        return "Q5_K"
    eighth = layers // 8
    more = layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2
    return "Q6_K" if more and ("attn_v" in name or "ffn_down" in name) else "Q4_K"


GPTQ: Mapping[str, Any] = {"quant_method": "gptq", "bits": 4, "desc_act": False}
AWQ: Mapping[str, Any] = {"quant_method": "awq", "bits": 4, "version": "gemm", "zero_point": True}
BYTES: Mapping[str, Any] = {"quant_method": "bitsandbytes", "load_in_8bit": True}
FOUR: Mapping[str, Any] = {"quant_method": "bitsandbytes", "load_in_4bit": True}


def compressed(form: str, bits: int, **weights: Any) -> Mapping[str, Any]:
    """What compressed-tensors writes into config.json."""
    own = {"num_bits": bits, "type": "int", "symmetric": True, **weights}
    groups = {"group_0": {"targets": ["Linear"], "weights": own}}
    return {"quant_method": "compressed-tensors", "format": form, "config_groups": groups}


def _row(matrix: Matrix) -> Coded:
    return float8(matrix, (1, 0))


def _rounded(kind: str) -> Gguf:
    return Gguf(f"GGUF {kind}", all_of(kind))


FORMS: tuple[Form, ...] = (
    *map(_rounded, ("F16", "Q8_0", "Q6_K", "Q5_K")),
    Gguf("GGUF Q4_K_M", mixed),
    _rounded("Q4_0"),
    Coding("bitsandbytes int8", llm_int8, BYTES),
    Coding("bitsandbytes NF4", partial(four_bits, kind="nf4"), FOUR),
    Coding("bitsandbytes NF4, nested scales", partial(four_bits, kind="nf4", nested=256), FOUR),
    Coding("bitsandbytes FP4", partial(four_bits, kind="fp4"), FOUR),
    Coding("GPTQ, 4 bits", integers.gptq, GPTQ),
    Coding(
        "GPTQ, 4 bits, act-order",
        partial(integers.gptq, ordered=True, symmetric=False),
        {**GPTQ, "desc_act": True},
    ),
    Coding("GPTQ, 8 bits", partial(integers.gptq, bits=8), {**GPTQ, "bits": 8}),
    Coding("AWQ, 4 bits", integers.awq, AWQ),
    Coding("compressed-tensors, int4", integers.packed, compressed("pack-quantized", 4)),
    Coding("compressed-tensors, int8", integers.int8, compressed("int-quantized", 8)),
    Coding(
        "FP8, one scale",
        partial(float8, block=None),
        compressed("float-quantized", 8, type="float", strategy="tensor"),
    ),
    Coding("FP8, a scale a row", _row, compressed("float-quantized", 8, type="float")),
    Coding(
        "FP8, blocks of 128 × 128",
        partial(float8, block=(128, 128), scale="weight_scale_inv"),
        {"quant_method": "fp8", "weight_block_size": [128, 128]},
    ),
    Coding(
        "NVFP4, compressed-tensors",
        partial(nvfp4, divides=True),
        compressed("nvfp4-pack-quantized", 4, type="float", group_size=16),
    ),
    Coding(
        "NVFP4, ModelOpt",
        partial(nvfp4, divides=False),
        {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16},
    ),
    Coding(
        "MXFP4, compressed-tensors",
        partial(mxfp4, blocks=False),
        compressed("mxfp4-pack-quantized", 4, type="float", group_size=32),
    ),
    Coding("MXFP4, in blocks", partial(mxfp4, blocks=True), {"quant_method": "mxfp4"}),
)
