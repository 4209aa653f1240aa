"""Training that goes on, of all weights or of a few, and training from another's answers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import transformers as hf
from torch.nn.functional import kl_div, log_softmax
from torch.nn.utils import parametrize

from benchmarks.lineage.bases import BASES, build
from benchmarks.lineage.canonical import Model, read_model
from benchmarks.lineage.files import add_files, load_model, save_model
from benchmarks.lineage.text import OTHER, tokens
from benchmarks.lineage.training import Batch, Course, device, prediction_loss, train

RANK = 8
FRESH_SEED = 901

Derive = Callable[[Model, torch.Generator], Model]


def trained(steps: int, rate: float) -> Derive:
    """A derivation that trains every weight on other text."""

    def derive(model: Model, random: torch.Generator) -> Model:
        network = load_model(model.folder)
        return finish(network, model, course(model, steps, rate))

    return derive


def course(model: Model, steps: int, rate: float) -> Course:
    """Other text than a model's own, in the model's tokens."""
    facts, cache = model.lineage, model.folder.parent / ".text"
    text = tokens(OTHER[facts["corpus"]], model.tokenizer, facts["tokenizer"], cache)
    return Course(text, steps, rate, facts["seed"] + 1000, f"+{steps}")


def finish(
    network: hf.PreTrainedModel,
    model: Model,
    plan: Course,
    loss: Callable[[torch.nn.Module, Batch], torch.Tensor] = prediction_loss,
) -> Model:
    """Train a network, and read it by roles."""
    plan = replace(plan, label=f"{model.lineage['id']} {plan.label}")
    value = train(network, plan, loss)
    for module in network.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
    facts = {
        "trained_loss": round(value, 4),
        "trained_steps": plan.steps,
        "trained_rate": plan.rate,
    }
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), network, torch.float32)
        add_files(Path(folder), model.tokenizer, model.lineage)
        derived = read_model(Path(folder))
    return replace(derived, folder=model.folder, lineage=model.lineage | facts)


class LowRank(torch.nn.Module):
    """A product of two thin matrices, added to a weight; nothing at first."""

    def __init__(self, weight: torch.Tensor, random: torch.Generator) -> None:
        super().__init__()
        rows, columns = weight.shape
        start = torch.randn(RANK, columns, generator=random) / columns**0.5
        self.a = torch.nn.Parameter(start)
        self.b = torch.nn.Parameter(torch.zeros(rows, RANK))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + 2 * self.b @ self.a


def low_rank(steps: int, rate: float) -> Derive:
    """A derivation that trains a LoRA of every linear layer and merges it."""

    def derive(model: Model, random: torch.Generator) -> Model:
        network = load_model(model.folder).requires_grad_(False)
        for name, module in network.named_modules():
            if isinstance(module, torch.nn.Linear) and "_proj" in name:
                adapter = LowRank(module.weight, random)
                parametrize.register_parametrization(module, "weight", adapter)
        return finish(network, model, course(model, steps, rate))

    return derive


def distilled(steps: int, rate: float) -> Derive:
    """A derivation that trains fresh weights on the parent's predictions of its own text."""

    def derive(model: Model, random: torch.Generator) -> Model:
        facts, cache = model.lineage, model.folder.parent / ".text"
        base = next(base for base in BASES if base.id == facts["id"])
        student = build(replace(base, seed=FRESH_SEED), model.tokenizer.get_vocab_size())
        teacher = load_model(model.folder).to(device())

        def loss(network: torch.nn.Module, pair: Batch) -> torch.Tensor:
            ids = pair[0].to(device())
            with torch.no_grad():
                wanted = log_softmax(teacher(ids).logits, -1)
            given = log_softmax(network(ids).logits, -1)
            each = kl_div(given, wanted, log_target=True, reduction="none")
            return each.sum(-1).mean()

        text = tokens(facts["corpus"], model.tokenizer, facts["tokenizer"], cache)
        plan = Course(text, steps, rate, FRESH_SEED, f"distilled {steps}")
        return finish(student, model, plan, loss)

    return derive
