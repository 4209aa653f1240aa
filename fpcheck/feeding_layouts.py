"""DATA: which norm feeds the attention of each architecture, and how its gain is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fpcheck.layouts import Role


@dataclass(frozen=True)
class Feeder:
    """A norm that feeds attention, as some architectures name it.

    `leaf` lies in a module around the attention's: of the same layer, or of the layer before when
    `previous`. `beside` must be there too, under the same module. `first` is the norm before the
    first layer, in a module around the stack, where the layer's own does not feed that one.
    `types` are the architectures that the row is of (none: any), `flag` a config value without
    which they are of another order.
    """

    leaf: str
    previous: bool = False
    beside: str = ""
    first: str = ""
    types: frozenset[str] = frozenset()
    flag: tuple[str, bool] = ("", False)


def _feeder(
    leaf: str,
    *,
    previous: bool = False,
    beside: str = "",
    first: str = "",
    types: str = "",
    flag: tuple[str, bool] = ("", False),
) -> Feeder:
    return Feeder(leaf, previous, beside, first, frozenset(types.split()), flag)


_WORD_NORM = "embeddings.LayerNorm"
_POST_BART = "bart mvp marian blenderbot-small fsmt led plbart florence2 florence2_language trocr"
# The first row that a layer has the tensors of is its own. Where a block is normed after each part
# (post-norm), what feeds attention is the norm after the feed-forward part of the layer before.
FEEDERS: tuple[Feeder, ...] = (
    # Names that other architectures have in another order.
    _feeder("final_layer_norm", previous=True, first="layernorm_embedding", types=_POST_BART),
    _feeder("ln_2", previous=True, types="openai-gpt"),
    _feeder(
        "norm2",
        previous=True,
        first="emb_ln",
        types="nomic_bert jina_embeddings_v3",
        flag=("prenorm", False),
    ),
    _feeder(
        "layer_norm2",
        previous=True,
        first="layer_norm_emb",
        types="xlm flaubert",
        flag=("pre_norm", False),
    ),
    _feeder(
        "bottleneck.attention.LayerNorm", types="mobilebert"
    ),  # MobileBERT: v takes what is before it
    _feeder("self_attn_layer_norm", types="opt", flag=("do_layer_norm_before", True)),
    # Its first layer has none of its own.
    _feeder(
        "attn_norm", first="embeddings.norm", types="modernbert modernbert-decoder modernvbert"
    ),
    # Post-norm.
    _feeder(
        "output.LayerNorm", previous=True, beside="attention.output.LayerNorm", first=_WORD_NORM
    ),
    _feeder("output.LayerNorm", previous=True, beside="attention.LayerNorm", first=_WORD_NORM),
    _feeder("output_layer_norm", previous=True, beside="sa_layer_norm", first=_WORD_NORM),
    _feeder("full_layer_layer_norm", types="albert"),  # ALBERT: the one layer feeds itself
    _feeder("ff.layer_norm", previous=True, beside="rel_attn.layer_norm", types="xlnet"),  # XLNet
    _feeder("mlp_ln", previous=True, beside="attn_ln", first=_WORD_NORM),  # GTE
    _feeder(
        "feed_forward_layer_norm",
        previous=True,
        first="embeddings_layer_norm",
        types="prophetnet xlm-prophetnet",
    ),  # ProphetNet
    _feeder(
        "output.layernorm",
        previous=True,
        beside="post_attention.layernorm",
        first="embeddings.layernorm",
    ),
    _feeder("ffn.layer_norm", previous=True, first="embeddings.layer_norm"),  # Funnel
    _feeder(  # llama.cpp's BERT
        "layer_output_norm", previous=True, beside="attn_output_norm", first="token_embd_norm"
    ),
    # Pre-norm: what stands before attention in its layer.
    *map(
        _feeder,
        (
            *("input_layernorm", "input_layernorm.#", "ln_attn", "ln_1", "attn_norm_2"),
            *("attn_norm", "attention_norm", "attention_layernorm", "attention_layer_norm"),
            *("self_attn_layer_norm", "layer_norm1", "layernorm1", "pre_self_attn_layernorm"),
            *("pre_attention_layernorm", "pre_attention_layer_norm", "pre_attn_norm"),
            *("layernorm_before_attention", "layernorm_before", "temporal_pre_norm"),
            *("attention.ln", "attention.self_attn_layer_norm", "operator_norm", "norm_1"),
            *("norm_mlstm", "layer_norm_1", "*.layer_norm", "norm", "ln"),
        ),
    ),
    _feeder("attention.LayerNorm", beside="intermediate.LayerNorm"),  # RoBERTa-PreLayerNorm
    _feeder("attention.LayerNorm", beside="LayerNorm"),  # ESM
    _feeder("norm1", beside="mlp.fc1"),
)

# Architectures that store a gain less one: `output * (1.0 + self.weight)` in the norm classes of
# their text in transformers; gemma3n, gemma4 and their kin multiply by the weight itself.
LESS_ONE = frozenset(
    {
        *("gemma", "gemma2", "gemma3", "gemma3_text", "vaultgemma", "recurrent_gemma"),
        *("paligemma", "shieldgemma2", "t5gemma", "t5gemma2", "pi0"),
        *("qwen3_next", "qwen3_5", "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text"),
        *("qwen4_exp", "qwen4_exp_text", "minicpm_ocr", "minicpmv4_6", "minicpmv4_7"),
        *("nemotron", "step3p7", "step3p5", "minimax_m3_vl", "minimax_m3_vl_text"),
        *("muse_glimmer", "muse_glimmer_text", "muse_spark", "muse_spark_text"),
    }
)

HEAD_NORMS: Mapping[Role, tuple[str, ...]] = {
    Role.Q: ("q_norm", "q_layernorm", "query_layernorm", "q_ln", "norm_q", "attn_q_norm"),
    Role.K: ("k_norm", "k_layernorm", "key_layernorm", "k_ln", "norm_k", "attn_k_norm"),
}
