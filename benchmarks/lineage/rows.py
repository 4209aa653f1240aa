"""Which derivations there are, and of which models: one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.lineage.canonical import Model
from benchmarks.lineage.derivations import depth, learning, merges, symmetries, vocabulary, weights
from benchmarks.lineage.derivations import width as widths
from benchmarks.lineage.files import Facts, State

EACH = ("L1", "T1", "N1", "G1", "B1", "Q1", "M1", "M2")  # one or two of every layout
DECODERS = ("L1", "T1", "N1", "G1", "Q1", "M1", "M2")
TURNABLE = ("L1", "T1", "N1", "G1", "Q1", "M2")  # whose norms stand before what reads them
LLAMAS = ("L1", "T1")
PARTNERS = {"L1": "L2", "T1": "T2"}  # strangers of the same shape


@dataclass(frozen=True)
class Derivation:
    """One derivation: how it is done, of which models, and what is known of it."""

    name: str
    make: Callable[..., Model]
    bases: tuple[str, ...]
    parents: tuple[str, ...] = ("{base}",)
    preserves: bool = False
    expected: str = "derived"  # what weights can tell: derived, or undetectable
    pack: Callable[[State, Facts], tuple[State, Facts]] | None = None  # how the files are stored

    def parents_of(self, base: str) -> tuple[str, ...]:
        """The ids of the checkpoints that it is made of."""
        return tuple(p.format(base=base, partner=PARTNERS.get(base, "")) for p in self.parents)


def same(model: Model, random: torch.Generator) -> Model:
    """The parent as it is."""
    return model.copy()


STRANGERS = ("{base}", "{partner}")
SIBLINGS = ("{base}-sft", "{base}-cpt")
GONE = "undetectable"

DERIVATIONS = (
    # Training. The longest come first.
    Derivation("cpt-full", learning.trained(500, 3e-3), ("L1",)),
    Derivation("cpt", learning.trained(300, 1.5e-3), ("L1", "T1", "N1", "G1", "B1", "Q1", "M1")),
    Derivation("distilled", learning.distilled(250, 3e-3), ("L1",), expected=GONE),
    Derivation("full-tune", learning.trained(120, 1e-3), ("L1",)),
    Derivation("sft", learning.trained(80, 5e-4), EACH),
    Derivation("lora", learning.low_rank(80, 2e-3), ("L1", "Q1")),
    # Each weight by itself.
    Derivation("int8", weights.each_matrix(weights.rounded(8)), EACH),
    Derivation("int4", weights.each_matrix(weights.rounded(4)), EACH),
    Derivation("int3", weights.each_matrix(weights.rounded(3)), EACH),
    Derivation("fp8", weights.each_matrix(weights.fp8), EACH),
    Derivation("fp8-stored", same, ("L1",), pack=weights.stored_as_fp8),
    Derivation("pruned30", weights.each_matrix(weights.pruned(0.3)), EACH),
    Derivation("pruned50", weights.each_matrix(weights.pruned(0.5)), EACH),
    Derivation("pruned70", weights.each_matrix(weights.pruned(0.7)), EACH),
    Derivation("noise10", weights.each_matrix(weights.noisy(0.1)), EACH),
    Derivation("noise30", weights.each_matrix(weights.noisy(0.3)), EACH),
    Derivation("noise50", weights.each_matrix(weights.noisy(0.5)), EACH),
    # Depth.
    Derivation("dropped4", depth.layers_chosen(depth.without_middle), EACH),
    Derivation("halved", depth.layers_chosen(depth.every_second), EACH),
    Derivation("upscaled", depth.layers_chosen(depth.upscaled), EACH),
    Derivation("repeated4", depth.layers_chosen(depth.block_repeated), EACH),
    # Width.
    Derivation("narrowed-first", widths.narrowed(widths.first), EACH),
    Derivation("narrowed", widths.narrowed(widths.largest), EACH),
    Derivation("narrowed-heads", widths.narrowed(widths.largest, True), ("L1", "T1", "Q1", "M2")),
    Derivation("widened", widths.widened, EACH, preserves=True),
    Derivation("upcycled", widths.upcycled, LLAMAS),
    # Vocabulary.
    Derivation("vocabulary-extended", vocabulary.extended, EACH),
    Derivation("vocabulary-reduced", vocabulary.reduced, EACH),
    Derivation("vocabulary-rebuilt", vocabulary.rebuilt, EACH),
    # Merges.
    Derivation("linear50", merges.linear(0.5), LLAMAS, STRANGERS),
    Derivation("linear70", merges.linear(0.7), LLAMAS, STRANGERS),
    Derivation("slerp", merges.slerp, LLAMAS, STRANGERS),
    Derivation("ties", merges.ties, LLAMAS, STRANGERS),
    Derivation("siblings-linear50", merges.linear(0.5), LLAMAS, SIBLINGS),
    Derivation("siblings-linear70", merges.linear(0.7), LLAMAS, SIBLINGS),
    Derivation("siblings-slerp", merges.slerp, LLAMAS, SIBLINGS),
    Derivation("siblings-ties", merges.ties, LLAMAS, SIBLINGS),
    # What leaves the function as it is.
    Derivation("permuted", symmetries.permuted, EACH, preserves=True),
    Derivation("heads-permuted", symmetries.heads_permuted, EACH, preserves=True),
    Derivation("heads-rotated", symmetries.heads_rotated, EACH, preserves=True),
    Derivation("qk-scaled", symmetries.queries_scaled, EACH, preserves=True),
    Derivation("vo-scaled", symmetries.values_scaled, EACH, preserves=True),
    Derivation("norms-rescaled", symmetries.norms_rescaled, DECODERS, preserves=True),
    Derivation("rotated", symmetries.rotated, TURNABLE, preserves=True),
    Derivation("rotated-encoder", symmetries.rotated_encoder, ("B1",)),
    Derivation("disguised", symmetries.disguised, EACH, preserves=True),
    Derivation("hidden", symmetries.hidden, TURNABLE, expected=GONE),
    # What was done to a derivative.
    Derivation(
        "disguised-sft", learning.trained(80, 5e-4), ("L1", "T1", "N1"), ("{base}-disguised",)
    ),
)
