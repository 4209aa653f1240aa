"""DATA: where each architecture keeps its attention matrices, one row a naming and packing.

A tensor belongs to a row when its name is `<tower>.<layer number>.<tail>` with one of the row's
tails. Rows that share their tails (`query_key_value`, `c_attn`) differ in packing: `model_types`
and `flags` of config.json decide between them, and where they cannot, the fused tensor is measured
as one pooled role.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Role(StrEnum):
    """What a tensor does in attention."""

    Q = "q"
    K = "k"
    V = "v"
    O = "o"  # noqa: E741 — the field's own name for the output projection
    QKV = "qkv"  # fused, and how it splits is not known
    Q_BIAS = "q.bias"
    K_BIAS = "k.bias"
    V_BIAS = "v.bias"
    O_BIAS = "o.bias"
    QKV_BIAS = "qkv.bias"
    NORM = "norm"  # gain of the norm that feeds (or, post-norm, follows) attention
    Q_NORM = "q.norm"
    K_NORM = "k.norm"


MATRICES = (Role.Q, Role.K, Role.V, Role.O, Role.QKV)
BIAS_OF = {
    Role.Q: Role.Q_BIAS,
    Role.K: Role.K_BIAS,
    Role.V: Role.V_BIAS,
    Role.O: Role.O_BIAS,
    Role.QKV: Role.QKV_BIAS,
}


class Packing(StrEnum):
    """How q, k and v lie in their tensors, along the output axis."""

    SPLIT = "split"  # one tensor each
    CONTIGUOUS = "contiguous"  # all of q, all of k, all of v
    PER_HEAD = "per head"  # q, k, v of head 0, then of head 1, …
    GROUPED = "grouped"  # per key/value head: its queries, its k, its v


@dataclass(frozen=True)
class Layout:
    """One way to name and pack an attention block.

    `tails` maps roles to what follows the layer number; `flags` are config values that must hold
    (their second item stands in where the config is silent); `settled` says that no known
    architecture packs these names in these shapes otherwise.
    """

    name: str
    tails: Mapping[Role, str]
    packing: Packing = Packing.SPLIT
    transposed: bool = False  # [in, out], GPT-2's Conv1D
    cross: bool = False
    model_types: frozenset[str] = frozenset()
    flags: tuple[tuple[str, bool, bool], ...] = ()  # key, value needed, default when absent
    settled: bool = False
    norms: tuple[tuple[str, Role], ...] = ()


def _split(name: str, matrices: str, *norms: tuple[str, Role], cross: bool = False) -> Layout:
    q, k, v, o = matrices.split()
    tails = {Role.Q: q, Role.K: k, Role.V: v, Role.O: o}
    return Layout(name, tails, cross=cross, settled=True, norms=norms)


def _fused(name: str, matrices: str, norm: str, packing: Packing, types: str) -> Layout:
    qkv, o = matrices.split()
    return Layout(
        name,
        {Role.QKV: qkv, Role.O: o},
        packing,
        model_types=frozenset(types.split()),
        norms=((norm, Role.NORM),),
    )


_PRE_NORM = ("input_layernorm.weight", Role.NORM)
_QK_NORMS = (("self_attn.q_norm.weight", Role.Q_NORM), ("self_attn.k_norm.weight", Role.K_NORM))
_FALCON = "self_attention.query_key_value.weight self_attention.dense.weight"
_NEOX = "attention.query_key_value.weight attention.dense.weight"
_C_ATTN = "attn.c_attn.weight attn.c_proj.weight"

LAYOUTS: tuple[Layout, ...] = (
    # Llama, Mistral, Mixtral, Qwen2, Qwen3, Gemma, OLMo, Granite, StarCoder2 …
    _split(
        "llama",
        "self_attn.q_proj.weight self_attn.k_proj.weight "
        "self_attn.v_proj.weight self_attn.o_proj.weight",
        _PRE_NORM,
        *_QK_NORMS,
    ),
    # OPT, BART, mBART, Pegasus, Marian, Whisper, CLIP, SigLIP …
    _split(
        "bart",
        "self_attn.q_proj.weight self_attn.k_proj.weight "
        "self_attn.v_proj.weight self_attn.out_proj.weight",
        ("self_attn_layer_norm.weight", Role.NORM),
        ("layer_norm1.weight", Role.NORM),
    ),
    _split(
        "bart cross-attention",
        "encoder_attn.q_proj.weight encoder_attn.k_proj.weight "
        "encoder_attn.v_proj.weight encoder_attn.out_proj.weight",
        ("encoder_attn_layer_norm.weight", Role.NORM),
        cross=True,
    ),
    _split(
        "phi",
        "self_attn.q_proj.weight self_attn.k_proj.weight "
        "self_attn.v_proj.weight self_attn.dense.weight",
        _PRE_NORM,
    ),
    # BERT, RoBERTa, XLM-R, ELECTRA, CamemBERT …
    _split(
        "bert",
        "attention.self.query.weight attention.self.key.weight "
        "attention.self.value.weight attention.output.dense.weight",
        ("attention.output.LayerNorm.weight", Role.NORM),
        ("attention.output.LayerNorm.gamma", Role.NORM),
    ),
    _split(
        "bert cross-attention",
        "crossattention.self.query.weight crossattention.self.key.weight "
        "crossattention.self.value.weight crossattention.output.dense.weight",
        ("crossattention.output.LayerNorm.weight", Role.NORM),
        cross=True,
    ),
    _split(
        "distilbert",
        "attention.q_lin.weight attention.k_lin.weight "
        "attention.v_lin.weight attention.out_lin.weight",
        ("sa_layer_norm.weight", Role.NORM),
    ),
    _split(
        "mpnet",
        "attention.attn.q.weight attention.attn.k.weight "
        "attention.attn.v.weight attention.attn.o.weight",
        ("attention.LayerNorm.weight", Role.NORM),
    ),
    # T5, mT5, UMT5, Flan-T5, Switch
    _split(
        "t5",
        "layer.0.SelfAttention.q.weight layer.0.SelfAttention.k.weight "
        "layer.0.SelfAttention.v.weight layer.0.SelfAttention.o.weight",
        ("layer.0.layer_norm.weight", Role.NORM),
    ),
    _split(
        "t5 cross-attention",
        "layer.1.EncDecAttention.q.weight layer.1.EncDecAttention.k.weight "
        "layer.1.EncDecAttention.v.weight layer.1.EncDecAttention.o.weight",
        ("layer.1.layer_norm.weight", Role.NORM),
        cross=True,
    ),
    _split(
        "gpt_neo",
        "attn.attention.q_proj.weight attn.attention.k_proj.weight "
        "attn.attention.v_proj.weight attn.attention.out_proj.weight",
        ("ln_1.weight", Role.NORM),
    ),
    _split(
        "gptj",
        "attn.q_proj.weight attn.k_proj.weight attn.v_proj.weight attn.out_proj.weight",
        ("ln_1.weight", Role.NORM),
    ),
    # Meta's own files: consolidated.safetensors
    _split(
        "meta",
        "attention.wq.weight attention.wk.weight attention.wv.weight attention.wo.weight",
        ("attention_norm.weight", Role.NORM),
    ),
    replace(
        _fused(
            "gpt2",
            _C_ATTN,
            "ln_1.weight",
            Packing.CONTIGUOUS,
            "gpt2 gpt-sw3 jais openai-gpt",
        ),
        transposed=True,
        settled=True,
    ),
    replace(
        _fused("gpt_bigcode", _C_ATTN, "ln_1.weight", Packing.CONTIGUOUS, "gpt_bigcode"),
        flags=(("multi_query", True, True),),
    ),
    replace(
        _fused("gpt_bigcode, multi-head", _C_ATTN, "ln_1.weight", Packing.PER_HEAD, "gpt_bigcode"),
        flags=(("multi_query", False, True),),
    ),
    _fused("qwen", _C_ATTN, "ln_1.weight", Packing.CONTIGUOUS, "qwen"),
    _fused(
        "gpt_neox",
        _NEOX,
        "input_layernorm.weight",
        Packing.PER_HEAD,
        "gpt_neox gpt_neox_japanese chatglm1",
    ),
    _fused("bailing", _NEOX, "input_layernorm.weight", Packing.CONTIGUOUS, "bailing_moe"),
    _fused("bloom", _FALCON, "input_layernorm.weight", Packing.PER_HEAD, "bloom"),
    replace(
        _fused(
            "falcon, multi-query",
            _FALCON,
            "input_layernorm.weight",
            Packing.CONTIGUOUS,
            "falcon RefinedWebModel",
        ),
        flags=(("new_decoder_architecture", False, False), ("multi_query", True, True)),
    ),
    replace(
        _fused(
            "falcon, multi-head",
            _FALCON,
            "input_layernorm.weight",
            Packing.PER_HEAD,
            "falcon RefinedWebModel",
        ),
        flags=(("new_decoder_architecture", False, False), ("multi_query", False, True)),
    ),
    replace(
        _fused(
            "falcon, grouped", _FALCON, "ln_attn.weight", Packing.GROUPED, "falcon RefinedWebModel"
        ),
        flags=(("new_decoder_architecture", True, False),),
    ),
    # The first releases of Falcon-40B carry this type instead of the flag.
    _fused("falcon, RefinedWeb", _FALCON, "ln_attn.weight", Packing.GROUPED, "RefinedWeb"),
    replace(
        _fused(
            "phi3",
            "self_attn.qkv_proj.weight self_attn.o_proj.weight",
            "input_layernorm.weight",
            Packing.CONTIGUOUS,
            "phi3 phi4_multimodal",
        ),
        settled=True,
    ),
)
