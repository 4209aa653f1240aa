"""`score`: fpcheck, the paper's statistic, raw weights and peers over all pairs, in one run."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.lineage import results
from benchmarks.lineage.methods import read_signature
from benchmarks.lineage.pairs import Kind, Models, read_models
from benchmarks.lineage.peers import LEFT_OUT
from benchmarks.lineage.results import Scored
from benchmarks.lineage.roc import picture
from benchmarks.lineage.scoring import crossed, score, uniformity
from benchmarks.lineage.uniformity import Uniformity
from fpcheck import calibration
from fpcheck.calibration import DEFAULT, Calibration
from fpcheck.references import CALIBRATION, builtin_folder

SHOWN = 10  # pairs that are named where many are alike


def options(parser: argparse.ArgumentParser) -> None:
    """What `score` takes."""
    parser.add_argument("out", type=Path, help="the folder of checkpoints with their lineage.json")
    parser.add_argument("--references", default="bases", help="bases (default), all, or ids,ids")
    parser.add_argument("--calibration", type=Path, help="default: the built-in library's")
    parser.add_argument(
        "--peers-python", default=sys.executable, help="a Python that has the peers"
    )
    parser.add_argument("--json", type=Path, help="write every pair and every number here")
    parser.add_argument("--plot", type=Path, help="write the ROC as SVG here")


def run(arguments: argparse.Namespace) -> int:
    """Score all pairs and print the tables; how many bars were missed."""
    begun = time.monotonic()
    models = read_models(arguments.out)
    chosen = references(models, arguments.references)
    limits = read_calibration(arguments.calibration)
    readings = {name: read_signature(model) for name, model in models.items()}
    scored = score(models, chosen, readings, limits, arguments.peers_python)
    uniform = uniformity(models, readings)
    bars = judged(scored, uniform)
    for line in lines(scored, uniform, limits):
        print(line)
    for met, text in bars:
        print(f"{'met   ' if met else 'MISSED'}  {text}")
    print(
        f"\n{len(models)} checkpoints, {len(chosen)} references, {time.monotonic() - begun:.0f} s"
    )
    if arguments.plot:
        arguments.plot.write_text(plot(scored), "utf-8")
    if arguments.json:
        arguments.json.write_text(json.dumps(document(scored, uniform, bars), indent=1), "utf-8")
    return sum(not met for met, _ in bars)


def references(models: Models, which: str) -> list[str]:
    """The ids that stand in the library."""
    if which == "bases":
        return [name for name, model in models.items() if model.is_base]
    named = list(models) if which == "all" else which.split(",")
    if unknown := sorted(set(named) - set(models)):
        raise SystemExit(f"no such checkpoint: {', '.join(unknown)}")
    return named


def read_calibration(path: Path | None) -> Calibration:
    """The numbers that decide whether forms are a hit."""
    path = path or builtin_folder() / CALIBRATION
    return calibration.load(path.read_bytes(), str(path)) if path.exists() else DEFAULT


def judged(scored: Scored, uniform: tuple[Uniformity, Uniformity]) -> list[tuple[bool, str]]:
    """Every bar: whether it is met, and the numbers."""
    return [
        *results.bars(scored),
        (uniform[0].met, f"p-values of pairs of bases uniform: {uniform[0]}"),
    ]


def lines(scored: Scored, uniform: tuple[Uniformity, Uniformity], limits: Calibration) -> list[str]:
    """All that is printed but the bars."""
    same = scored.of(Kind.SAME_SEED, Kind.UNDETECTABLE)
    return [
        "Pairs by level; under a method's name the derivatives that score above every stranger",
        *results.levels(scored),
        "\nMethods",
        *results.methods(scored),
        *(f"not in the table: {name}: {why}" for name, why in LEFT_OUT.items()),
        "\nAlignments",
        *results.sentences(scored),
        f"\nMissed: {len(scored.misses)}",
        *results.named(scored, scored.misses),
        f"False alarms: {len(scored.false_alarms)}",
        *results.named(scored, scored.false_alarms),
        f"Same seed, or undetectable: {len(same)}",
        *results.named(scored, same),
        "",
        *controls(scored, limits),
        f"p-values of layers of pairs of bases: {uniform[1]}",
    ]


def controls(scored: Scored, limits: Calibration) -> list[str]:
    """What the threshold of forms rests on, and what it would be without a pair's own bases."""
    others = crossed(scored, limits.margin)
    return [
        f"Forms: a hit from {limits.threshold:.3f}, that is {limits.control:g} of "
        f"{limits.controls} pairs of controls and {limits.margin:g}",
        f"With each pair of bases left out of the controls in turn, {len(others)} of "
        f"{len(scored.strangers):,} strangers have a layer beyond the threshold of the rest",
        *results.named(scored, others[:SHOWN]),
    ]


def plot(scored: Scored) -> str:
    """The ROC of every method that ran."""
    curves = {name: scored.roc(m) for name, m in scored.methods.items() if m.values}
    return picture(curves, len(scored.derivatives), len(scored.strangers))


def document(
    scored: Scored, uniform: tuple[Uniformity, Uniformity], bars: list[tuple[bool, str]]
) -> dict[str, Any]:
    """Every pair and every number, for a program."""
    pairs = [
        {
            "candidate": pair[0],
            "reference": pair[1],
            "kind": scored.kinds[pair],
            "relation": scored.models[pair[0]].relation,
            "fpcheck": _plain(asdict(found)),
            "scores": _plain({name: m.values.get(pair) for name, m in scored.methods.items()}),
        }
        for pair, found in scored.findings.items()
    ]
    return {
        "bars": [{"met": met, "text": text} for met, text in bars],
        "uniformity": {"pairs": _plain(asdict(uniform[0])), "layers": _plain(asdict(uniform[1]))},
        "methods": {name: method.state for name, method in scored.methods.items()},
        "pairs": pairs,
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without NaN, which JSON does not have."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }
