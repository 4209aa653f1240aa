"""What GGUF's metadata says of an architecture, under the keys that config.json has for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gguf.constants import Keys

from fpcheck.checkpoint.gguf.metadata import Value

OF_LATENTS = "kv_lora_rank"  # only latent attention has it
# config.json's key → GGUF's, the first that is there; {arch} stands for the architecture. Where
# attention runs on latents, the plain lengths are theirs, and those of a head end in _mla.
SETTINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "num_hidden_layers": (Keys.LLM.BLOCK_COUNT,),
        "num_decoder_layers": (Keys.LLM.DECODER_BLOCK_COUNT,),
        "hidden_size": (Keys.LLM.EMBEDDING_LENGTH,),
        "intermediate_size": (Keys.LLM.FEED_FORWARD_LENGTH,),
        "vocab_size": (Keys.LLM.VOCAB_SIZE,),
        "num_experts": (Keys.LLM.EXPERT_COUNT,),
        "full_attention_interval": (Keys.LLM.FULL_ATTENTION_INTERVAL,),
        "num_attention_heads": (Keys.Attention.HEAD_COUNT,),
        "num_key_value_heads": (Keys.Attention.HEAD_COUNT_KV,),
        "head_dim": (Keys.Attention.KEY_LENGTH_MLA, Keys.Attention.KEY_LENGTH),
        "v_head_dim": (Keys.Attention.VALUE_LENGTH_MLA, Keys.Attention.VALUE_LENGTH),
        "q_lora_rank": (Keys.Attention.Q_LORA_RANK,),
        OF_LATENTS: (Keys.Attention.KV_LORA_RANK,),
    }
)


def config_of(metadata: Mapping[str, Value]) -> dict[str, Any]:
    """The config of a model; what differs from layer to layer is a list."""
    architecture = metadata.get(Keys.General.ARCHITECTURE)
    if not isinstance(architecture, str):
        return {}
    config: dict[str, Any] = {"model_type": architecture}
    for key, patterns in SETTINGS.items():
        stated = (metadata.get(pattern.format(arch=architecture)) for pattern in patterns)
        value = next((value for value in stated if value is not None), None)
        if value is not None:
            config[key] = list(value) if isinstance(value, tuple) else value
    rotated = metadata.get(Keys.Rope.DIMENSION_COUNT.format(arch=architecture))
    if OF_LATENTS in config and rotated is not None:
        config["qk_rope_head_dim"] = rotated
    return config | _layers(config, metadata.get(f"{architecture}.nextn_predict_layers"))


def _layers(config: Mapping[str, Any], further: Value | None) -> dict[str, int]:
    """The number of layers without those that predict further tokens, which GGUF counts too."""
    layers = config.get("num_hidden_layers")
    if isinstance(layers, int) and isinstance(further, int) and 0 < further < layers:
        return {"num_hidden_layers": layers - further}
    return {}
