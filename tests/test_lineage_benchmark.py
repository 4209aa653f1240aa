"""The lineage benchmark: what is true of a pair, what a method is worth, and what is shown."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.lineage import calibrate, methods, peers, results, score, scoring
from benchmarks.lineage.pairs import Kind, Models, kind, read_models, row
from benchmarks.lineage.roc import picture, roc
from benchmarks.lineage.uniformity import kolmogorov_smirnov, middle_p
from fpcheck.calibration import DEFAULT, load
from fpcheck.comparison.levels import Level
from tests.checkpoints import llama, write

BASE: Mapping[str, Any] = {"parents": [], "family": "llama", "corpus": "py", "tokenizer": "py"}
LINEAGES: Mapping[str, Mapping[str, Any]] = {
    "A": BASE,
    "B": BASE,
    "C": {**BASE, "corpus": "en"},
    "S": {**BASE, "corpus": "en", "tokenizer": "en", "initialised_as": "A"},
    "T": {**BASE, "tied": True},
    "U": {**BASE, "tied": True},
    "A-sft": {**BASE, "parents": ["A"], "relation": "sft"},
    "A-sft-int4": {**BASE, "parents": ["A-sft"], "relation": "int4"},
    "A-student": {**BASE, "parents": ["A"], "relation": "distilled", "expected": "undetectable"},
    "A-student-sft": {**BASE, "parents": ["A-student"], "relation": "sft"},
    "merge": {**BASE, "parents": ["A", "C"], "weights": [0.7, 0.3], "relation": "linear70"},
    "siblings": {**BASE, "parents": ["A-sft", "A"], "weights": [0.5, 0.5], "relation": "slerp"},
}


def zoo(folder: Path, lineages: Mapping[str, Mapping[str, Any]] = LINEAGES) -> Models:
    """Lineages alone, as a zoo has them."""
    for name, facts in lineages.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "lineage.json").write_text(json.dumps(facts))
    return read_models(folder)


@pytest.mark.parametrize(
    ("candidate", "reference", "expected"),
    [
        ("A-sft", "A", Kind.DERIVED),
        ("A-sft-int4", "A", Kind.DERIVED),
        ("merge", "C", Kind.DERIVED),
        ("A-student", "A", Kind.UNDETECTABLE),
        ("A-student-sft", "A", Kind.UNDETECTABLE),
        ("A-student-sft", "A-student", Kind.DERIVED),
        ("A", "A-sft", Kind.SIBLING),
        ("merge", "A-sft", Kind.SIBLING),
        ("A", "B", Kind.TWIN),
        ("A-sft-int4", "B", Kind.TWIN),
        ("T", "U", Kind.TIED_TWIN),
        ("A", "T", Kind.INDEPENDENT),
        ("A", "C", Kind.INDEPENDENT),
        ("A-student", "C", Kind.INDEPENDENT),
        ("A-sft", "S", Kind.SAME_SEED),
        ("S", "A", Kind.SAME_SEED),
    ],
)
def test_what_a_candidate_is_to_a_reference(
    tmp_path: Path, candidate: str, reference: str, expected: Kind
) -> None:
    assert kind(zoo(tmp_path), candidate, reference) is expected


def test_the_share_of_a_merge_s_parent_is_in_its_row(tmp_path: Path) -> None:
    models = zoo(tmp_path)

    assert row(models, "merge", "A") == "linear70, parent of 70%"
    assert row(models, "merge", "C") == "linear70, parent of 30%"
    assert row(models, "siblings", "A") == "slerp"
    assert row(models, "A-sft-int4", "A") == "int4"


def test_lineages_of_the_first_zoo_are_read_too(tmp_path: Path) -> None:
    models = zoo(
        tmp_path,
        {
            "X": {"parent": None, "arch": "llama", "data": "py"},
            "Y": {"parent": None, "arch": "llama", "data": "py"},
            "X_cpt": {"parent": "X", "how": "cpt"},
        },
    )

    assert kind(models, "X_cpt", "X") is Kind.DERIVED
    assert kind(models, "X_cpt", "Y") is Kind.TWIN
    assert models["X_cpt"].relation == "cpt"


def test_a_parent_without_a_lineage_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no lineage of its parent B"):
        zoo(tmp_path, {"A": {"parents": ["B"]}})


def test_roc() -> None:
    perfect = roc([0.9, 0.8], [0.1, 0.7])
    half = roc([0.9, 0.1], [0.5, 0.5])
    silent = roc([math.nan, 0.9], [math.nan, math.nan])

    assert (perfect.area, perfect.at_none) == (1.0, 1.0)
    assert (half.area, half.at_none) == (0.5, 0.5)
    assert (silent.area, silent.at_none) == (0.75, 0.5)
    assert roc([1.0], [1.0]).at_none == 0.0
    assert perfect.true.tolist()[-1] == perfect.false.tolist()[-1] == 1.0


def test_the_picture_is_an_svg_that_says_what_it_shows() -> None:
    curves = {"one & two": roc([0.9, 0.2], [0.1, 0.4]), "other": roc([0.1], [0.3])}

    drawn = ElementTree.fromstring(picture(curves, 2, 2000))

    texts = ["".join(element.itertext()) for element in drawn]
    assert drawn.attrib["role"] == "img"
    assert "2 and 2,000 pairs" in texts[0]
    assert "one & two: 50.0%, area 0.750" in texts[1]
    assert len(drawn.findall(".//{*}polyline")) == 2


def test_uniform_values_pass_and_others_do_not() -> None:
    random = np.random.default_rng(0)
    uniform = random.uniform(size=400)

    assert kolmogorov_smirnov(uniform.tolist()).met
    assert not kolmogorov_smirnov((uniform**1.5).tolist()).met
    # Tabulated: D = 1.628 / √n has a probability of 0.01 in large samples.
    n, distance = 10_000, 1.628 / 100
    shifted = np.clip(np.arange(1, n + 1) / n - distance, 0, 1)
    assert kolmogorov_smirnov(shifted.tolist()).p == pytest.approx(0.01, rel=0.05)


def test_binomial_probabilities_are_uniform_at_their_middle() -> None:
    random = np.random.default_rng(0)
    drawn = random.binomial(3000, 0.5, size=2000).tolist()

    assert kolmogorov_smirnov([middle_p(k, 3000) for k in drawn]).met
    assert middle_p(5, 10) == pytest.approx(0.5)


def checkpoints(folder: Path) -> Path:
    """Three strangers, and a derivative whose weights moved a little."""
    config = {"model_type": "llama", "hidden_size": 16, "num_attention_heads": 4}
    random = np.random.default_rng(9)
    for seed, name in enumerate("ABC"):
        write(folder / name, llama(seed=seed), config)
    moved = {
        key: value + random.normal(scale=0.1 * value.std(), size=value.shape).astype(np.float32)
        for key, value in llama(seed=0).items()
    }
    write(folder / "A-sft", moved, config)
    zoo(folder, {name: LINEAGES[name] for name in ("A", "B", "C", "A-sft")})
    return folder


def scored_zoo(folder: Path) -> results.Scored:
    """The tiny zoo, scored without peers."""
    models = read_models(checkpoints(folder))
    readings = {name: methods.read_signature(model) for name, model in models.items()}
    return scoring.score(models, ["A", "B", "C"], readings, DEFAULT, sys.executable)


def test_a_zoo_is_scored(tmp_path: Path) -> None:
    scored = scored_zoo(tmp_path)
    found = scored.findings["A-sft", "A"]

    assert ("A", "A") not in scored.findings
    assert found.level == Level.DERIVED
    assert found.rho > 0.95
    assert scored.false_alarms == scored.misses == []
    assert len(scored.strangers) == 8
    for name in (methods.FPCHECK, methods.COSINE):
        assert scored.clear(scored.methods[name]) == {("A-sft", "A")}
    assert scored.methods["modeldna"].state.startswith("not installed: pip install modeldna")


def test_a_miss_and_a_false_alarm_are_named_and_miss_the_bars(tmp_path: Path) -> None:
    scored = scored_zoo(tmp_path)
    findings = dict(scored.findings)
    findings["A-sft", "A"] = replace(findings["A-sft", "A"], level=Level.PARTIAL)
    findings["B", "C"] = replace(findings["B", "C"], level=Level.PARTIAL)
    scored = replace(scored, findings=findings)

    assert [met for met, _ in results.bars(scored)] == [False, False, False]
    text = "\n".join(score.lines(scored, scoring.uniformity(scored.models, {}), DEFAULT))
    assert "Missed: 1\n  A-sft / A: partial, derived, sft" in text
    assert "False alarms: 1\n  B / C: partial, independent" in text


def test_controls_are_crossed_by_pairs_of_bases(tmp_path: Path) -> None:
    scored = scored_zoo(tmp_path)
    best = {"A": {"B": 0.5, "C": 0.2}, "B": {"C": 0.2}, "A-sft": {"B": 0.5, "C": 0.2}}
    findings = {
        pair: replace(found, best=best.get(pair[0], {}).get(pair[1], math.nan))
        for pair, found in scored.findings.items()
    }

    crossed = scoring.crossed(replace(scored, findings=findings), 0.1)

    assert sorted(crossed) == [("A", "B"), ("A-sft", "B")]


def test_what_cannot_be_measured_is_a_miss_with_its_reason(tmp_path: Path) -> None:
    models = read_models(checkpoints(tmp_path))
    readings = {name: methods.read_signature(model) for name, model in models.items()}
    readings["A-sft"] = "a file that is cut short"

    scored = scoring.score(models, ["A", "B", "C"], readings, DEFAULT, sys.executable)

    assert scored.misses == [("A-sft", "A")]
    assert "a file that is cut short" in results.named(scored, scored.misses)[0]


def test_tables_and_files_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = score.argparse.ArgumentParser()
    score.options(parser)
    folder, plot, file = checkpoints(tmp_path / "zoo"), tmp_path / "roc.svg", tmp_path / "all.json"

    missed = score.run(parser.parse_args([str(folder), "--plot", str(plot), "--json", str(file)]))

    printed = capsys.readouterr().out
    assert missed == 1  # too few pairs
    assert "MISSED  8 independent pairs, 3 of different bases; asked: 300" in printed
    assert "met     1 of 1 derivatives (100.0%)" in printed
    ElementTree.fromstring(plot.read_text())
    written = json.loads(file.read_text())
    assert len(written["pairs"]) == 9
    assert [bar["met"] for bar in written["bars"]] == [False, True, True, True]


def test_a_peer_that_fails_is_reported_with_what_it_told(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho some >&2\necho 'no such thing' >&2\nexit 3\n")
    python.chmod(0o755)

    answers = peers.ask(peers.PEERS[0], str(python), [("a", "b")])

    assert answers.state == "failed: no such thing; pip install modeldna"
    assert answers.scores == {}


def test_matrices_of_other_names_or_shapes_have_no_cosine() -> None:
    one = {"attn.q.weight": np.eye(2, dtype=np.float32) / np.sqrt(2)}

    assert methods.cosine(one, one) == pytest.approx(1.0)
    assert math.isnan(methods.cosine(one, {"attn.k.weight": one["attn.q.weight"]}))
    assert math.isnan(methods.cosine(one, {"attn.q.weight": np.ones((1, 1), np.float32)}))


def test_a_calibration_has_the_highest_stranger_and_loads(tmp_path: Path) -> None:
    models = zoo(tmp_path)
    pairs = (("A", "B", Kind.TWIN, 0.2), ("A-sft", "C", Kind.INDEPENDENT, 0.3001))
    found = [
        calibrate.Control(one, other, which, value, value - 0.1, 0.0)
        for one, other, which, value in (*pairs, ("A-sft", "A", Kind.DERIVED, 0.9))
    ]

    written = load(json.dumps(calibrate.document(models, found)).encode(), "a test")

    assert (written.control, written.controls, written.margin) == (0.301, 1, calibrate.MARGIN)
    assert [(c.first, c.last) for c in written.profiles] == list(calibrate.CLASSES)
    assert all(c.raw[0] < c.raw[1] < c.raw[2] for c in written.profiles)
    assert "highest of any two layers" in "\n".join(calibrate.distributions(found))
