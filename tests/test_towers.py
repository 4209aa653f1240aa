"""Several towers: the text's decides, the others are measured and told of by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpcheck.check import check
from fpcheck.comparison.identity import main_tower, parts
from fpcheck.policy.load import default_policy
from fpcheck.signature import Signature
from fpcheck.source.local import LocalSource
from fpcheck.stacks import is_text
from fpcheck.verdict import Outcome, Verdict
from tests.checkpoints import llama, write
from tests.signatures import a_library, a_reference, a_signature, a_tower, random_curves

VISION = "model.vision_tower.encoder.layers"
TEXT = "model.language_model.layers"


def judged(folder: Path, tensors: dict[str, np.ndarray], origin: Signature) -> Verdict:
    """The verdict on a checkpoint against a reference whose attention is almost the same."""
    reference = a_reference("the/origin", *origin.towers)
    write(folder, {n: t * np.float32(1.001) for n, t in tensors.items()})
    with LocalSource(str(folder)) as source:
        return check(source, a_library(reference), default_policy()).verdict


def signature(folder: Path, tensors: dict[str, np.ndarray]) -> Signature:
    write(folder, tensors)
    with LocalSource(str(folder)) as source:
        return check(source, a_library(), default_policy()).signature


@pytest.mark.parametrize(
    ("prefix", "width", "outcome"),
    [
        (TEXT, 16, Outcome.FAIL),
        (VISION, 16, Outcome.WARN),  # a part that others use, too
        (VISION, 48, Outcome.FAIL),  # larger than the text: the model itself, whatever its name
    ],
)
def test_another_models_tower_is_judged_by_what_it_is_here(
    prefix: str, width: int, outcome: Outcome, tmp_path: Path
) -> None:
    taken = llama(layers=12, width=width, prefix=prefix)
    other = VISION if prefix == TEXT else TEXT
    own = llama(layers=12, width=32 if prefix == VISION else 8, seed=1, prefix=other)
    origin = signature(tmp_path / "origin", llama(layers=12, width=width))

    verdict = judged(tmp_path / "release", own | taken, origin)

    (finding,) = [f for f in verdict.findings if f.reference == "the/origin"]
    assert finding.outcome is outcome
    assert (VISION in finding.detail) is (outcome is Outcome.WARN)


def test_the_main_tower_is_the_texts() -> None:
    vision = a_tower(random_curves(1, 40), VISION)
    text = a_tower(random_curves(2), TEXT)

    assert main_tower(a_signature(vision, text)) == text
    assert main_tower(a_signature(vision)) == vision
    assert parts([vision, text]) == frozenset()
    assert parts([a_tower(random_curves(1, 4), VISION), text]) == {VISION}


@pytest.mark.parametrize("name", [TEXT, "", "decoder", "transformer.h", "bert.encoder.layer"])
def test_a_texts_stack_is_one_by_its_name(name: str) -> None:
    assert is_text(name)


@pytest.mark.parametrize(
    "name", [VISION, "visual.blocks", "vit.encoder.layer", "audio_tower.layers", "v.vision_model"]
)
def test_another_stack_is_none(name: str) -> None:
    assert not is_text(name)
