"""Little models as plain matrices: written in several layouts, transformed, and compared by numpy.

What a signature keeps of them beside the profile is computed here a second time, from the matrices
themselves and by the shortest code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpcheck.anchors import ANCHORS
from fpcheck.attention import find_attention
from fpcheck.checkpoint import read_checkpoint
from fpcheck.encodings import decoded
from fpcheck.layouts import Kind, Role
from fpcheck.signature import Moments, TowerProfile
from fpcheck.signature.arrays import QK, VO, Arrays
from fpcheck.signature.measure import measure
from fpcheck.signature.positions import NONE, positions
from fpcheck.signature.probes import Probe, probes_of
from tests.checkpoints import safetensors
from tests.memory_source import MemorySource

Matrix = NDArray[np.floating[Any]]
Layer = Mapping[str, Matrix]
Tensors = dict[str, np.ndarray]
FILE = "model.safetensors"
GATE, UP, DOWN = "ff.gate", "ff.up", "ff.down"
NORM, Q_NORM, K_NORM = "norm", "q.norm", "k.norm"
ROLES = ("q", "k", "v", "o", GATE, UP, DOWN)


@dataclass(frozen=True)
class Model:
    """A model's matrices, outputs × inputs; the embedding has a row for each of `tokens`."""

    heads: int
    groups: int
    tokens: tuple[str, ...]
    embedding: Matrix
    layers: tuple[Layer, ...]

    @property
    def width(self) -> int:
        """How wide the residual stream is."""
        return int(self.embedding.shape[1])

    @property
    def head(self) -> int:
        """Channels of a head."""
        return len(self.layers[0]["q"]) // self.heads


def random_model(
    seed: int = 0,
    *,
    layers: int = 3,
    width: int = 64,
    heads: int = 4,
    groups: int = 2,
    head: int = 16,
    inner: int = 96,
    head_norms: bool = False,
) -> Model:
    """A model that nothing else is like; its spreads differ by layer and role."""
    random = np.random.default_rng(seed)
    shapes = {
        "q": (heads * head, width),
        "k": (groups * head, width),
        "v": (groups * head, width),
        "o": (width, heads * head),
        GATE: (inner, width),
        UP: (inner, width),
        DOWN: (width, inner),
    }

    def layer() -> dict[str, Matrix]:
        own = {r: random.normal(scale=random.uniform(0.02, 0.2), size=s) for r, s in shapes.items()}
        own[NORM] = random.uniform(0.5, 1.5, width)
        if head_norms:
            own |= {norm: random.uniform(0.5, 1.5, head) for norm in (Q_NORM, K_NORM)}
        return {role: matrix.astype(np.float32) for role, matrix in own.items()}

    tokens = ("<s>", *ANCHORS, *(f"word{n}" for n in range(9)))
    embedding = random.normal(size=(len(tokens), width)).astype(np.float32)
    return Model(heads, groups, tokens, embedding, tuple(layer() for _ in range(layers)))


# How it is written.


def llama(model: Model) -> tuple[Tensors, dict[str, Any]]:
    """One tensor for each role, as transformers writes Llama."""
    names = {
        **{role: f"self_attn.{role}_proj" for role in "qkvo"},
        GATE: "mlp.gate_proj",
        UP: "mlp.up_proj",
        DOWN: "mlp.down_proj",
        NORM: "input_layernorm",
        Q_NORM: "self_attn.q_norm",
        K_NORM: "self_attn.k_norm",
    }
    kind = "qwen3" if Q_NORM in model.layers[0] else "llama"
    return named("model.layers", "model.embed_tokens", names, model), {**sizes(model, kind)}


def meta(model: Model) -> tuple[Tensors, dict[str, Any]]:
    """Meta's own files: the rows of q and k are pair after pair."""
    names = {
        **{role: f"attention.w{role}" for role in "qkvo"},
        GATE: "feed_forward.w1",
        UP: "feed_forward.w3",
        DOWN: "feed_forward.w2",
        NORM: "attention_norm",
    }
    paired = on_layers(model, lambda _, x: {r: pairs(x[r], model.head) for r in ("q", "k")})
    return named("layers", "tok_embeddings", names, paired), sizes(model, "llama")


def neox(model: Model) -> tuple[Tensors, dict[str, Any]]:
    """q, k and v of head 0, then those of head 1 …"""
    fused = on_layers(model, lambda _, x: {"qkv": interleaved(x, model.heads)})
    names = {
        "qkv": "attention.query_key_value",
        "o": "attention.dense",
        NORM: "input_layernorm",
        UP: "mlp.dense_h_to_4h",
        DOWN: "mlp.dense_4h_to_h",
    }
    return named("gpt_neox.layers", "gpt_neox.embed_in", names, fused), sizes(model, "gpt_neox")


def internlm2(model: Model) -> tuple[Tensors, dict[str, Any]]:
    """Of each key's head its queries, its k, its v."""
    fused = on_layers(model, lambda _, x: {"qkv": interleaved(x, model.groups)})
    names = {
        "qkv": "attention.wqkv",
        "o": "attention.wo",
        NORM: "attention_norm",
        GATE: "feed_forward.w1",
        UP: "feed_forward.w3",
        DOWN: "feed_forward.w2",
    }
    return named("model.layers", "model.tok_embeddings", names, fused), sizes(model, "internlm2")


def falcon(model: Model) -> tuple[Tensors, dict[str, Any]]:
    """The same order under other names."""
    fused = on_layers(model, lambda _, x: {"qkv": interleaved(x, model.groups)})
    names = {
        "qkv": "self_attention.query_key_value",
        "o": "self_attention.dense",
        NORM: "ln_attn",
        UP: "mlp.dense_h_to_4h",
        DOWN: "mlp.dense_4h_to_h",
    }
    config = {**sizes(model, "falcon"), "new_decoder_architecture": True}
    config["num_kv_heads"] = config.pop("num_key_value_heads")
    return named("transformer.h", "transformer.word_embeddings", names, fused), config


def phi3(model: Model) -> tuple[Tensors, dict[str, Any]]:
    """All of q, all of k, all of v; all of the gate, all of up."""
    fused = on_layers(
        model,
        lambda _, x: {
            "qkv": np.concatenate([x["q"], x["k"], x["v"]]),
            "gate_up": np.concatenate([x[GATE], x[UP]]),
        },
    )
    names = {
        "qkv": "self_attn.qkv_proj",
        "o": "self_attn.o_proj",
        NORM: "input_layernorm",
        "gate_up": "mlp.gate_up_proj",
        DOWN: "mlp.down_proj",
    }
    return named("model.layers", "model.embed_tokens", names, fused), sizes(model, "phi3")


def gpt2(model: Model) -> tuple[Tensors, dict[str, Any]]:
    """Everything stored as inputs × outputs."""
    fused = on_layers(model, lambda _, x: {"qkv": np.concatenate([x["q"], x["k"], x["v"]])})
    turned = on_layers(fused, lambda _, x: {r: x[r].T for r in ("qkv", "o", UP, DOWN)})
    names = {
        "qkv": "attn.c_attn",
        "o": "attn.c_proj",
        NORM: "ln_1",
        UP: "mlp.c_fc",
        DOWN: "mlp.c_proj",
    }
    config = {"model_type": "gpt2", "n_layer": len(model.layers), "n_head": model.heads}
    return named("h", "wte", names, turned), {**config, "n_embd": model.width}


LAYOUTS = {f.__name__: f for f in (llama, meta, neox, internlm2, falcon, phi3, gpt2)}
MULTI_HEAD = ("neox", "gpt2")  # layouts that have as many heads of k as of q


def named(stack: str, table: str, names: Mapping[str, str], model: Model) -> Tensors:
    """The tensors under these names; a role without one is left out."""
    own = {
        f"{stack}.{number}.{name}.weight": np.ascontiguousarray(layer[role])
        for number, layer in enumerate(model.layers)
        for role, name in names.items()
        if role in layer
    }
    return {f"{table}.weight": model.embedding, **own}


def sizes(model: Model, kind: str) -> dict[str, Any]:
    """A config."""
    return {
        "model_type": kind,
        "num_hidden_layers": len(model.layers),
        "hidden_size": model.width,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.groups,
        "head_dim": model.head,
    }


def on_layers(model: Model, change: Any) -> Model:
    """The model with what `change` gives for each layer's number and matrices."""
    layers = tuple({**own, **change(number, own)} for number, own in enumerate(model.layers))
    return replace(model, layers=layers)


def interleaved(layer: Layer, repeats: int) -> Matrix:
    """So many times a share of q, of k and of v."""
    parts = [layer[role].reshape(repeats, -1, layer[role].shape[1]) for role in "qkv"]
    return np.concatenate(parts, axis=1).reshape(-1, layer["q"].shape[1])


def pairs(rows: Matrix, head: int) -> Matrix:
    """Rows in transformers' order put pair after pair."""
    return rows.reshape(-1, 2, head // 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


# What is measured of it.


def files(tensors: Tensors, config: Mapping[str, Any], tokens: Sequence[str]) -> dict[str, bytes]:
    """A checkpoint's files."""
    return {
        FILE: safetensors(tensors),
        "config.json": json.dumps(config).encode(),
        "vocab.json": json.dumps({token: n for n, token in enumerate(tokens)}).encode(),
    }


def sharded(content: tuple[Tensors, Mapping[str, Any]], model: Model, names: Sequence[str]) -> Any:
    """The files with its tensors, in that order, spread over three shards."""
    tensors, config = content
    parts = [list(names)[shard::3] for shard in range(3)]
    shards = {f"model-{n + 1:05}-of-00003.safetensors": part for n, part in enumerate(parts)}
    found = files({}, config, model.tokens)
    del found[FILE]
    found |= {shard: safetensors({n: tensors[n] for n in part}) for shard, part in shards.items()}
    weight_map = {name: shard for shard, part in shards.items() for name in part}
    found[f"{FILE}.index.json"] = json.dumps({"metadata": {}, "weight_map": weight_map}).encode()
    return found


def opened(source: MemorySource) -> tuple[Any, Any, dict[str, Probe]]:
    """Checkpoint, attention and probes."""
    checkpoint, faults = decoded(read_checkpoint(source))
    attention = find_attention(checkpoint)
    assert (faults, attention.unmeasured) == ((), ())
    return checkpoint, attention, probes_of(checkpoint, attention)


def measured(content: Mapping[str, bytes], *, workers: int = 2, **options: Any) -> TowerProfile:
    """What is measured of the one tower in these files."""
    checkpoint, attention, probes = opened(MemorySource(content, **options))
    assert [probe.fault for probe in probes.values()] == [""]
    (tower,) = measure(checkpoint, attention, probes, workers=workers)
    return tower


def arrays_of(model: Model, layout: Any = llama, **options: Any) -> Arrays:
    """The arrays that are kept of a model."""
    found = measured(files(*layout(model), model.tokens), **options).arrays
    assert found is not None
    return found


# The same by numpy.


def plain_samples(role: str, matrix: Matrix) -> Matrix:
    """The values at the role's positions, 0 where there is none."""
    found = np.zeros(len(positions(role, *matrix.shape)))
    for place, (row, column) in enumerate(positions(role, *matrix.shape)):
        found[place] = matrix[row, column] if row != NONE else 0
    return found.astype(np.float16)


def plain_whitened(rows: Matrix) -> Matrix:
    """(XXᵀ + εI)^(-½) X, ε a tenth of the mean eigenvalue."""
    x = rows.astype(np.float64)
    x = x - x.mean(axis=0)
    gram = x @ x.T
    values, vectors = np.linalg.eigh(gram + 0.1 * np.trace(gram) / len(x) * np.eye(len(x)))
    return vectors @ np.diag(values**-0.5) @ vectors.T @ x


def plain_forms(model: Model, offset: float = 0.0) -> dict[str, list[Matrix]]:
    """What A_qk and A_vo of each layer have of their own, head by head as their formulas say."""
    x = plain_whitened(model.embedding[[model.tokens.index(anchor) for anchor in ANCHORS]])
    found: dict[str, list[Matrix]] = {QK: [], VO: []}
    for layer in model.layers:
        q, k, v, o = (layer[role].astype(np.float64) for role in "qkvo")
        q, k, v = (each * (layer[NORM].astype(np.float64) + offset) for each in (q, k, v))
        qk, vo = np.zeros((2, len(x), len(x)))
        for head in range(model.heads):
            own = slice(head * model.head, (head + 1) * model.head)
            group = head * model.groups // model.heads
            theirs = slice(group * model.head, (group + 1) * model.head)
            q_gain, k_gain = (layer[n] + offset if n in layer else 1.0 for n in (Q_NORM, K_NORM))
            qk += (x @ q[own].T * q_gain) @ (x @ k[theirs].T * k_gain).T
            vo += (x @ v[theirs].T) @ (x @ o[:, own]).T
        for name, form in ((QK, qk), (VO, vo)):
            found[name].append(own_part(form, ANCHORS))
    return found


def own_part(form: Matrix, anchors: Sequence[str]) -> Matrix:
    """A form without the means of each class of anchors, and without its leading component."""
    classes = [
        [n for n, anchor in enumerate(anchors) if kind(anchor)]
        for kind in (str.isdigit, str.isalpha, lambda anchor: not anchor.isalnum())
    ]
    rest = np.array(form)
    for own in classes:
        rest[own] -= rest[own].mean(axis=0)
    for own in classes:
        rest[:, own] -= rest[:, own].mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(rest.T @ rest)
    return rest - np.outer(rest @ vectors[:, -1], vectors[:, -1])


def correlation(one: Iterable[float], other: Iterable[float]) -> float:
    """Pearson's."""
    return float(np.corrcoef(np.ravel(one), np.ravel(other))[0, 1])  # type: ignore[call-overload]


# Signatures without any model: as many layers as a test wants, in no time.

SHAPE = (64, 64)


def random_arrays(
    seed: int,
    layers: int = 12,
    *,
    roles: Sequence[str] = ROLES,
    shape: tuple[int, int] = SHAPE,
    forms: bool = True,
) -> Arrays:
    """Arrays of a model that nothing else descends from."""
    random = np.random.default_rng(seed)
    known = np.ones(len(ANCHORS), np.bool_)
    entries = random.normal(0, 30, size=(2, layers, len(ANCHORS) ** 2)).clip(-127, 127)
    return Arrays(
        samples={r: random.normal(0, 0.05, (layers, 256)).astype(np.float16) for r in roles},
        shapes={r: np.tile(np.array(shape, np.int32), (layers, 1)) for r in roles},
        forms={name: own.astype(np.int8) for name, own in zip((QK, VO), entries, strict=True)}
        if forms
        else {},
        anchors=known if forms else ~known,
        vectors={"norm": random.uniform(0.5, 1.5, (layers, 32)).astype(np.float16)},
    )


def picked(arrays: Arrays, layers: Sequence[int]) -> Arrays:
    """Some of the layers, in that order."""
    at = list(layers)

    def of(tables: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return {name: table[at] for name, table in tables.items()}

    return replace(
        arrays,
        samples=of(arrays.samples),
        shapes=of(arrays.shapes),
        forms=of(arrays.forms),
        vectors=of(arrays.vectors),
    )


def stacked(*parts: Arrays) -> Arrays:
    """The layers of all parts, one after the other."""

    def of(tables: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
        return {name: np.concatenate([t[name] for t in tables]) for name in tables[0]}

    return replace(
        parts[0],
        samples=of([p.samples for p in parts]),
        shapes=of([p.shapes for p in parts]),
        forms=of([p.forms for p in parts]),
        vectors=of([p.vectors for p in parts]),
    )


def changed_samples(arrays: Arrays, change: Any) -> Arrays:
    """The arrays with samples that `change` makes of each role's."""
    found = {role: change(samples).astype(np.float16) for role, samples in arrays.samples.items()}
    return replace(arrays, samples=found)


def trained(arrays: Arrays, rho: float, seed: int = 99) -> Arrays:
    """Arrays whose samples, and forms, correlate so with the given ones."""
    random = np.random.default_rng(seed)

    def samples(own: NDArray[Any]) -> NDArray[Any]:
        noise = random.normal(0, own.astype(np.float64).std(), own.shape)
        return rho * own + (1 - rho**2) ** 0.5 * noise

    forms = {
        name: np.rint(samples(form.astype(np.float64))).clip(-127, 127).astype(np.int8)
        for name, form in arrays.forms.items()
    }
    return replace(changed_samples(arrays, samples), forms=forms)


def other_basis(arrays: Arrays, seed: int = 98) -> Arrays:
    """The forms alone are left: every matrix is in another basis."""
    random = np.random.default_rng(seed)
    return changed_samples(arrays, lambda own: random.normal(0, 0.05, own.shape))


def tower_of(arrays: Arrays, name: str = "model.layers", seed: int = 0) -> TowerProfile:
    """A tower that has the arrays, and a profile of its own."""
    depth = len(next(iter({**arrays.samples, **arrays.forms}.values())))
    random = np.random.default_rng(seed)
    roles = {
        role: tuple(Moments(4096, 0.0, float(std)) for std in random.uniform(0.01, 0.1, depth))
        for role in (Role.Q, Role.K, Role.V, Role.O)
    }
    return TowerProfile(name, "llama", Kind.SELF, tuple(range(depth)), roles, arrays)
