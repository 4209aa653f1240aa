"""`train`: the bases, trained from scratch."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.lineage.bases import BASES, Base, build
from benchmarks.lineage.files import add_files, finished, replaced, save_model
from benchmarks.lineage.text import tokenizer_of, tokens
from benchmarks.lineage.training import HELD_OUT, Course, train, unigram
from benchmarks.lineage.work import side_by_side

LEARNED = 0.3  # nats below the loss of one who knows the frequencies alone
RATES = {"bert": 1e-3}  # a model normed after its sums diverges at the usual one


def options(parser: argparse.ArgumentParser) -> None:
    """What `train` takes."""
    parser.add_argument("out", type=Path, help="where the checkpoints go")
    parser.add_argument("--only", help="ids of bases, with commas between them")


def run(arguments: argparse.Namespace) -> int:
    """Train every base that is not there yet."""
    only = set(arguments.only.split(",")) if arguments.only else {base.id for base in BASES}
    bases = [base for base in BASES if base.id in only]
    if unknown := only - {base.id for base in bases}:
        raise SystemExit(f"no such base: {', '.join(sorted(unknown))}")
    cache = arguments.out / ".text"
    for name, of in {(base.tokenizer, base.corpus) for base in bases}:
        tokens(of, tokenizer_of(name, cache), name, cache)
    left = [base for base in bases if not finished(arguments.out / base.id)]
    return side_by_side((train_base, (base, arguments.out)) for base in left)


def train_base(base: Base, out: Path) -> str:
    """Train one base and write it."""
    cache = out / ".text"
    tokenizer = tokenizer_of(base.tokenizer, cache)
    text = tokens(base.corpus, tokenizer, base.tokenizer, cache)
    model = build(base, tokenizer.get_vocab_size())
    rate = RATES.get(base.family, 3e-3)
    course = Course(text, rate=rate, seed=base.seed, label=base.id)
    loss, naive = train(model, course), unigram(text[-HELD_OUT:])
    facts = asdict(base) | {
        "parents": [],
        "relation": "same-seed" if base.initialised_as else "base",
        "loss": round(loss, 4),
        "unigram_loss": round(naive, 4),
    }
    if not loss < naive - LEARNED:
        raise ValueError(f"{base.id} has not learned: {loss:.2f}, frequencies alone {naive:.2f}")
    with replaced(out / base.id) as partial:
        save_model(partial, model, torch.bfloat16)
        add_files(partial, tokenizer, facts)
    return f"{base.id:<6} loss {loss:.2f}, frequencies alone {naive:.2f}"
