"""What strangers score: the file that ships, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fpcheck.calibration import DEFAULT, Calibration, DepthClass, load
from fpcheck.errors import UsageError
from fpcheck.references import CALIBRATION, builtin_folder, load_library

CLASS = {
    "first": 4,
    "last": 16,
    "families": 12,
    "pairs": 66,
    "bound": 0.25,
    "raw": [0.5, 0.8, 0.9],
    "detrended": [0.1, 0.4, 0.6],
}
VALID: dict[str, Any] = {
    "format": "fpcheck.calibration/1",
    "forms": {"control": 0.35, "margin": 0.1, "pairs": 60, "bound": 0.05},
    "profiles": [CLASS, {**CLASS, "first": 17, "last": None}],
    "source": "benchmarks/lineage",
}


def read(value: Any) -> Calibration:
    return load(json.dumps(value).encode(), "calibration.json")


def test_a_calibration_is_what_its_file_says() -> None:
    found = read(VALID)

    assert found.threshold == pytest.approx(0.45)
    assert found.bound == pytest.approx(0.05)
    assert found.source == "benchmarks/lineage"
    assert found.profiles[0] == DepthClass(4, 16, 12, 66, (0.5, 0.8, 0.9), (0.1, 0.4, 0.6))
    assert found.profiles[0].bound == pytest.approx(0.25)
    assert found.profiles[1].last is None


def test_nothing_bounds_nothing() -> None:
    assert Calibration(0.3, 0, 0.1).bound == 1
    assert Calibration(0.3, 2, 0.1).bound == 1
    assert DepthClass(0, None, 0, 0, (0, 0, 0), (0, 0, 0)).bound == 1


def at(path: str, value: Any) -> dict[str, Any]:
    """The valid file with one value in another's place; without it for `...`."""
    found = json.loads(json.dumps(VALID))
    *above, last = path.split(".")
    inner = found
    for part in above:
        inner = inner[int(part)] if part.isdigit() else inner[part]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return found


FAULTS: list[tuple[str, Any, str]] = [
    ("format", "fpcheck.calibration/2", "format: expected fpcheck.calibration/1"),
    ("format", ..., "format: missing"),
    ("forms", ..., "forms: missing"),
    ("forms", [], "forms: expected an object"),
    ("forms.control", ..., "forms.control: missing"),
    ("forms.bound", 0.01, "forms.bound: expected 0.05, 3 by the number of observations"),
    ("profiles.0.bound", 0.1, "profiles[0].bound: expected 0.25"),
    ("forms.control", 1.5, "forms.control: expected a number from 0 to 1"),
    ("forms.control", -0.1, "forms.control: expected a number from 0 to 1"),
    ("forms.control", True, "forms.control: expected a number from 0 to 1"),
    ("forms.control", "0.3", "forms.control: expected a number from 0 to 1"),
    ("forms.control", None, "forms.control: expected a number from 0 to 1"),
    ("forms.margin", -1, "forms.margin: expected a number from 0 to 1"),
    ("forms.margin", 0.65, "leave nothing that could be a hit"),
    ("forms.pairs", 1.5, "forms.pairs: expected a whole number"),
    ("forms.pairs", -1, "forms.pairs: expected a whole number"),
    ("forms.extra", 1, "forms.extra: unknown field"),
    ("extra", 1, "extra: unknown field"),
    ("source", "", "source: expected text"),
    ("profiles", {}, "profiles: expected a list"),
    ("profiles", [1], "profiles: expected objects"),
    ("profiles.0.first", ..., "profiles[0].first: missing"),
    ("profiles.0.last", "16", "profiles[0].last: expected a whole number"),
    ("profiles.0.families", 1.0, "profiles[0].families: expected a whole number"),
    ("profiles.1.pairs", None, "profiles[1].pairs: expected a whole number"),
    ("profiles.0.raw", [0.5, 0.8], "profiles[0].raw: expected 3 values"),
    ("profiles.0.raw", [0.5, 0.8, None], "profiles[0].raw: expected a median"),
    ("profiles.0.detrended", [0.5, "x", 1], "profiles[0].detrended: expected finite numbers"),
    ("profiles.0.extra", 1, "profiles[0].extra: unknown field"),
]


@pytest.mark.parametrize(("path", "value", "said"), FAULTS)
def test_what_is_malformed_is_refused(path: str, value: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(at(path, value))

    assert str(caught.value).startswith("calibration.json: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"\xff", b"NaN"])
def test_what_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError):
        load(content, "calibration.json")


def test_not_a_number_is_no_threshold() -> None:
    text = json.dumps(VALID).replace("0.35", "NaN")

    with pytest.raises(UsageError):
        load(text.encode(), "calibration.json")


def test_the_built_in_library_has_one_that_libraries_take() -> None:
    found = load((builtin_folder() / CALIBRATION).read_bytes(), CALIBRATION)

    assert load_library([]).calibration == found
    assert found.controls > 0
    assert 0 < found.control < found.threshold < 0.9
    assert DEFAULT.threshold >= found.threshold
