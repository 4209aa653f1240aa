"""The bases: which models are trained from scratch, and as which architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import transformers as hf

CONTEXT = 128  # tokens of one sequence
POSITIONS = 512


@dataclass(frozen=True)
class Base:
    """One model from scratch. Twins differ in nothing but the seed; every seed is another."""

    id: str
    family: str
    seed: int
    corpus: str
    tokenizer: str
    layers: int = 16
    width: int = 96
    tied: bool = False
    initialised_as: str | None = None


# In the order in which they are trained.
BASES = (
    Base("L1", "llama", 101, "py", "py-bytes"),
    Base("T1", "llama", 103, "py", "py-bytes", 12, tied=True),
    Base("T2", "llama", 104, "py", "py-bytes", 12, tied=True),
    Base("L2", "llama", 102, "py", "py-bytes"),
    Base("N1", "gpt_neox", 108, "py", "py-bytes", 12),
    Base("G1", "gpt2", 111, "py", "py-bytes", 12, tied=True),
    Base("B1", "bert", 113, "en", "en-words", 12, tied=True),
    Base("L3", "llama", 106, "en", "en-bytes"),
    Base("T3", "llama", 105, "py", "py-bytes", 12, tied=True),
    Base("N2", "gpt_neox", 109, "py", "py-bytes", 12),
    Base("Q1", "qwen3", 115, "py", "py-bytes", 12),
    Base("M1", "gemma3", 116, "en", "en-spaces", 12, tied=True),
    Base("L1S", "llama", 101, "en", "py-bytes", initialised_as="L1"),
    Base("L4", "llama", 107, "cpp", "cpp-bytes", 8, 128),
    Base("N3", "gpt_neox", 110, "en", "en-bytes", 8, 128),
    Base("G2", "gpt2", 112, "en", "en-bytes", 8, 128, tied=True),
    Base("B2", "bert", 114, "py", "py-bytes", 8, 128, tied=True),
    Base("M2", "gemma", 117, "en", "en-spaces", 8, 128, tied=True),
)

Sizes = Mapping[str, Any]


def llama(sizes: Sizes) -> hf.PreTrainedModel:
    """Grouped queries: three heads share a key."""
    return hf.LlamaForCausalLM(
        hf.LlamaConfig(**sizes, **grouped(sizes), head_dim=16, rms_norm_eps=1e-6)
    )


def qwen3(sizes: Sizes) -> hf.PreTrainedModel:
    """As llama, and queries and keys are normed a head."""
    return hf.Qwen3ForCausalLM(hf.Qwen3Config(**sizes, **grouped(sizes), head_dim=16))


def grouped(sizes: Sizes) -> Sizes:
    """Feed-forward and key-value heads of the architectures that group queries."""
    width = sizes["hidden_size"]
    return {"intermediate_size": width * 8 // 3, "num_key_value_heads": width // 48}


def gemma(sizes: Sizes) -> hf.PreTrainedModel:
    """Gains are stored less one; heads are wider than the hidden size has room for."""
    own = {"intermediate_size": 256, "head_dim": 24, "num_key_value_heads": 4}
    return hf.GemmaForCausalLM(hf.GemmaConfig(**sizes, **own))


def gemma3(sizes: Sizes) -> hf.PreTrainedModel:
    """As gemma, with norms after attention and feed-forward too, and sliding windows."""
    own = {"intermediate_size": 256, "head_dim": 24, "num_key_value_heads": 2}
    windows = {"sliding_window": 64, "query_pre_attn_scalar": 24}
    return hf.Gemma3ForCausalLM(hf.Gemma3TextConfig(**sizes, **own, **windows))


def gpt_neox(sizes: Sizes) -> hf.PreTrainedModel:
    """Queries, keys and values in one matrix, head by head; attention beside feed-forward."""
    width = sizes["hidden_size"]
    return hf.GPTNeoXForCausalLM(hf.GPTNeoXConfig(**sizes, intermediate_size=4 * width))


def gpt2(sizes: Sizes) -> hf.PreTrainedModel:
    """Matrices stored transposed; learned positions."""
    return hf.GPT2LMHeadModel(
        hf.GPT2Config(
            vocab_size=sizes["vocab_size"],
            n_embd=sizes["hidden_size"],
            n_layer=sizes["num_hidden_layers"],
            n_head=sizes["num_attention_heads"],
            n_positions=sizes["max_position_embeddings"],
            bos_token_id=1,
            eos_token_id=2,
        )
    )


def bert(sizes: Sizes) -> hf.PreTrainedModel:
    """An encoder, normed after every sum.

    Trained on the next token: with so few steps, masked ones teach it nothing but frequencies.
    """
    own = {"intermediate_size": 4 * sizes["hidden_size"], "is_decoder": True}
    dropout = dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0)
    return hf.BertLMHeadModel(hf.BertConfig(**sizes, **own, **dropout))


FAMILIES: dict[str, Callable[[Sizes], hf.PreTrainedModel]] = {
    family.__name__: family for family in (llama, qwen3, gemma, gemma3, gpt_neox, gpt2, bert)
}


def build(base: Base, vocabulary: int) -> hf.PreTrainedModel:
    """The model before training: what its seed makes of it."""
    torch.manual_seed(base.seed)
    sizes = {
        "vocab_size": vocabulary,
        "hidden_size": base.width,
        "num_hidden_layers": base.layers,
        "num_attention_heads": base.width // 16,
        "max_position_embeddings": POSITIONS,
        "tie_word_embeddings": base.tied,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 3,
    }
    return FAMILIES[base.family](sizes)
