"""What strangers score: the numbers that ship with the library, and what they bound."""

from __future__ import annotations

from dataclasses import dataclass

from fpcheck.errors import UsageError
from fpcheck.fields import Fields, parse_document

FORMAT = "fpcheck.calibration/1"
ROUNDED = 5e-5  # how far a bound in the file may be from the number that it stands for


@dataclass(frozen=True)
class DepthClass:
    """How strangers' profiles correlate among models of `first` to `last` layers.

    `families` are the independent observations; `raw` and `detrended` are median, 95th percentile
    and maximum over `pairs` pairs.
    """

    first: int
    last: int | None
    families: int
    pairs: int
    raw: tuple[float, float, float]
    detrended: tuple[float, float, float]

    @property
    def bound(self) -> float:
        """What no hit among the families bounds the false-positive rate by, at 95 % confidence."""
        return min(1.0, 3 / self.families) if self.families else 1.0


@dataclass(frozen=True)
class Calibration:
    """The controls of anchored forms, and the background of profiles by depth class.

    `control` is the highest correlation of any two layers of any of `controls` pairs of models
    trained apart, twins that differ in the seed alone included; `margin` is added to it.
    """

    control: float
    controls: int
    margin: float
    profiles: tuple[DepthClass, ...] = ()
    source: str = ""

    @property
    def threshold(self) -> float:
        """The correlation from which two layers' forms are a hit."""
        return self.control + self.margin

    @property
    def bound(self) -> float:
        """What no hit among the controls bounds the false-positive rate by."""
        return min(1.0, 3 / self.controls) if self.controls else 1.0


# For libraries without a calibration of their own: as strict as the built-in one.
DEFAULT = Calibration(control=0.21, controls=0, margin=0.1)


def load(content: bytes, name: str) -> Calibration:
    """The calibration in a file's bytes; `name` is for errors. Raises UsageError."""
    fields = parse_document(content, name)
    fields.text("format", choices=(FORMAT,))
    forms = fields.mapping("forms")
    control, margin = (_share(forms, key) for key in ("control", "margin"))
    calibration = Calibration(
        control=control,
        controls=forms.integer("pairs"),
        margin=margin,
        profiles=tuple(_depth_class(item) for item in fields.mappings("profiles")),
        source=fields.text("source"),
    )
    _check_bound(forms, calibration.bound)
    forms.close()
    fields.close()
    if calibration.threshold >= 1:
        raise UsageError(
            f"{name}: forms: control and margin leave nothing that could be a hit",
            hint="correlations end at 1: `python -m benchmarks.lineage calibrate` measures again",
        )
    return calibration


def _share(fields: Fields, key: str) -> float:
    """A number from 0 to 1."""
    value = fields.take(key)
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise fields.fault(key, "expected a number from 0 to 1")
    return float(value)


def _check_bound(fields: Fields, bound: float) -> None:
    """Refuse a bound that is not what the number of independent observations supports."""
    if abs(_share(fields, "bound") - bound) > ROUNDED:
        raise fields.fault("bound", f"expected {rounded(bound)}, 3 by the number of observations")


def rounded(bound: float) -> float:
    """A bound as the file has it."""
    return round(bound, 4)


def _depth_class(fields: Fields) -> DepthClass:
    last = fields.take("last")
    found = DepthClass(
        first=fields.integer("first"),
        last=None if last is None else fields.integer("last"),
        families=fields.integer("families"),
        pairs=fields.integer("pairs"),
        raw=_spread(fields, "raw"),
        detrended=_spread(fields, "detrended"),
    )
    _check_bound(fields, found.bound)
    fields.close()
    return found


def _spread(fields: Fields, key: str) -> tuple[float, float, float]:
    """Median, 95th percentile and maximum."""
    values = [value for value in fields.numbers(key, 3) if value is not None]
    if len(values) != 3:
        raise fields.fault(key, "expected a median, a 95th percentile and a maximum")
    return float(values[0]), float(values[1]), float(values[2])
