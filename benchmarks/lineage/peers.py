"""Other tools that tell lineage from weights, run as their own packages with a Python of their own.

This file is both sides: the benchmark imports it, and the other Python runs it as a script, which
is why it imports nothing but the standard library. No peer is needed, and none of its code is here.
"""

from __future__ import annotations

import functools
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

Pair = tuple[str, str]  # the folders of a candidate and of a reference
Said = tuple[float | None, bool]  # the score, and whether the peer itself calls it descent
Compare = Callable[[str, str], Sequence[Said]]  # one for each of the peer's columns


def modeldna() -> Compare:
    """Its pair workflow, each checkpoint fingerprinted once; the score is its probability."""
    from modeldna.compare import compare_fingerprints
    from modeldna.fingerprint import extract_fingerprint
    from modeldna.io import open_source
    from modeldna.verdict import VerdictClass, judge

    descent = {
        *(VerdictClass.EXACT_COPY, VerdictClass.QUANTIZED_COPY),
        *(VerdictClass.FINE_TUNE, VerdictClass.SAME_LINEAGE),
    }

    @functools.cache
    def taken(folder: str) -> Any:
        return extract_fingerprint(open_source(folder), mode="full", model_id=folder)

    def compare(candidate: str, reference: str) -> Sequence[Said]:
        one, other = taken(candidate), taken(reference)
        dtypes = {reference: other.arch.torch_dtype}
        evidence = [(compare_fingerprints(one, other), reference)]
        verdict = judge(evidence, suspect_dtype=one.arch.torch_dtype, candidate_dtypes=dtypes)
        return [(verdict.probability, verdict.verdict in descent)]

    return compare


def provenancekit() -> Compare:
    """Its pairwise comparison, each checkpoint's features kept: its score, and that of weights."""
    from provenancekit.core.scanner import ModelProvenanceScanner
    from provenancekit.core.scoring import interpret_score
    from provenancekit.services.cache import NullCache

    scanner = ModelProvenanceScanner(cache=NullCache())
    scanner._extract_model = functools.cache(scanner._extract_model)

    def compare(candidate: str, reference: str) -> Sequence[Said]:
        scores = scanner.compare(candidate, reference).scores
        values = (scores.pipeline_score, scores.identity_score)
        known = [math.nan if value is None else value for value in values]
        return [(v, interpret_score(v).label == "High-Confidence Match") for v in known]

    return compare


@dataclass(frozen=True)
class Peer:
    """A tool: how it is installed, how two checkpoints are compared, and the scores it gives."""

    name: str
    package: str
    start: Callable[[], Compare]
    columns: tuple[str, ...]
    needs: str = ""


PEERS = (
    Peer("modeldna", "modeldna", modeldna, ("modeldna",)),
    Peer(
        "provenancekit",
        "cisco-ai-provenance-kit",
        provenancekit,
        ("provenancekit", "provenancekit, weights"),
        "Python 3.12 or newer",
    ),
)
# Looked at, and why they are not in the table.
LEFT_OUT = {
    "HuRef, REEF, TensorGuard": "methods of papers; no package by their authors was found on PyPI",
    "TensorLock": "a published study of profiles; no package",
    "llm-dna, llm-fingerprinter": "compare what running models answer, not their weights",
    "modeldelta": "shows how a known derivative differs; its cosine is the column weight cosine",
}


@dataclass
class Answers:
    """What a peer said: by column and pair its score (NaN: none) and verdict; or why it did not."""

    state: str
    scores: dict[str, dict[Pair, tuple[float, bool]]] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)  # messages, and how often each


def ask(peer: Peer, python: str, pairs: Sequence[Pair]) -> Answers:
    """Run a peer on pairs of folders in a process of its own, without the network."""
    wanted = f"pip install {peer.package}" + (f" ({peer.needs})" if peer.needs else "")
    with tempfile.TemporaryDirectory() as home:
        found = _run(peer, python, pairs, Path(home))
    if "told" in found:
        return Answers(f"failed: {found['told']}; {wanted}")
    if "missing" in found:
        return Answers(f"not installed: {wanted} [{found['missing']}]")
    scores = {
        column: {
            pair: (math.nan if each[place][0] is None else each[place][0], each[place][1])
            for pair, each in zip(pairs, found["scores"], strict=True)
        }
        for place, column in enumerate(peer.columns)
    }
    return Answers(f"{peer.package} {found['version']}", scores, found["failed"])


def _run(peer: Peer, python: str, pairs: Sequence[Pair], home: Path) -> Mapping[str, Any]:
    """What the other side writes; or the last line that it told before it failed."""
    result, told = home / "answer.json", home / "told"
    offline = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with told.open("wb") as log:
        done = subprocess.run(  # noqa: S603 — the Python that the user names, and this file
            [python, "-I", __file__, peer.name, str(result)],
            input=json.dumps(pairs).encode(),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | offline | {"HOME": str(home)},
            check=False,
        )
    if done.returncode:
        return {"told": "".join(told.read_text("utf-8", "replace").strip().splitlines()[-1:])}
    answered: Mapping[str, Any] = json.loads(result.read_bytes())
    return answered


def answer(name: str) -> dict[str, Any]:
    """The other side: compare the pairs that stdin lists."""
    peer = next(peer for peer in PEERS if peer.name == name)
    try:
        compare = peer.start()
    except ImportError as error:
        return {"missing": str(error)}
    scores: list[Sequence[Said]] = []
    failed: dict[str, int] = {}
    for candidate, reference in json.load(sys.stdin):
        try:
            scores.append([_plain(said) for said in compare(candidate, reference)])
        except Exception as error:  # whatever it raises, the others go on
            message = f"{type(error).__name__}: {error}"[:160]
            failed[message] = failed.get(message, 0) + 1
            scores.append([(None, False)] * len(peer.columns))
    return {"version": metadata.version(peer.package), "scores": scores, "failed": failed}


def _plain(said: Said) -> Said:
    """As JSON can hold it."""
    value, says = said
    return (float(value) if value is not None and math.isfinite(value) else None), bool(says)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(answer(sys.argv[1])), "utf-8")
