"""Whether a derivative loads, and whether it computes what its parent does."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch

from benchmarks.lineage.files import load_model, load_tokenizer, read_json
from benchmarks.lineage.text import tokens

TOLERANCE = 1e-3  # largest difference of logits, as a part of the parent's logits' deviation
SEQUENCES, LENGTH = 4, 96


def sample(parent: Path) -> torch.Tensor:
    """Real tokens: the beginning of a parent's text."""
    facts = read_json(parent / "lineage.json")
    cache = parent.parent / ".text"
    text = tokens(facts["corpus"], load_tokenizer(parent), facts["tokenizer"], cache)
    return text[: SEQUENCES * LENGTH].view(SEQUENCES, LENGTH)


@torch.no_grad()
def logits(folder: Path, ids: torch.Tensor) -> torch.Tensor:
    """What transformers computes in float32 of the stored weights."""
    model = load_model(folder)
    values: torch.Tensor = model(ids % model.config.vocab_size).logits
    if not values.isfinite().all():
        raise ValueError(f"{folder.name} computes what is not finite")
    return values


@lru_cache(maxsize=4)
def expected(parent: Path) -> torch.Tensor:
    """The parent's logits."""
    return logits(parent, sample(parent))


def difference(folder: Path, parent: Path) -> float:
    """The largest difference of a derivative's logits to its parent's, relative to their spread."""
    wanted = expected(parent)
    return float((logits(folder, sample(parent)) - wanted).abs().max() / wanted.std())
