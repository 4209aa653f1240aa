"""Training: AdamW on random windows of a corpus, with a line of progress now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import transformers as hf
from torch.nn.functional import cross_entropy

from benchmarks.lineage.bases import CONTEXT

BATCH = 16
STEPS = 500  # of the original training
HELD_OUT = 40_000  # tokens at the end of a corpus
IGNORED = -100
PROGRESS = 10.0  # seconds

Batch = tuple[torch.Tensor, torch.Tensor]
Loss = Callable[[torch.nn.Module, Batch], torch.Tensor]


@dataclass(frozen=True)
class Course:
    """How a model is trained: on what, how long and how hard."""

    tokens: torch.Tensor
    steps: int = STEPS
    rate: float = 3e-3
    seed: int = 0
    label: str = ""


def device() -> torch.device:
    """The accelerator if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def windows(tokens: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """A batch of sequences from anywhere in the tokens."""
    starts = torch.randint(len(tokens) - CONTEXT, (BATCH, 1), generator=random)
    return tokens[starts + torch.arange(CONTEXT)]


def batch(tokens: torch.Tensor, random: torch.Generator) -> Batch:
    """Input ids, and the token that follows each of them."""
    ids = windows(tokens, random)
    wanted = ids.roll(-1, 1)
    wanted[:, -1] = IGNORED
    return ids, wanted


def prediction_loss(model: torch.nn.Module, pair: Batch) -> torch.Tensor:
    """The mean cross-entropy of what is to be predicted."""
    ids, wanted = (part.to(device()) for part in pair)
    return cross_entropy(model(ids).logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED)


def rate_at(step: int, course: Course) -> float:
    """The rate rises over a tenth of the steps, at most 50, and falls as a cosine to a tenth."""
    warm = min(50, max(1, course.steps // 10))
    fallen = 0.55 + 0.45 * math.cos(math.pi * step / course.steps)
    return course.rate * min(1.0, (step + 1) / warm) * fallen


def optimiser(model: torch.nn.Module) -> torch.optim.Optimizer:
    """AdamW with weight decay on matrices alone."""
    trained = [value for value in model.parameters() if value.requires_grad]
    matrices = [value for value in trained if value.ndim > 1]
    vectors = [value for value in trained if value.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": 0.1},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)


def train(model: hf.PreTrainedModel, course: Course, loss: Loss = prediction_loss) -> float:
    """Train a model in place; the loss on what it has not seen."""
    random = torch.Generator().manual_seed(course.seed)
    torch.manual_seed(course.seed)  # what is dropped out
    steps = optimiser(model.to(device()).train())
    seen, unseen = course.tokens[:-HELD_OUT], course.tokens[-HELD_OUT:]
    begun = told = time.monotonic()
    for step in range(course.steps):
        for group in steps.param_groups:
            group["lr"] = rate_at(step, course)
        value = loss(model, batch(seen, random))
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        steps.step()
        steps.zero_grad()
        if time.monotonic() > told + PROGRESS:
            told = time.monotonic()
            left = (told - begun) / (step + 1) * (course.steps - step - 1)
            print(
                f"  {course.label:<24} step {step + 1:>3} of {course.steps}"
                f"  loss {value.item():5.2f}  {left:4.0f} s left",
                flush=True,
            )
    return evaluate(model, unseen)


def evaluate(model: hf.PreTrainedModel, tokens: torch.Tensor) -> float:
    """The loss of predictions on eight batches that depend on nothing but the tokens."""
    random = torch.Generator().manual_seed(0)
    model.eval()
    with torch.no_grad():
        losses = [prediction_loss(model, batch(tokens, random)) for _ in range(8)]
    return float(torch.stack(losses).mean())


def unigram(tokens: torch.Tensor) -> float:
    """The loss of one who knows how frequent each token is, and nothing else."""
    shares = torch.bincount(tokens).double() / len(tokens)
    return float(-(shares * shares.clamp_min(1e-12).log()).sum())
