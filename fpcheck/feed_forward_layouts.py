"""DATA: where each architecture keeps its feed-forward matrices, one row a naming and packing.

A row lists the leaves of one feed-forward block; the module above them may have any name. Which way
round a matrix is stored, and whether two lie in one tensor, follows from its shape. The gate is
what goes through the activation function, whatever its tensor is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Order(StrEnum):
    """How gate and up lie in one tensor, along its outputs."""

    GATE_UP = "all of the gate, all of up"
    UP_GATE = "all of up, all of the gate"
    ALTERNATING = "one of the gate, one of up, …"


@dataclass(frozen=True)
class Row:
    """One way to name and pack a feed-forward block.

    `order` is that of gate and up in the up tensor, where it has twice the outputs that the down
    tensor has inputs; "" where no known architecture packs it so. `types` are the architectures
    that the row is of (none: any). With `experts`, all experts' matrices lie below each other in
    one of two axes, and the tensor of that name, beside the module, has a row for each.
    """

    up: str
    down: str
    gate: str = ""
    order: Order | None = None
    types: frozenset[str] = frozenset()
    experts: str = ""


def _leaf(name: str) -> str:
    """Most leaves are the weights of a module; those that are none begin with `=`."""
    return name[1:] if name.startswith("=") else name and f"{name}.weight"


def _row(up: str, down: str, gate: str = "", *, order: Order | None = None, types: str = "") -> Row:
    return Row(_leaf(up), _leaf(down), _leaf(gate), order, frozenset(types.split()))


_DOUBLE = Order.GATE_UP

ROWS: tuple[Row, ...] = (
    # Llama, Mistral, Qwen, Gemma, Baichuan … and each expert of most mixtures.
    _row("up_proj", "down_proj", "gate_proj"),
    _row("up_proj.linear", "down_proj.linear", "gate_proj.linear"),
    _row("=up_proj", "=down_proj", "=gate_proj"),  # stacks of experts
    # Nemotron, Arcee, MPT, GTE …
    _row("up_proj", "down_proj"),
    _row("=up_proj", "=down_proj"),
    _row("up_proj", "down_proj", order=Order.ALTERNATING, types="phi3small"),
    # Phi-3, GLM-4, and stacks of experts as transformers 5 writes them.
    _row("gate_up_proj", "down_proj", order=_DOUBLE),
    _row("=gate_up_proj", "=down_proj", order=_DOUBLE),
    _row("=gate_up_proj", "=down_proj", order=Order.ALTERNATING, types="gpt_oss"),
    _row("=w13_weight", "=w2_weight", order=Order.ALTERNATING),  # Inkling
    _row("w13_dn", "w2_md", order=Order.ALTERNATING),
    _row("up_gate_proj", "down_proj", order=Order.UP_GATE),
    # Meta, InternLM 2, LFM2; the experts of Mixtral, Phi-MoE, DeepSeek V4
    _row("w3", "w2", "w1"),
    _row("w1", "c_proj", "w2"),  # Qwen
    # GPT-2, GPT-BigCode, StarCoder2, GPT-Neo
    _row("c_fc", "c_proj"),
    _row("c_fc", "c_proj", "c_fc2"),  # Jais
    # OPT, BART, Whisper, CLIP, Phi
    _row("fc1", "fc2", order=_DOUBLE),
    _row("fc11", "fc2", "fc12"),  # Nomic BERT
    _row("fc_in", "fc_out"),  # GPT-J, CodeGen
    # GPT-NeoX, BLOOM, Falcon, Persimmon; doubled: ChatGLM 2 and later
    _row("dense_h_to_4h", "dense_4h_to_h", order=_DOUBLE),
    # BERT and its kin
    _row("intermediate.dense", "output.dense"),
    _row("intermediate", "output"),  # LED's, ProphetNet's
    _row("dense.dense", "output.dense"),  # Reformer
    _row("ffn", "ffn_output"),  # ALBERT
    _row("lin1", "lin2"),  # DistilBERT, XLM
    _row("linear1", "linear2"),  # torch
    _row("linear_1", "linear_2"),  # Funnel
    _row("layer_1", "layer_2"),  # XLNet
    # T5, mT5, Switch
    _row("wi", "wo"),
    _row("wi_1", "wo", "wi_0"),
    _row("Wi", "Wo", order=_DOUBLE),  # ModernBERT
    _row("ff_proj", "ff_out", order=Order.UP_GATE),  # OLMo, Molmo
    _row("proj_1", "proj_2", order=_DOUBLE),  # OpenELM
    _row("proj_up", "proj_down", "proj_up_gate"),  # xLSTM
    _row("w_in.w_1", "w_out", "w_in.w_0"),  # CPM-Ant
    _row("linear_v", "linear_1", "linear"),  # Grok
    _row("0", "2"),  # CTRL
    # Granite's mixtures, JetMoE
    _row("input_linear", "output_linear", order=_DOUBLE),
    # DBRX
    Row("v1", "w2", "w1", experts="router.layer.weight"),
    # llama.cpp
    _row("ffn_up", "ffn_down", "ffn_gate"),
    _row("ffn_up", "ffn_down", order=_DOUBLE),
    _row("ffn_up_exps", "ffn_down_exps", "ffn_gate_exps"),
    _row("ffn_up_exps", "ffn_down_exps"),
    _row("ffn_gate_up_exps", "ffn_down_exps", order=_DOUBLE),
    _row("ffn_up.0", "ffn_down.0", "ffn_gate.0"),  # before stacks
    _row("ffn_up_shexp", "ffn_down_shexp", "ffn_gate_shexp"),
)

BY_UP: Mapping[str, tuple[Row, ...]] = {
    up: tuple(row for row in ROWS if row.up == up) for up in {row.up for row in ROWS}
}
