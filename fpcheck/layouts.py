"""DATA: where each architecture keeps its attention matrices, one row a naming and packing.

A tensor is named `<tower>.<layer number>.<module>.<leaf>`. A row lists the leaves of one attention
block and what each holds; the module above them may have any name. Rows of the same leaves
(`query_key_value`, `c_attn`) differ in packing: `model_types` and `flags` of config.json decide
between them, and where they cannot, the fused tensor is measured as one pooled role.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a matrix or vector does in attention."""

    Q = "q"
    K = "k"
    V = "v"
    O = "o"  # noqa: E741 — the field's own name for the output projection
    QKV = "qkv"  # fused, and how it splits is not known
    KV = "kv"  # the same of k and v alone
    Q_GATE = "q+gate"  # the same of q and the output's gate
    BRANCH = "o.branch"  # what projects another branch, beside o in one tensor
    GATE = "gate"  # what multiplies the output of attention
    Q_LATENT = "q.latent"  # into, and out of, the small space of a low-rank projection
    KV_LATENT = "kv.latent"
    O_LATENT = "o.latent"
    Q_BIAS = "q.bias"
    K_BIAS = "k.bias"
    V_BIAS = "v.bias"
    O_BIAS = "o.bias"
    QKV_BIAS = "qkv.bias"
    KV_BIAS = "kv.bias"
    Q_GATE_BIAS = "q+gate.bias"
    BRANCH_BIAS = "o.branch.bias"
    GATE_BIAS = "gate.bias"
    Q_LATENT_BIAS = "q.latent.bias"
    KV_LATENT_BIAS = "kv.latent.bias"
    O_LATENT_BIAS = "o.latent.bias"
    NORM = "norm"  # gain of the norm that feeds (or, post-norm, follows) attention
    Q_NORM = "q.norm"
    K_NORM = "k.norm"


MATRICES = tuple(Role)[: tuple(Role).index(Role.Q_BIAS)]
BIAS_OF = {role: Role(f"{role}.bias") for role in MATRICES}


class Kind(StrEnum):
    """What a block attends to, and how. Kinds are never mixed in one tower."""

    SELF = "self-attention"
    CROSS = "cross-attention"
    LINEAR = "linear attention"  # no softmax: outside the paper's definition


class Holds(StrEnum):
    """What lies in a tensor along its output channels."""

    Q = "q"  # or, where twice as many channels say so, q and the output's gate of each head
    K = "k"
    V = "v"
    O = "o"  # noqa: E741 — as in Role
    O_GROUPED = "o, a group of heads at a time"
    O_AND_BRANCH = "along its inputs: o, then what another branch is projected by"
    K_IS_V = "k, which is v"
    Q_IS_K = "q, which is k"
    GATE = "gate"
    Q_LATENT = "q's latent"
    O_LATENT = "o's latent"
    KV_LATENT = "latent of k and v, then the rotary part of k"
    K_V_PER_HEAD = "k and v of each head, out of their latent"
    K_V_PER_GROUP = "k and v of each key/value head"
    K_V = "all of k, all of v"
    Q_K_V = "all of q, all of k, all of v"
    Q_ONE_K_V = "all of q, one head of k, one of v"
    Q_GROUPS_K_V = "all of q, fewer heads of k, as many of v"
    QKV_PER_HEAD = "q, k, v of head 0, then of head 1, …"
    QKV_PER_GROUP = "per key/value head: its queries, its k, its v"
    QVK_IN_FOUR = "four blocks of q, v, k"
    GATE_Q_K_V = "all of the gate, of q, of k, of v"
    QK_V = "all of q, all of k of the same width, all of v"
    QKVZ_PER_GROUP = "per key head: its q, its k, its v, their gate"


@dataclass(frozen=True)
class Layout:
    """One way to name and pack an attention block.

    `leaves` maps what follows the module's name to what it holds; those in `optional` may be
    missing. `flags` are config values that must hold (their third item stands in where the config
    is silent). `settled` says that no known architecture packs these names otherwise.
    """

    name: str
    leaves: Mapping[str, Holds]
    optional: frozenset[str] = frozenset()
    kind: Kind = Kind.SELF
    transposed: bool = False  # [in, out], GPT-2's Conv1D
    model_types: frozenset[str] = frozenset()
    flags: tuple[tuple[str, bool, bool], ...] = ()  # key, value needed, default when absent
    settled: bool = True
    module: str = ""  # where the module's name alone decides

    @property
    def required(self) -> frozenset[str]:
        """The leaves without which a block is not of this layout."""
        return frozenset(self.leaves) - self.optional


_SPLIT = (Holds.Q, Holds.K, Holds.V, Holds.O)


def _leaf(name: str) -> str:
    """Most leaves are the weights of a module; those that are none begin with `=`."""
    return name[1:] if name.startswith("=") else f"{name}.weight"


def _row(
    name: str,
    leaves: str,
    *holds: Holds,
    optional: str = "",
    types: str = "",
    flags: tuple[tuple[str, bool, bool], ...] = (),
    kind: Kind = Kind.SELF,
    transposed: bool = False,
    settled: bool | None = None,
    module: str = "",
) -> Layout:
    names = [_leaf(leaf) for leaf in leaves.split()]
    return Layout(
        name=name,
        leaves=dict(zip(names, holds or _SPLIT, strict=True)),
        optional=frozenset(_leaf(leaf) for leaf in optional.split()),
        kind=kind,
        transposed=transposed,
        model_types=frozenset(types.split()),
        flags=flags,
        settled=not (types or flags) if settled is None else settled,
        module=module,
    )


_KV_A = "kv_a_proj_with_mqa"
_LATENT = (Holds.Q_LATENT, Holds.Q, Holds.KV_LATENT, Holds.K_V_PER_HEAD, Holds.O)
_DIRECT = (Holds.Q, Holds.KV_LATENT, Holds.K_V_PER_HEAD, Holds.O)
_FUSED = (Holds.Q_K_V, Holds.O)
_QKV = "query_key_value dense"
_FALCON = "falcon RefinedWebModel"
_NEW = "new_decoder_architecture"

LAYOUTS: tuple[Layout, ...] = (
    # One tensor each.
    # Llama, Mistral, Mixtral, Qwen2, Qwen3, Gemma, OLMo, Granite, StarCoder2 … and most others.
    _row("llama", "q_proj k_proj v_proj o_proj"),
    # OPT, BART, mBART, Pegasus, Marian, Whisper, CLIP, SigLIP, GPT-J, GPT-Neo …
    _row("bart", "q_proj k_proj v_proj out_proj"),
    _row("phi", "q_proj k_proj v_proj dense"),
    _row("modernbert decoder", "q_proj k_proj v_proj Wo"),
    _row("neomme", "q_proj k_proj v_proj output_projection.o_proj"),
    _row("moshi", "q_proj.linear k_proj.linear v_proj.linear o_proj.linear"),
    _row("projections", "q_proj k_proj v_proj proj"),
    # BERT, RoBERTa, XLM-R, ELECTRA, CamemBERT, Longformer …
    _row("bert", "self.query self.key self.value output.dense"),
    _row(
        "convbert",
        "self.query self.key self.value output.dense",
        *(Holds.Q, Holds.K, Holds.V, Holds.O_AND_BRANCH),
        types="convbert",
    ),
    _row("vit", "attention.query attention.key attention.value output.dense"),
    _row("bigbird pegasus", "self.query self.key self.value output"),
    _row("deberta v2", "self.query_proj self.key_proj self.value_proj output.dense"),
    _row(
        "led",
        "longformer_self_attn.query longformer_self_attn.key longformer_self_attn.value output",
    ),
    _row("albert", "query key value dense"),
    _row("pix2struct", "query key value output"),
    _row("squeezebert", "attention.query attention.key attention.value post_attention.conv1d"),
    _row("reformer", "self_attention.query self_attention.key self_attention.value output.dense"),
    _row("prophetnet", "query_proj key_proj value_proj out_proj"),
    _row("distilbert", "q_lin k_lin v_lin out_lin"),
    # T5, mT5, UMT5, Flan-T5, Switch, MPNet
    _row("t5", "q k v o"),
    _row("xlnet", "=q =k =v =o"),
    _row("xlstm", "q k v out_proj", kind=Kind.LINEAR),
    _row("funnel", "q_head k_head v_head post_proj"),
    _row("ctrl", "Wq Wk Wv dense"),
    _row("cpmant", "project_q project_k project_v attention_out"),
    # Meta's own files: consolidated.safetensors
    _row("meta", "wq wk wv wo"),
    _row("meta, projected", "wq wk wv proj"),
    _row("inkling", "wq_du wk_dv wv_dv wo_ud"),
    _row("diffusers", "to_q to_k to_v to_out.0"),
    _row("cosmos", "to_q to_k to_v to_out"),
    _row("conformer", "linear_q linear_k linear_v linear_out"),
    _row("decoder nets", "query_net key_net value_net out_projection"),
    _row("torch, split", "=q_proj_weight =k_proj_weight =v_proj_weight out_proj"),
    # llama.cpp's names
    _row("gguf", "attn_q attn_k attn_v attn_output"),
    _row("gguf encoder-decoder", "attn_q attn_k attn_v attn_o"),
    _row("gguf, fused", "attn_qkv attn_output", *_FUSED),
    # v of two tensors of half the width
    _row(
        "zaya",
        "qkv_proj.q_proj qkv_proj.k_proj qkv_proj.v_proj_current qkv_proj.v_proj_delayed o_proj",
        *(Holds.Q, Holds.K, Holds.V, Holds.V, Holds.O),
    ),
    # Tensors that serve two roles.
    _row(
        "gemma 4, values are keys",
        "q_proj k_proj o_proj",
        *(Holds.Q, Holds.K_IS_V, Holds.O),
        types="gemma4 gemma4_text gemma4_unified gemma4_unified_text",
        flags=(("attention_k_eq_v", True, False),),
    ),
    _row(
        "diffusion gemma, values are keys",
        "q_proj k_proj o_proj",
        *(Holds.Q, Holds.K_IS_V, Holds.O),
        types="diffusion_gemma diffusion_gemma_text",
    ),
    _row(
        "reformer, queries are keys",
        "self_attention.query_key self_attention.value output.dense",
        *(Holds.Q_IS_K, Holds.V, Holds.O),
    ),
    # Low-rank projections.
    _row(
        "step 3",
        "q_proj wq k_proj v_proj o_proj",
        *(Holds.Q_LATENT, *_SPLIT),
        types="step3_text step3 step3_vl",
    ),
    _row(
        "mla",
        f"q_a_proj q_b_proj {_KV_A} kv_b_proj o_proj",
        *_LATENT,
        optional=f"q_a_proj {_KV_A}",
    ),
    _row(
        "mla, renamed gate",
        f"q_a_proj q_gate_proj {_KV_A} kv_b_proj o_proj",
        *_LATENT,
        optional=f"q_a_proj {_KV_A}",
    ),
    _row("mla, direct query", f"q_proj {_KV_A} kv_b_proj o_proj", *_DIRECT, optional=_KV_A),
    _row("mla, direct query, dense", f"q_proj {_KV_A} kv_b_proj dense", *_DIRECT, optional=_KV_A),
    _row("mla, mistral", "wq_a wq_b wkv_a_with_mqa wkv_b wo", *_LATENT, optional="wq_a"),
    _row(
        "mla, mistral, direct query",
        "wq wkv_a_with_mqa wkv_b wo",
        *_DIRECT,
        optional="wkv_a_with_mqa",
    ),
    _row("mla, deepseek's own", "wq_a wq_b wkv_a wkv_b wo", *_LATENT, optional="wq_a"),
    _row("mla, deepseek's own, direct query", "wq wkv_a wkv_b wo", *_DIRECT),
    _row(
        "mla, gguf",
        "attn_q_a attn_q_b attn_kv_a_mqa attn_kv_b attn_output",
        *_LATENT,
        optional="attn_q_a",
    ),
    _row(
        "mla, gguf, k and v apart",
        "attn_q_a attn_q_b attn_kv_a_mqa attn_k_b attn_v_b attn_output",
        *(Holds.Q_LATENT, Holds.Q, Holds.KV_LATENT, Holds.K, Holds.V, Holds.O),
        optional="attn_q_a",
    ),
    _row(
        "mla, gguf, k and v apart, direct query",
        "attn_q attn_kv_a_mqa attn_k_b attn_v_b attn_output",
        *(Holds.Q, Holds.KV_LATENT, Holds.K, Holds.V, Holds.O),
    ),
    _row("mla, gguf, direct query", "attn_q attn_kv_a_mqa attn_kv_b attn_output", *_DIRECT),
    _row(
        "deepseek v4",
        "wq_a wq_b wkv compressor.wkv compressor.wgate wo_a wo_b",
        *(Holds.Q_LATENT, Holds.Q, Holds.K_IS_V, Holds.K_IS_V, Holds.K_IS_V),
        *(Holds.O_GROUPED, Holds.O_LATENT),
        optional="wq_a compressor.wkv compressor.wgate wo_b",
    ),
    _row(
        "deepseek v4, module names",
        "q_a_proj q_b_proj kv_proj compressor.kv_proj compressor.gate_proj o_a_proj o_b_proj",
        *(Holds.Q_LATENT, Holds.Q, Holds.K_IS_V, Holds.K_IS_V, Holds.K_IS_V),
        *(Holds.O_GROUPED, Holds.O_LATENT),
        optional="q_a_proj compressor.kv_proj compressor.gate_proj o_b_proj",
    ),
    # k and v in one tensor.
    _row(
        "santacoder",
        "q_attn kv_attn c_proj",
        *(Holds.Q, Holds.K_V, Holds.O),
        transposed=True,
    ),
    _row(
        "gpt2 cross-attention",
        "q_attn c_attn c_proj",
        *(Holds.Q, Holds.K_V, Holds.O),
        transposed=True,
        kind=Kind.CROSS,
        module="crossattention",
    ),
    _row(
        "jetmoe",
        "experts.input_linear kv_proj experts.output_linear",
        *(Holds.Q, Holds.K_V, Holds.O),
    ),
    _row(
        "telechat",
        "query key_value dense",
        *(Holds.Q, Holds.K_V_PER_GROUP, Holds.O),
        types="telechat telechat2",
    ),
    # q, k and v in one tensor, in the one order that these names are known for.
    _row(
        "gpt2",
        "c_attn c_proj",
        *_FUSED,
        transposed=True,
        types="gpt2 gpt-sw3 jais openai-gpt imagegpt decision_transformer",
        settled=True,
    ),
    # Quantisers hand out a Conv1D's weight as that of the linear layer which they put in its place.
    _row(
        "gpt2, as linear",
        "c_attn c_proj",
        *_FUSED,
        types="gpt2 gpt-sw3 jais openai-gpt imagegpt decision_transformer",
    ),
    _row("phi3", "qkv_proj o_proj", *_FUSED, types="phi3 phi4_multimodal", settled=True),
    _row("baichuan", "W_pack o_proj", *_FUSED),
    _row("modernbert", "Wqkv Wo", *_FUSED),
    _row("mpt", "Wqkv out_proj", *_FUSED),
    _row("torch", "=in_proj_weight out_proj", *_FUSED),
    _row("olmo, published", "att_proj attn_out", *_FUSED),
    _row("timm", "qkv proj", *_FUSED),
    _row("timm, projection", "qkv projection", *_FUSED),
    _row("nemo", "w_qkv out_proj", *_FUSED),
    _row("hrm", "gqkv_proj o_proj", Holds.GATE_Q_K_V, Holds.O),
    _row("internlm 2", "wqkv wo", Holds.QKV_PER_GROUP, Holds.O),
    _row("deberta", "self.in_proj output.dense", Holds.QKV_PER_HEAD, Holds.O),
    # The same leaves in several orders: the config decides.
    _row("qwen", "c_attn c_proj", *_FUSED, types="qwen"),
    _row(
        "gpt_bigcode",
        "c_attn c_proj",
        *(Holds.Q_ONE_K_V, Holds.O),
        types="gpt_bigcode",
        flags=(("multi_query", True, True),),
    ),
    _row(
        "gpt_bigcode, multi-head",
        "c_attn c_proj",
        Holds.QKV_PER_HEAD,
        Holds.O,
        types="gpt_bigcode",
        flags=(("multi_query", False, True),),
    ),
    _row("openelm", "qkv_proj out_proj", *_FUSED, types="openelm"),
    _row("codegen", "qkv_proj out_proj", Holds.QVK_IN_FOUR, Holds.O, types="codegen"),
    _row(
        "minimax, lightning",
        "qkv_proj out_proj",
        Holds.QKV_PER_HEAD,
        Holds.O,
        types="minimax MiniMaxText01 minimax_text_01 minimax_m1",
        kind=Kind.LINEAR,
    ),
    _row("gpt_neox", _QKV, Holds.QKV_PER_HEAD, Holds.O, types="gpt_neox gpt_neox_japanese"),
    _row(
        "chatglm", _QKV, Holds.QKV_PER_HEAD, Holds.O, types="chatglm chatglm1", module="attention"
    ),
    _row(
        "chatglm 2",
        _QKV,
        *(Holds.Q_GROUPS_K_V, Holds.O),
        types="chatglm chatglm2 chatglm3",
        flags=(("multi_query_attention", True, False),),
        module="self_attention",
    ),
    _row(
        "chatglm 2, multi-head",
        _QKV,
        Holds.QKV_PER_HEAD,
        Holds.O,
        types="chatglm chatglm2 chatglm3 chatglm3_nomqa",
        flags=(("multi_query_attention", False, False),),
        module="self_attention",
    ),
    _row("bailing", _QKV, *_FUSED, types="bailing_moe bailing_moe_v2 bailing_moe_linear"),
    _row("bloom", _QKV, Holds.QKV_PER_HEAD, Holds.O, types="bloom"),
    _row("persimmon", _QKV, Holds.QKV_PER_HEAD, Holds.O, types="persimmon fuyu"),
    _row("phi3 small", _QKV, Holds.QKV_PER_GROUP, Holds.O, types="phi3small"),
    _row(
        "falcon, multi-query",
        _QKV,
        *(Holds.Q_ONE_K_V, Holds.O),
        types=_FALCON,
        flags=((_NEW, False, False), ("multi_query", True, True)),
    ),
    _row(
        "falcon, multi-head",
        _QKV,
        Holds.QKV_PER_HEAD,
        Holds.O,
        types=_FALCON,
        flags=((_NEW, False, False), ("multi_query", False, True)),
    ),
    _row(
        "falcon, grouped",
        _QKV,
        Holds.QKV_PER_GROUP,
        Holds.O,
        types=_FALCON,
        flags=((_NEW, True, False),),
    ),
    # The first releases of Falcon-40B carry this type instead of the flag.
    _row("falcon, RefinedWeb", _QKV, Holds.QKV_PER_GROUP, Holds.O, types="RefinedWeb"),
    # Linear attention in tensors of its own.
    _row(
        "gated delta net",
        "in_proj_qkv in_proj_z out_proj",
        Holds.QK_V,
        Holds.GATE,
        Holds.O,
        optional="in_proj_z",
        kind=Kind.LINEAR,
    ),
    _row(
        "gated delta net, grouped",
        "in_proj_qkvz out_proj",
        Holds.QKVZ_PER_GROUP,
        Holds.O,
        types="qwen3_next",
        kind=Kind.LINEAR,
    ),
)

# A last part of the module's name that says what the block attends to.
KIND_OF_MODULE: Mapping[str, Kind] = {
    **dict.fromkeys(
        ("encoder_attn", "cross_attn", "crossattention", "cross_attention", "EncDecAttention"),
        Kind.CROSS,
    ),
    **dict.fromkeys(("linear_attn", "linear_attention", "mlstm_layer"), Kind.LINEAR),
}
# The same of a part of a stack's name.
KIND_OF_STACK: Mapping[str, Kind] = {
    "cross_attn_layers": Kind.CROSS,
    "gated_cross_attn_layers": Kind.CROSS,
    "cross_attention": Kind.CROSS,
    "decoding_cross_attention": Kind.CROSS,
}
# Beside the matrices of a block, these say that it keeps a state instead of a softmax.
STATE_LEAVES = frozenset({"A_log", "dt_bias", "q_conv1d.weight", "forget_gate.A_log"})
# … where the architecture is one that has such blocks, and not one that ignores such tensors.
STATE_TYPES = frozenset(
    {
        "kimi_linear",
        "glm5_next",
        "glm5_next_text",
        "bailing_hybrid",
        "bailing_moe_linear",
    }
)

# Architectures whose q holds, head by head, the query and the output's gate, …
GATED_TYPES = frozenset(
    {
        "qwen3_next",
        "qwen3_5",
        "qwen3_5_text",
        "qwen3_5_moe",
        "qwen3_5_moe_text",
        "qwen4_exp",
        "qwen4_exp_text",
        "minicpm_ocr",
        "minicpmv4_6",
        "minicpmv4_7",
        "qwen3next",
        "qwen35",
        "qwen35moe",
        "axk2",
    }
)
GATE_FLAG = "attn_output_gate"  # … the flag that says so, …
GATED_LEAVES = frozenset(
    {"o_proj.weight", "attn_output.weight"}
)  # … and what tells their text's blocks from those of other towers.

# Gains of norms, below a layer; `{}` is the attention's module, `{^}` the one above it. Of those
# that feed attention, or follow it, the first that is there counts.
NORMS: tuple[str, ...] = (
    "{}_layer_norm.weight",  # BART
    "{}.output.LayerNorm.weight",  # BERT
    "{}.output.LayerNorm.gamma",
    "{}.LayerNorm.weight",  # MPNet, ALBERT
    "{^}.layer_norm.weight",  # T5
)
OWN_NORMS: tuple[str, ...] = (  # of self-attention alone
    "input_layernorm.weight",
    "ln_attn.weight",
    "ln_1.weight",
    "layer_norm1.weight",
    "sa_layer_norm.weight",
    "attention_norm.weight",
    "attn_output_norm.weight",
    "attn_norm_2.weight",
    "attn_norm.weight",
    "norm1.weight",
)
HEAD_NORMS: Mapping[Role, tuple[str, ...]] = {
    Role.Q_NORM: ("{}.q_norm.weight", "{}.q_layernorm.weight", "attn_q_norm.weight"),
    Role.K_NORM: ("{}.k_norm.weight", "{}.k_layernorm.weight", "attn_k_norm.weight"),
}

# Parts of names that training tools put around modules; a model's own names do not have them.
WRAPPERS = frozenset(
    {
        "_orig_mod",
        "module",
        "_fsdp_wrapped_module",
        "_checkpoint_wrapped_module",
        "base_layer",
    }
)

# llama.cpp names a module and its leaf in one part.
JOINED_PARTS: Mapping[str, tuple[str, str]] = {
    f"cross_attn_{leaf}": ("cross_attn", leaf) for leaf in ("q", "k", "v", "o")
}

# What a layer holds in place of attention: leaves that must all be there, the module free.
MIXERS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "state-space",
        frozenset({"A_log", "D", "conv1d.weight", "in_proj.weight", "out_proj.weight"}),
    ),
    ("state-space", frozenset({"ssm_a", "ssm_conv1d.weight", "ssm_out.weight"})),  # llama.cpp
    ("recurrent", frozenset({"rg_lru.recurrent_param", "linear_out.weight"})),
    ("convolution", frozenset({"conv.weight", "in_proj.weight", "out_proj.weight"})),
    ("rwkv", frozenset({"time_decay", "receptance.weight", "output.weight"})),
)

# Parts of a stack's name that say it reads images, sound or the like: it is measured and reported,
# but the text's stack is what a release is judged by first.
OTHER_TOWERS = (
    *("vision", "visual", "vit", "image", "img", "audio", "speech", "sound", "video", "sam"),
    *("clip", "siglip", "qformer", "resampler", "perceiver", "codec", "encodec", "mimi", "dac"),
    *("whisper", "talker", "code2wav", "token2wav", "depth_decoder", "patcher", "perception"),
)
# Config keys of the number of layers, by what the stack's name says it is.
DEPTHS: Mapping[str, tuple[str, ...]] = {
    "dec.blk": ("num_decoder_layers",),
    "encoder": ("encoder_layers", "num_encoder_layers"),
    "decoder": ("decoder_layers", "num_decoder_layers"),
    "": ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_transformer_layers"),
}
# The same for architectures that count otherwise: the key, and the number of the first layer.
DEPTHS_OF_TYPE: Mapping[str, tuple[str, int]] = {
    "hrm_text": ("num_layers_per_stack", 0),
    "mixformer-sequential": ("n_layer", 1),  # layer 0 is the embedding
    "phi1_mixformer": ("n_layer", 1),
}
# The last so many layers take keys and values from an earlier layer of their type.
SHARED_LAYERS = "num_kv_shared_layers"
SHARING_TYPES = frozenset(
    {
        "gemma3n",
        "gemma3n_text",
        "gemma4",
        "gemma4_text",
        "gemma4_unified",
        "gemma4_unified_text",
    }
)
LAYER_TYPES = "layer_types"
# By layer, the one whose latent of k and v it uses: its own number, or an earlier one's.
LATENT_SOURCES = "kv_source_layers"
LATENT_SHARING_TYPES = frozenset({"mistral_large4", "mistral_large4_text"})

# Architectures whose layers have attention beside another mixer.
PARALLEL_TYPES = frozenset({"falcon_h1", "zamba", "zamba2"})

# Architectures whose text has blocks of layers, numbered twice; the most towers that are compared.
NESTED_TYPES = frozenset({"funnel"})
MAX_TOWERS = 64

LEAVES = frozenset().union(
    *(row.leaves for row in LAYOUTS), STATE_LEAVES, *(leaves for _, leaves in MIXERS)
)
