"""DATA: what the files of each architecture call what, and how they pack it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

EXPERTS = 4  # of a model that was made a mixture


@dataclass(frozen=True)
class Layout:
    """Names by role, without their `.weight` and `.bias`."""

    prefix: str
    top: Mapping[str, str]
    layer: Mapping[str, str]
    sizes: Mapping[str, str] = field(default_factory=dict)
    fused: str = ""  # how q, k and v are one matrix: head by head, or one after the other
    transposed: bool = False
    offset: float = 0.0  # what the architecture adds to a stored gain

    def size(self, name: str) -> str:
        """The config's own word for a size."""
        return self.sizes.get(name, name)


def split(tensor: torch.Tensor, how: str, heads: int) -> Sequence[torch.Tensor]:
    """q, k and v of a fused matrix or bias."""
    if how == "after":
        return tensor.chunk(3)
    by_head = tensor.unflatten(0, (heads, 3, -1))
    return [by_head[:, part].flatten(0, 1) for part in range(3)]


def fuse(parts: Sequence[torch.Tensor], how: str, heads: int) -> torch.Tensor:
    """What `split` splits."""
    if how == "after":
        return torch.cat(list(parts))
    by_head = torch.stack([part.unflatten(0, (heads, -1)) for part in parts], 1)
    return by_head.flatten(0, 2)


LLAMA_TOP = {"embed": "model.embed_tokens", "norm_final": "model.norm", "head": "lm_head"}
ATTENTION = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "q_norm": "self_attn.q_norm",
    "k_norm": "self_attn.k_norm",
    "norm_attn": "input_layernorm",
    "norm_ffn": "post_attention_layernorm",
}
FEED_FORWARD = {"gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}
LLAMA_LAYER = ATTENTION | FEED_FORWARD
GEMMA3_NORMS = {
    "post_attn": "post_attention_layernorm",
    "norm_ffn": "pre_feedforward_layernorm",
    "post_ffn": "post_feedforward_layernorm",
}
EXPERT = {"gate": "w1", "up": "w3", "down": "w2"}
MIXTURE = {"router": "block_sparse_moe.gate"} | {
    f"expert{number}.{role}": f"block_sparse_moe.experts.{number}.{name}"
    for number in range(EXPERTS)
    for role, name in EXPERT.items()
}
LLAMA = Layout("model.layers.", LLAMA_TOP, LLAMA_LAYER)

# By the config's model_type.
LAYOUTS = {
    "llama": LLAMA,
    "qwen3": LLAMA,
    "mixtral": Layout("model.layers.", LLAMA_TOP, ATTENTION | MIXTURE),
    "gemma": Layout("model.layers.", LLAMA_TOP, LLAMA_LAYER, offset=1.0),
    "gemma3_text": Layout("model.layers.", LLAMA_TOP, LLAMA_LAYER | GEMMA3_NORMS, offset=1.0),
    "gpt_neox": Layout(
        "gpt_neox.layers.",
        {
            "embed": "gpt_neox.embed_in",
            "norm_final": "gpt_neox.final_layer_norm",
            "head": "embed_out",
        },
        {
            "qkv": "attention.query_key_value",
            "o": "attention.dense",
            "up": "mlp.dense_h_to_4h",
            "down": "mlp.dense_4h_to_h",
            "norm_attn": "input_layernorm",
            "norm_ffn": "post_attention_layernorm",
        },
        fused="heads",
    ),
    "gpt2": Layout(
        "transformer.h.",
        {
            "embed": "transformer.wte",
            "positions": "transformer.wpe",
            "norm_final": "transformer.ln_f",
            "head": "lm_head",
        },
        {
            "qkv": "attn.c_attn",
            "o": "attn.c_proj",
            "up": "mlp.c_fc",
            "down": "mlp.c_proj",
            "norm_attn": "ln_1",
            "norm_ffn": "ln_2",
        },
        {
            "hidden_size": "n_embd",
            "num_hidden_layers": "n_layer",
            "num_attention_heads": "n_head",
            "intermediate_size": "n_inner",
        },
        fused="after",
        transposed=True,
    ),
    # Its norms stand after the sums: here norm_attn is what feed-forward reads, norm_ffn the next
    # layer's attention.
    "bert": Layout(
        "bert.encoder.layer.",
        {
            "embed": "bert.embeddings.word_embeddings",
            "positions": "bert.embeddings.position_embeddings",
            "types": "bert.embeddings.token_type_embeddings",
            "norm_embed": "bert.embeddings.LayerNorm",
            "transform": "cls.predictions.transform.dense",
            "norm_transform": "cls.predictions.transform.LayerNorm",
            "token": "cls.predictions",
        },
        {
            "q": "attention.self.query",
            "k": "attention.self.key",
            "v": "attention.self.value",
            "o": "attention.output.dense",
            "norm_attn": "attention.output.LayerNorm",
            "up": "intermediate.dense",
            "down": "output.dense",
            "norm_ffn": "output.LayerNorm",
        },
    ),
}
