"""What the weights say, in two sentences that need no knowledge of statistics: a row a level."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from fpcheck.comparison import Level, Match
from fpcheck.comparison.evidence import FormEvidence, SampleEvidence, WeightEvidence
from fpcheck.report.numbers import two
from fpcheck.signature.arrays import ANCHORS


def sentences(match: Match, weights: WeightEvidence) -> str:
    """Two plain sentences on what the weights of one tower say of one reference."""
    return SAID[match.level](match, weights)


def _identical(match: Match, weights: WeightEvidence) -> str:
    what = match.identical or "every sampled weight, up to the rounding of its number format"
    return (
        f"What was compared is the same: {what}. Weights of models that were trained separately "
        "are never the same, so these are the reference's weights, perhaps at another precision."
    )


def _derived(match: Match, weights: WeightEvidence) -> str:
    return (
        f"{_found(weights)}. Weights of models that were trained separately do not do that, so "
        "this checkpoint shares weights with the reference."
    )


def _transformed(match: Match, weights: WeightEvidence) -> str:
    looked = "look unrelated" if weights.samples else "cannot be compared"
    meant = f"but {_forms(weights.forms)}" if weights.forms else "but what attention does is alike"
    return (
        f"Weight by weight the two {looked}, {meant}. Weights can be permuted, rotated or rescaled "
        "without changing what the model does, so this is consistent with derivation from the "
        "reference and such a change afterwards."
    )


def _partial(match: Match, weights: WeightEvidence) -> str:
    return (
        f"{_found(weights)}; in the other layers there is no such agreement. Models that were "
        "trained separately agree like that in no layer, so a part of this checkpoint shares "
        "weights with the reference."
    )


def _resembles(match: Match, weights: WeightEvidence) -> str:
    return (
        "The spread of the attention weights changes with depth much as it does in the reference, "
        "but nothing shows that the two have weights in common. Models that were trained "
        "separately can look alike in this way, so it is a reason to ask, and no proof."
    )


def _none(match: Match, weights: WeightEvidence) -> str:
    compared = [
        *(["the signs of single weights"] if weights.samples else []),
        *(["what attention does with common tokens"] if weights.forms else []),
    ]
    what = f" ({' and '.join(compared)})" if compared else ""
    return (
        f"Nothing that was compared{what} agrees with the reference more than in models that were "
        "trained separately. That is no proof of independence: some ways of descent leave no trace "
        "that could be measured."
    )


# For each level, what is said of it.
SAID: Mapping[Level, Callable[[Match, WeightEvidence], str]] = MappingProxyType(
    {
        Level.IDENTICAL: _identical,
        Level.DERIVED: _derived,
        Level.TRANSFORMED: _transformed,
        Level.PARTIAL: _partial,
        Level.RESEMBLES: _resembles,
        Level.NONE: _none,
    }
)


def _found(weights: WeightEvidence) -> str:
    """The evidence that has most significant layers, as a sentence without its full stop."""
    samples, forms = weights.samples, weights.forms
    if forms and forms.hits > (samples.hits if samples else 0):
        said = _forms(forms)
    else:
        said = _signs(samples) if samples else "some of the weights agree with the reference's"
    return said[0].upper() + said[1:]


def _signs(samples: SampleEvidence) -> str:
    where = f"in {samples.hits} of {samples.of} layers" if samples.hits else "in some places"
    said = (
        f"{where} the signs of weights at fixed positions agree with the reference's far more "
        "often than chance allows"
    )
    if not samples.hits * 2 > samples.of or math.isnan(samples.rho):
        return said  # the median is of a layer without evidence
    # Of normal variables that correlate like that; over layers that stand for each other.
    share = 50 + 100 * math.asin(min(1.0, max(-1.0, samples.rho))) / math.pi
    return f"{said}: about {share:.0f} of 100 instead of 50"


def _forms(forms: FormEvidence) -> str:
    return (
        f"in {forms.hits} of {forms.of} layers what attention does with {ANCHORS} common tokens is "
        f"what it does in the reference: correlations of {two(forms.qk)} and {two(forms.vo)}, "
        f"where the highest of {forms.controls:,} pairs of separately trained models is "
        f"{two(forms.control)}"
    )


def short(match: Match) -> str:
    """The strongest evidence in a few characters, for a column; "" where only profiles are."""
    if match.same_files:
        return "same files"
    same = any(weights.same for weights in match.weights)
    if same or match.identical:
        return "same samples" if same else "same statistics"
    return strongest(match.weights[0]) if match.weights else ""


def strongest(weights: WeightEvidence) -> str:
    """The evidence of one tower that has most significant layers, in a few characters."""
    samples, forms = weights.samples, weights.forms
    if forms and (samples is None or forms.hits > samples.hits):
        return f"forms {two(forms.qk)}/{two(forms.vo)}, {forms.hits}/{forms.of} layers"
    if samples and 0 < samples.hits * 2 <= samples.of:
        return f"signs, {samples.hits}/{samples.of} layers"
    if samples:
        return f"ρ {two(samples.rho)}, {samples.hits}/{samples.of} layers"
    return ""
