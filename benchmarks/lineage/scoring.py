"""Every method over every pair: the numbers behind the tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from benchmarks.lineage import results
from benchmarks.lineage.methods import (
    COSINE,
    DETRENDED,
    FPCHECK,
    RAW,
    UNMEASURED,
    Finding,
    Fpcheck,
    cosine,
    main_weights,
    read_matrices,
    reference,
)
from benchmarks.lineage.pairs import Models, kind, unit
from benchmarks.lineage.peers import PEERS, ask
from benchmarks.lineage.results import Method, Pair, Scored
from benchmarks.lineage.uniformity import Uniformity, kolmogorov_smirnov, probabilities, strangers
from fpcheck.calibration import Calibration
from fpcheck.signature import Signature

Readings = Mapping[str, Signature | str]  # a checkpoint's signature, or why there is none


def score(
    models: Models, chosen: list[str], readings: Readings, limits: Calibration, python: str
) -> Scored:
    """What every method says of every candidate and reference."""
    pairs = [(name, other) for name in models for other in chosen if other != name]
    with ThreadPoolExecutor() as beside:  # peers are processes of their own
        said = beside.submit(asked, models, pairs, python)
        findings = compared(models, chosen, readings, limits)
        methods = {
            FPCHECK: results.own_verdict(findings),
            RAW: Method({pair: found.raw for pair, found in findings.items()}),
            DETRENDED: Method({pair: found.detrended for pair, found in findings.items()}),
            COSINE: cosines(models, chosen),
        }
        kinds = {pair: kind(models, *pair) for pair in pairs}
        return Scored(models, kinds, findings, methods | said.result())


def compared(
    models: Models, chosen: list[str], readings: Readings, limits: Calibration
) -> dict[Pair, Finding]:
    """What fpcheck says of each candidate, compared with all references at once but itself."""
    read = {name: r for name, r in readings.items() if isinstance(r, Signature)}
    library = Fpcheck(
        [reference(models[name], read[name]) for name in chosen if name in read], limits
    )
    findings: dict[Pair, Finding] = {}
    for name, model in models.items():
        found = library.findings(model, read[name]) if name in read else {}
        why = "" if name in read else str(readings[name])
        pairs = ((name, other) for other in chosen if other != name)
        findings |= {pair: found.get(pair[1], Finding(UNMEASURED, why=why)) for pair in pairs}
    return findings


def cosines(models: Models, chosen: list[str]) -> Method:
    """The raw weights of every pair."""
    theirs = {name: read_matrices(models[name]) for name in chosen}
    values: dict[Pair, float] = {}
    for name, model in models.items():
        own = theirs[name] if name in theirs else read_matrices(model)
        values |= {(name, other): cosine(own, theirs[other]) for other in chosen if other != name}
    return Method(values)


def asked(models: Models, pairs: list[Pair], python: str) -> dict[str, Method]:
    """What the peers say."""
    found: dict[str, Method] = {}
    for peer in PEERS:
        folders = [(str(models[a].folder), str(models[b].folder)) for a, b in pairs]
        answers = ask(peer, python, folders)
        failed = "; ".join(f"{n} pairs: {text}" for text, n in answers.failed.items())
        state = f"{answers.state}; {failed}" if failed else answers.state
        for column in peer.columns:
            said = answers.scores.get(column, {})
            both = {pair: said[f] for pair, f in zip(pairs, folders, strict=True) if f in said}
            values = {pair: value for pair, (value, _) in both.items()}
            found[column] = Method(values, {p: says for p, (_, says) in both.items()}, state)
    return found


def uniformity(models: Models, readings: Readings) -> tuple[Uniformity, Uniformity]:
    """Of the probabilities of pairs of bases trained apart, and of their layers."""
    read = {name: r for name, r in readings.items() if isinstance(r, Signature)}
    bases = [name for name in read if models[name].is_base]
    known = {name: found for name in bases if (found := main_weights(read[name]))}
    pairs = [(known[a], known[b]) for a, b in strangers(models, known)]
    of_pairs, of_layers = probabilities(pairs)
    return kolmogorov_smirnov(of_pairs), kolmogorov_smirnov(of_layers)


def crossed(scored: Scored, margin: float) -> list[Pair]:
    """Strangers whose forms reach the threshold that all strangers of other bases would set.

    Each pair of bases is left out in turn, with what descends from the two.
    """
    best = {pair: scored.findings[pair].best for pair in scored.strangers}
    best = {pair: value for pair, value in best.items() if not math.isnan(value)}
    own = {pair: unit(scored.models, pair) for pair in best}
    highest: dict[frozenset[str], float] = {}
    for bases in set(own.values()):
        others = (v for pair, v in best.items() if not (own[pair] <= bases or bases <= own[pair]))
        highest[bases] = max(others, default=math.inf)
    return [pair for pair, value in best.items() if value >= highest[own[pair]] + margin]
