"""`calibrate`: what strangers score, written as the calibration that ships with the library.

Forms: the highest correlation of any two layers of any two models that were trained apart. Models
that descend from one base are no more independent than the base is, so all of them are looked at
and pairs of bases are counted. References keep fewer entries of a form the deeper they are, which
widens the strangers' distribution; each pair is compared with the fewest that any reference keeps,
too. The margin of 0.1 is almost three standard deviations of the mean of two correlations of so few
entries: what deeper models with more pairs of layers than ours could add to the highest.

Profiles: the built-in library's references of different families and of like depth; a pair of
families counts once, by its highest value, because references of one family are not independent.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import strangers
from benchmarks.lineage.methods import main_weights, read_signature, reference
from benchmarks.lineage.pairs import Kind, Models, kind, read_models
from fpcheck import __version__
from fpcheck.calibration import FORMAT, rounded
from fpcheck.comparison import ProfileIndex
from fpcheck.comparison.anchored import FormTable, form_table
from fpcheck.comparison.reached import needed
from fpcheck.comparison.weights import Weights
from fpcheck.references import builtin_folder, load_library
from fpcheck.signature import Signature
from fpcheck.signature.arrays_file import FEWEST_ENTRIES
from fpcheck.signature.file import canonical

MARGIN = 0.1
CLASSES = ((4, 7), (8, 15), (16, 31), (32, None))
SHOWN = (0.0, 0.05, 0.5, 0.95, 1.0)


@dataclass(frozen=True)
class Control:
    """How the forms of a pair correlate: the highest of any two layers, with all entries and with
    the fewest; and what the layer has that brings those as high to two thirds of the shallower.
    """

    candidate: str
    reference: str
    kind: Kind
    highest: float
    of_few: float
    two_thirds: float


def options(parser: argparse.ArgumentParser) -> None:
    """What `calibrate` takes."""
    parser.add_argument("out", type=Path, help="the folder of checkpoints with their lineage.json")
    parser.add_argument("--output", type=Path, help="where to write it; else it is printed")


def run(arguments: argparse.Namespace) -> int:
    """Print both distributions, and write the calibration."""
    models = read_models(arguments.out)
    found = list(controls(models))
    for line in distributions(found):
        print(line, file=sys.stderr)
    text = canonical(document(models, found))
    if arguments.output:
        arguments.output.write_text(text, "utf-8")
    else:
        print(text)
    return 0


def controls(models: Models) -> Iterable[Control]:
    """Every checkpoint against every base, each pair of bases once."""
    read = {name: s for name, m in models.items() if isinstance(s := read_signature(m), Signature)}
    own = {name: found for name, s in read.items() if (found := main_weights(s))}
    kept: dict[str, Weights] = {}
    for name in own:
        if models[name].is_base:
            found = main_weights(reference(models[name], read[name]).signature)
            kept |= {name: found} if found else {}
    for name, weights in own.items():
        for other, theirs in kept.items():
            if other == name or (name in kept and other < name):
                continue
            if table := form_table(weights.forms, theirs.forms):
                yield control(models, (name, other), table, few(weights, theirs))


def few(one: Weights, other: Weights) -> FormTable | None:
    """The same with as few entries as the deepest reference keeps."""
    cut = {name: form[:, :FEWEST_ENTRIES] for name, form in other.arrays.forms.items()}
    arrays = replace(other.arrays, forms=cut)
    return form_table(one.forms, replace(other.forms, arrays=arrays, _rows={}))


def control(
    models: Models, pair: tuple[str, str], table: FormTable, fewer: FormTable | None
) -> Control:
    """One pair's numbers."""
    mean = np.nan_to_num(table.mean, nan=-1.0)
    best = np.sort(mean.max(axis=1 if mean.shape[0] <= mean.shape[1] else 0))
    return Control(
        *pair,
        kind(models, *pair),
        float(mean.max()),
        float(np.nanmax(fewer.mean)) if fewer else float("nan"),
        float(best[-needed(*mean.shape)]),
    )


def distributions(found: Sequence[Control]) -> Iterable[str]:
    """What controls and derivatives score, kind by kind."""
    head = " ".join(f"{share:>7.0%}" for share in SHOWN)
    yield f"{'':44}{'pairs':>6}  {head}"
    for which in Kind:
        own = [c for c in found if c.kind is which]
        for label, values in (
            ("highest of any two layers", [c.highest for c in own]),
            (f"the same with {FEWEST_ENTRIES} entries", [c.of_few for c in own]),
            ("two thirds of the layers reach", [c.two_thirds for c in own]),
        ):
            if own:
                row = " ".join(f"{value:>7.3f}" for value in np.quantile(values, SHOWN))
                yield f"{which + ': ' + label:44}{len(own):>6}  {row}"
    apart = sorted((c for c in found if c.kind.is_independent), key=lambda c: -c.highest)
    for each in apart[:5]:
        yield f"highest: {each.candidate}/{each.reference} {each.highest:.3f}, {each.of_few:.3f}"


def document(models: Models, found: Sequence[Control]) -> dict[str, Any]:
    """The calibration as the library's file has it."""
    apart = [c for c in found if c.kind.is_independent]
    if not apart:
        raise SystemExit("no two models that were trained apart and have anchored forms")
    bases = [c for c in apart if models[c.candidate].is_base]
    names = {name for c in bases for name in (c.candidate, c.reference)}
    highest = max(max(c.highest, c.of_few) for c in apart)
    index = ProfileIndex(load_library([builtin_folder()]))
    source = (
        f"fpcheck {__version__}, benchmarks.lineage calibrate: forms of {len(bases)} pairs of "
        f"{len(names)} models trained from scratch, {len(apart)} pairs with derivatives of them; "
        f"profiles of {len(index.library.references)} references of the built-in library"
    )
    return {
        "format": FORMAT,
        "source": source,
        "forms": {
            "control": _up(highest),
            "pairs": len(bases),
            "margin": MARGIN,
            "bound": _bound(len(bases)),
        },
        "profiles": list(profiles(index)),
    }


def _bound(observations: int) -> float:
    """What no hit among so many bounds the false-positive rate by, with 95 % confidence."""
    return rounded(min(1.0, 3 / observations))


def _up(value: float) -> float:
    """Rounded to a thousandth, never down."""
    return float(np.ceil(value * 1000) / 1000)


def profiles(index: ProfileIndex) -> Iterable[Mapping[str, Any]]:
    """The background of each class of depth: that of the shallower of two references."""
    every = list(strangers.pairs(index))
    for first, last in CLASSES:
        best: dict[tuple[int, int], list[tuple[float, float]]] = {}
        for place, other, layers, raw, detrended in every:
            if first <= layers and (last is None or layers <= last):
                pair = sorted(int(index.families[p]) for p in (place, other))
                best.setdefault((pair[0], pair[1]), []).append((raw, detrended))
        if best:
            highest = np.array([np.nanmax(values, axis=0) for values in best.values()])
            families = {family for pair in best for family in pair}
            yield {
                "first": first,
                "last": last,
                "families": len(families),
                "bound": _bound(len(families)),
                "pairs": len(best),
                "raw": _spread(highest[:, 0]),
                "detrended": _spread(highest[:, 1]),
            }


def _spread(values: np.ndarray) -> list[float]:
    """Median, 95th percentile and maximum."""
    known = values[~np.isnan(values)]
    return [round(float(value), 4) for value in np.quantile(known, (0.5, 0.95, 1.0))]
