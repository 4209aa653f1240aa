"""Tokens added, taken away, or all made anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import torch
from tokenizers import Tokenizer

from benchmarks.lineage.canonical import Model
from benchmarks.lineage.text import OTHER, tokenizer_of

ROLES = ("embed", "head", "token.bias")  # a row a token
ADDED, TAKEN = 128, 256


def rows(model: Model, old: Sequence[int | None], random: torch.Generator) -> Model:
    """A model with these of its tokens' rows; where there is none, a new one."""
    model = model.copy()
    fresh = torch.tensor([number is None for number in old])
    index = torch.tensor([number or 0 for number in old])
    for role in ROLES:
        if role not in model.top:
            continue
        table = model.top[role]
        chosen = table[index]
        noise = torch.randn(chosen.shape, generator=random)
        chosen[fresh] = (table.mean(0) + table.std(0) * noise)[fresh]
        model.top[role] = chosen
    return model


def extended(model: Model, random: torch.Generator) -> Model:
    """With new tokens after the old ones."""
    tokenizer = Tokenizer.from_str(model.tokenizer.to_str())
    size = model.top["embed"].shape[0]
    tokenizer.add_tokens([f"<|added_{number}|>" for number in range(ADDED)])
    derived = rows(model, [*range(size), *[None] * ADDED], random)
    return replace(derived, tokenizer=tokenizer)


def reduced(model: Model, random: torch.Generator) -> Model:
    """Without the last tokens, which are the rarest."""
    size = model.top["embed"].shape[0] - TAKEN
    content = json.loads(model.tokenizer.to_str())
    inner = content["model"]
    inner["vocab"] = {token: id_ for token, id_ in inner["vocab"].items() if id_ < size}
    if "merges" in inner:
        inner["merges"] = [pair for pair in inner["merges"] if "".join(pair) in inner["vocab"]]
    tokenizer = Tokenizer.from_str(json.dumps(content))
    return replace(rows(model, range(size), random), tokenizer=tokenizer)


def rebuilt(model: Model, random: torch.Generator) -> Model:
    """With the tokenizer of another text: tokens of the same string keep their rows."""
    corpus, kind = model.lineage["tokenizer"].split("-")
    name = f"{OTHER[corpus]}-{kind}"
    tokenizer = tokenizer_of(name, model.folder.parent / ".text")
    old, new = model.tokenizer.get_vocab(), tokenizer.get_vocab()
    strings = sorted(new, key=lambda string: new[string])
    kept = [old.get(string) for string in strings]
    shared = sum(number is not None for number in kept)
    lineage = model.lineage | {"tokenizer": name, "shared_tokens": shared}
    return replace(rows(model, kept, random), tokenizer=tokenizer, lineage=lineage)
