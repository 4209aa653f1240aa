"""The methods that run here: fpcheck, the paper's statistic alone, and the raw weights' cosine."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.lineage.pairs import Model
from fpcheck.calibration import Calibration
from fpcheck.check import fingerprint
from fpcheck.checkpoint import Checkpoint, read_checkpoint
from fpcheck.comparison import Match, ProfileIndex, match
from fpcheck.comparison.evidence import WeightEvidence
from fpcheck.comparison.identity import main_tower
from fpcheck.comparison.levels import Level
from fpcheck.comparison.reached import strength
from fpcheck.comparison.sample_evidence import SIGNIFICANT
from fpcheck.comparison.weights import Weights, weights_of
from fpcheck.errors import FpcheckError
from fpcheck.reference import How, Obtained, Reference
from fpcheck.references import Library
from fpcheck.signature import Signature, arrays_file
from fpcheck.signature.decode import STORED, decode
from fpcheck.source import Source, read
from fpcheck.source.local import LocalSource

OWNER = "zoo"
UNMEASURED = "unmeasured"
FPCHECK, RAW, DETRENDED, COSINE = "fpcheck", "paper, raw", "paper, detrended", "weight cosine"
ATTENTION = re.compile(r"(?:^|[._])(?:self_?)?att(?:n|ention)[._].*weight$")
NORM = re.compile(r"norm", re.IGNORECASE)

Singles = NDArray[np.float32]
Matrices = Mapping[str, Singles]  # by name: attention matrices of length 1


@dataclass(frozen=True)
class Finding:
    """What fpcheck says of one pair: the level, and the numbers behind it.

    `value` orders pairs for a ROC: the level's number, 0 for all below `partial`, and within it
    how much of the weights is seen; below `partial`, how near the better of both kinds of evidence
    comes to what one layer needs (digits of the best layer's corrected probability, or the highest
    correlation of forms over the threshold).
    """

    level: str
    value: float = math.nan
    raw: float = math.nan
    detrended: float = math.nan
    rho: float = math.nan
    qk: float = math.nan
    vo: float = math.nan
    best: float = math.nan
    hits: tuple[int, int, int] = (0, 0, 0)  # of samples, of forms, and the layers there are
    evidence: str = ""
    sentence: str = ""
    why: str = ""  # it could not be measured


def read_signature(model: Model) -> Signature | str:
    """What fpcheck measures of a checkpoint, or why it does not."""
    try:
        with LocalSource(str(model.folder)) as source:
            return fingerprint(source, digest=False).signature
    except FpcheckError as error:
        return str(error)


def reference(model: Model, signature: Signature) -> Reference:
    """The checkpoint as a library would keep it."""
    towers = arrays_file.for_reference(signature.towers, main_tower(signature))
    how = Obtained(How.COMPUTED, "a benchmark")
    return Reference(f"{OWNER}/{model.id}", None, (), how, replace(signature, towers=towers))


def main_weights(signature: Signature) -> Weights | None:
    """The arrays of the main tower, ready to be compared."""
    tower = main_tower(signature)
    return weights_of(tower) if tower else None


class Fpcheck:
    """The references as one library, from which a candidate that is among them is left out."""

    def __init__(self, references: Iterable[Reference], calibration: Calibration) -> None:
        self.references = sorted(references, key=lambda item: item.path)
        self.calibration = calibration
        self._whole = self._index(self.references)

    def _index(self, references: Iterable[Reference]) -> ProfileIndex:
        return ProfileIndex(Library(tuple(references), "", self.calibration))

    def findings(self, model: Model, signature: Signature) -> dict[str, Finding]:
        """What is said of each reference but the model itself, by the reference's id."""
        own = f"{OWNER}/{model.id}"
        others = [item for item in self.references if item.id != own]
        index = self._whole if len(others) == len(self.references) else self._index(others)
        found = {m.reference.id: finding(m) for m in match(signature, index)}
        none = Finding(Level.NONE, 0.0)
        return {item.id.removeprefix(f"{OWNER}/"): found.get(item.id, none) for item in others}


def finding(found: Match) -> Finding:
    """One match in the numbers that are shown."""
    numbers = _numbers(found.weights[0]) if found.weights else {}
    if found.profile:
        numbers |= {"raw": found.profile.raw, "detrended": found.profile.detrended}
    return Finding(str(found.level), scalar(found), **numbers)


def _numbers(evidence: WeightEvidence) -> dict[str, object]:
    samples, forms = evidence.samples, evidence.forms
    return {
        "rho": samples.rho if samples else math.nan,
        "qk": forms.qk if forms else math.nan,
        "vo": forms.vo if forms else math.nan,
        "best": forms.best if forms else math.nan,
        "hits": (
            samples.hits if samples else 0,
            forms.hits if forms else 0,
            max(samples.of if samples else 0, forms.of if forms else 0),
        ),
        "evidence": evidence.kind if evidence.alignment else "",
        "sentence": evidence.alignment.sentence if evidence.alignment else "",
    }


def scalar(found: Match) -> float:
    """One number that orders pairs as `Finding.value` says."""
    evidence = found.weights[0] if found.weights else None
    if found.level.rank >= Level.PARTIAL.rank:
        return found.level.rank + min(0.999, max(0.0, strength(evidence) if evidence else 0.999))
    near = [0.0]
    if evidence and evidence.samples:
        near.append(math.log10(max(evidence.samples.p_best_holm, 1e-300)) / math.log10(SIGNIFICANT))
    if evidence and evidence.forms and not math.isnan(evidence.forms.best):
        near.append(evidence.forms.best / evidence.forms.threshold)
    return min(0.999, max(near))


def read_matrices(model: Model) -> Matrices:
    """A checkpoint's stored attention matrices, as they are named, each of length 1."""
    try:
        with LocalSource(str(model.folder)) as source:
            return matrices(source, read_checkpoint(source))
    except FpcheckError:
        return {}


def matrices(source: Source, checkpoint: Checkpoint) -> Matrices:
    """The stored matrices whose names say attention, in floating point."""
    found = {}
    for name, tensor in checkpoint.tensors.items():
        known = tensor.dtype in STORED and tensor.coding is None and len(tensor.shape) == 2
        if not known or not ATTENTION.search(name) or NORM.search(name):
            continue
        stored = np.frombuffer(
            read(source, tensor.file, tensor.start, tensor.stop), STORED[tensor.dtype]
        )
        values = np.empty(tensor.shape)
        decode(stored.reshape(tensor.shape), tensor.dtype, values)
        if length := float(np.linalg.norm(values)):
            found[name] = (values / length).astype(np.float32)
    return found


def cosine(one: Matrices, other: Matrices) -> float:
    """The median over matrices of one name and one shape; NaN where there is none."""
    found = [
        float(np.vdot(one[name], other[name]))
        for name in one.keys() & other.keys()
        if one[name].shape == other[name].shape
    ]
    return median(found) if found else math.nan
