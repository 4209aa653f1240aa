"""Little bases and adapters of them, as transformers and PEFT write them, from fixed numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.checkpoints import ROLES, safetensors, write

PREFIX = "base_model.model."
WIDTH, KEYS, LAYERS, VOCABULARY = 16, 8, 4, 40
ATTENTION = tuple(ROLES.values())
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": 24,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "tie_word_embeddings": False,
}
GPT2 = {
    "architectures": ["GPT2LMHeadModel"],
    "model_type": "gpt2",
    "vocab_size": VOCABULARY,
    "n_positions": 16,
    "n_embd": WIDTH,
    "n_layer": LAYERS,
    "n_head": 4,
}
Tensors = dict[str, np.ndarray]


def _llama_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCABULARY, WIDTH),
        "model.norm.weight": (WIDTH,),
        "lm_head.weight": (VOCABULARY, WIDTH),
    }
    for layer in range(LAYERS):
        stem = f"model.layers.{layer}."
        for role, name in ROLES.items():
            rows = KEYS if role in "kv" else WIDTH
            shapes[f"{stem}self_attn.{name}.weight"] = (rows, WIDTH)
        shapes[f"{stem}mlp.gate_proj.weight"] = (24, WIDTH)
        shapes[f"{stem}mlp.up_proj.weight"] = (24, WIDTH)
        shapes[f"{stem}mlp.down_proj.weight"] = (WIDTH, 24)
        shapes[f"{stem}input_layernorm.weight"] = (WIDTH,)
        shapes[f"{stem}post_attention_layernorm.weight"] = (WIDTH,)
    return shapes


def _gpt2_shapes() -> dict[str, tuple[int, ...]]:
    """Every matrix of a layer is inputs × outputs."""
    shapes: dict[str, tuple[int, ...]] = {
        "transformer.wte.weight": (VOCABULARY, WIDTH),
        "transformer.wpe.weight": (16, WIDTH),
        "transformer.ln_f.weight": (WIDTH,),
        "transformer.ln_f.bias": (WIDTH,),
    }
    sizes = {
        "attn.c_attn": (WIDTH, 3 * WIDTH),
        "attn.c_proj": (WIDTH, WIDTH),
        "mlp.c_fc": (WIDTH, 4 * WIDTH),
        "mlp.c_proj": (4 * WIDTH, WIDTH),
    }
    for layer in range(LAYERS):
        for name, size in sizes.items():
            shapes[f"transformer.h.{layer}.{name}.weight"] = size
            shapes[f"transformer.h.{layer}.{name}.bias"] = size[1:]
        for name in ("ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias"):
            shapes[f"transformer.h.{layer}.{name}"] = (WIDTH,)
    return shapes


def _drawn(shapes: Mapping[str, tuple[int, ...]], seed: int) -> Tensors:
    """Numbers of these shapes, whose spread differs from one tensor to the next."""
    random = np.random.default_rng(seed)
    return {
        name: random.normal(scale=random.uniform(0.05, 0.2), size=shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def a_llama(seed: int = 0) -> Tensors:
    """The tensors of a little Llama with grouped keys and values."""
    return _drawn(_llama_shapes(), seed)


def a_gpt2(seed: int = 0) -> Tensors:
    """The tensors of a little GPT-2."""
    return _drawn(_gpt2_shapes(), seed)


def factors(
    base: Mapping[str, np.ndarray],
    modules: Mapping[str, int],
    *,
    turned: bool = False,
    dora: bool = False,
    seed: int = 1,
) -> Tensors:
    """An adapter's tensors for modules and their ranks; of a `turned` base, inputs come first."""
    shapes: dict[str, tuple[int, ...]] = {}
    for module, rank in modules.items():
        shape = base[f"{module}.weight"].shape
        outputs, inputs = shape[::-1] if turned else shape
        shapes[f"{PREFIX}{module}.lora_A.weight"] = (rank, inputs)
        shapes[f"{PREFIX}{module}.lora_B.weight"] = (outputs, rank)
        if dora:
            shapes[f"{PREFIX}{module}.lora_magnitude_vector"] = (outputs,)
    drawn = _drawn(shapes, seed)
    return {n: np.abs(t) + 0.5 if "magnitude" in n else t for n, t in drawn.items()}


def modules_of(base: Mapping[str, np.ndarray], *ends: str, rank: int = 4) -> dict[str, int]:
    """The base's matrices whose module has one of these names at its end."""
    found = (name.removesuffix(".weight") for name in base if name.endswith(".weight"))
    return {module: rank for module in found if module.endswith(tuple(f".{e}" for e in ends))}


def adapter_config(**changes: Any) -> dict[str, Any]:
    """An adapter_config.json as PEFT writes it."""
    return {
        "alora_invocation_tokens": None,
        "alpha_pattern": {},
        "auto_mapping": None,
        "base_model_name_or_path": "acme/base",
        "bias": "none",
        "exclude_modules": None,
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "layer_replication": None,
        "layers_pattern": None,
        "layers_to_transform": None,
        "loftq_config": {},
        "lora_alpha": 8,
        "lora_bias": False,
        "lora_dropout": 0.05,
        "modules_to_save": None,
        "peft_type": "LORA",
        "peft_version": "0.21.2",
        "r": 4,
        "rank_pattern": {},
        "revision": None,
        "target_modules": list(ATTENTION),
        "target_parameters": None,
        "task_type": "CAUSAL_LM",
        "trainable_token_indices": None,
        "use_dora": False,
        "use_qalora": False,
        "use_rslora": False,
        **changes,
    }


def write_base(folder: Path, tensors: Tensors) -> Path:
    """A base with its config."""
    gpt2 = any("c_attn" in name for name in tensors)
    write(folder, tensors, GPT2 if gpt2 else LLAMA)
    content = safetensors(tensors, {"format": "pt"})
    (folder / "model.safetensors").write_bytes(content)
    return folder


def write_adapter(folder: Path, tensors: Mapping[str, np.ndarray], **changes: Any) -> Path:
    """An adapter's folder, its settings changed as a test wants them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(safetensors(tensors, {"format": "pt"}))
    (folder / "adapter_config.json").write_text(json.dumps(adapter_config(**changes)))
    return folder
