"""Every layout as one: each matrix by its role, as outputs × inputs, and back again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from benchmarks.lineage.files import (
    CONFIG,
    LINEAGE,
    Facts,
    State,
    load_state,
    load_tokenizer,
    read_json,
)
from benchmarks.lineage.layouts import LAYOUTS, Layout, fuse, split

# What a base says of itself that is true of what comes from it too.
INHERITED = ("id", "parents", "family", "seed", "corpus", "tokenizer", "layers", "width", "tied")
BIAS = ".bias"
ENDINGS = ((".weight", ""), (BIAS, BIAS))  # of a name in a file, and of a role
QKV = ("q", "k", "v")
UP = ("gate", "up")
READERS = (*QKV, *UP, "router")  # what reads the residual stream
WRITERS = ("o", "down")  # what adds to it
NORMS = ("norm_attn", "norm_ffn", "post_attn", "post_ffn")  # as wide as it
# What reads the output of a norm.
READ_BY = {"norm_attn": QKV, "norm_ffn": UP}


@dataclass(frozen=True)
class Model:
    """A checkpoint by roles. Layers and `top` are altered on a copy only."""

    config: Facts
    top: State
    layers: tuple[State, ...]
    tokenizer: Tokenizer
    lineage: Facts
    folder: Path
    head_width: int

    @property
    def layout(self) -> Layout:
        """How the model's files are named and packed."""
        return LAYOUTS[self.config["model_type"]]

    @property
    def tied(self) -> bool:
        """Whether tokens are predicted with the embeddings."""
        return "head" not in self.top

    @property
    def width(self) -> int:
        """The width of the residual stream."""
        return self.top["embed"].shape[1]

    @property
    def heads(self) -> int:
        """How many heads have queries."""
        return self.layers[0]["q"].shape[0] // self.head_width

    @property
    def groups(self) -> int:
        """How many heads have keys and values."""
        return self.layers[0]["k"].shape[0] // self.head_width

    def copy(self) -> Model:
        """A model of its own tensors and config."""
        return replace(
            self,
            config=dict(self.config),
            top={role: tensor.clone() for role, tensor in self.top.items()},
            layers=tuple({r: tensor.clone() for r, tensor in la.items()} for la in self.layers),
        )

    def matrices(self) -> Iterable[tuple[State, str]]:
        """Where each matrix of each layer is: what quantisation, pruning and noise change."""
        for layer in self.layers:
            for role in [role for role in layer if layer[role].ndim == 2]:
                yield layer, role


def read_model(folder: Path) -> Model:
    """A checkpoint by roles."""
    config = read_json(folder / CONFIG)
    layout = LAYOUTS[config["model_type"]]
    state = load_state(folder)
    top = read_top(state, layout)
    count = config[layout.size("num_hidden_layers")]
    heads = config[layout.size("num_attention_heads")]
    layers = tuple(read_layer(state, layout, number, heads) for number in range(count))
    decode_gains(layout, [top, *layers], 1)
    width = config.get("head_dim") or top["embed"].shape[1] // heads
    facts = read_json(folder / LINEAGE)
    lineage = {key: facts[key] for key in INHERITED}
    model = Model(config, top, layers, load_tokenizer(folder), lineage, folder, width)
    if unread := state.keys() ^ stored(model)[0].keys():
        raise ValueError(f"{folder.name} holds what its layout does not: {sorted(unread)[:3]}")
    return model


def read_top(state: State, layout: Layout) -> State:
    """The tensors above the layers by role."""
    top: State = {}
    for role, name in layout.top.items():
        for ending, suffix in ENDINGS:
            if name + ending in state:
                top[role + suffix] = state[name + ending]
    return top


def read_layer(state: State, layout: Layout, number: int, heads: int) -> State:
    """One layer's tensors by role."""
    layer: State = {}
    for role, name in layout.layer.items():
        for ending, suffix in ENDINGS:
            tensor = state.get(f"{layout.prefix}{number}.{name}{ending}")
            if tensor is not None:
                turned = layout.transposed and tensor.ndim == 2
                layer[role + suffix] = tensor.T if turned else tensor
    for suffix in ("", BIAS):
        if f"qkv{suffix}" in layer:
            parts = split(layer.pop(f"qkv{suffix}"), layout.fused, heads)
            layer |= {role + suffix: part for role, part in zip(QKV, parts, strict=True)}
    return layer


def decode_gains(layout: Layout, tensors: Sequence[State], sign: int) -> None:
    """Add to each gain what its architecture adds, or take it off again."""
    for state in tensors:
        for role in state:
            if "norm" in role or role.startswith("post_"):
                state[role] = state[role] + sign * layout.offset


def stored(model: Model) -> tuple[State, Facts]:
    """The tensors under the names that files have, and the config that goes with them."""
    model = settled(model.copy())
    layout, heads, state = model.layout, model.heads, dict[str, torch.Tensor]()
    decode_gains(layout, [model.top, *model.layers], -1)
    for role, tensor in model.top.items():
        name = layout.top[role.removesuffix(BIAS)]
        state[name + (BIAS if role.endswith(BIAS) else ".weight")] = tensor
    for number, layer in enumerate(model.layers):
        for suffix in ("", BIAS) if layout.fused else ():
            if f"q{suffix}" in layer:
                parts = [layer.pop(role + suffix) for role in QKV]
                layer[f"qkv{suffix}"] = fuse(parts, layout.fused, heads)
        for role, tensor in layer.items():
            name = f"{layout.prefix}{number}.{layout.layer[role.removesuffix(BIAS)]}"
            turned = layout.transposed and tensor.ndim == 2
            suffix = BIAS if role.endswith(BIAS) else ".weight"
            state[name + suffix] = tensor.T if turned else tensor
    return state, model.config


def settled(model: Model) -> Model:
    """The same model, whose config says the sizes that its tensors have."""
    first = model.layers[0]
    inner = first.get("up", first.get("expert0.up"))
    sizes = {
        "vocab_size": model.top["embed"].shape[0],
        "num_attention_heads": model.heads,
        "hidden_size": model.width,
        "num_hidden_layers": len(model.layers),
        "intermediate_size": None if inner is None else inner.shape[0],
        "tie_word_embeddings": model.tied,
    }
    if "num_key_value_heads" in model.config:
        sizes["num_key_value_heads"] = model.groups
    model.config.update({model.layout.size(name): size for name, size in sizes.items()})
    return model
