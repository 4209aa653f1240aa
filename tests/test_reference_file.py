"""Reference files: every malformed one is refused by file and field, whatever it holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck import reference
from fpcheck.errors import UsageError
from fpcheck.layouts import Role
from fpcheck.policy.kinds import PATTERNS, Kind
from tests.small_library import HELD, a_folder, a_reference, put, refuse, relist

VALID = reference.dump(a_reference("acme/one", "acme/base")).encode()

# What stands in a reference file: place, value, and what the refusal must say.
Q = "signature.towers.0.roles.q"
FAULTS = [
    ("format", "fpcheck.reference/9", "format: expected fpcheck.reference/1"),
    ("id", ..., "id: missing"),
    ("id", "acme", "id: expected owner/name, got 'acme'"),
    ("id", "../one", "id: expected owner/name"),
    ("id", "acme/one\n", "id: expected owner/name"),
    ("id", "acme/one.figures", "id: expected owner/name"),
    ("id", "acme/two", "belongs in acme/two.figures.json"),
    ("licence", "", "licence: expected text"),
    ("parents", "acme/two", "parents: expected a list"),
    ("parents", [["acme/two"]], "parents: expected a list of texts, got a list"),
    ("parents", ["base"], "parents: expected owner/name, got 'base'"),
    ("parents", ["acme/one"], "parents: acme/one cannot be its own parent"),
    ("extra", 1, "extra: unknown field"),
    ("obtained.how", "guessed", "obtained.how: expected computed or published"),
    ("obtained.digits", None, "obtained.digits: a number for published figures"),
    ("obtained.digits", True, "obtained.digits: expected a whole number"),
    ("obtained.source", "", "obtained.source: expected text"),
    ("obtained.statistic", "max", "obtained.statistic: expected std or rms"),
    ("obtained.complete", "yes", "obtained.complete: expected true or false"),
    ("obtained.extra", 1, "obtained.extra: unknown field"),
    ("signature", [], "signature: expected an object, got a list"),
    ("signature.recipe", "profile/0", "signature.recipe: expected profile/1 or profile/2"),
    ("signature.notes", ["\ud800"], "signature.notes: expected a list of texts"),
    ("signature.notes", ["long" * 2_000], "signature.notes: expected a list of texts"),
    ("signature.towers", [], "signature.towers: a reference needs"),
    ("signature.towers.0.layers", [0, 2, 1], "signature.towers[0].layers: expected layer numbers"),
    ("signature.towers.0.cross", 0, "signature.towers[0].cross: expected true or false"),
    ("signature.towers.0.roles.r", {}, "signature.towers[0].roles.r: not a role"),
    (f"{Q}.std", [0.1], "roles.q.std: expected 3 values, one a layer, got 1"),
    (f"{Q}.std.0", -0.1, "roles.q.std: expected no negative number"),
    (f"{Q}.std.0", 1e301, "roles.q.std: expected finite numbers"),
    (f"{Q}.std.0", True, "roles.q.std: expected finite numbers"),
    (f"{Q}.std.0", None, "roles.q.count: a layer has a count and a std, or neither"),
    (f"{Q}.mean.1", 0.0, "roles.q.count: a layer has a count and a std, or neither"),
    (f"{Q}.count.0", 0, "roles.q.count: expected a whole number of weights"),
    (f"{Q}.count.0", 2.5, "roles.q.count: expected a whole number of weights"),
    (f"{Q}.count.0", 1e200, "roles.q.count: expected a whole number of weights"),
    (f"{Q}.extra", 1, "roles.q.extra: unknown field"),
]


@pytest.mark.parametrize(("place", "value", "message"), FAULTS)
def test_a_malformed_field_is_refused_by_file_and_field(
    tmp_path: Path, place: str, value: object, message: str
) -> None:
    folder = a_folder(tmp_path)
    document = json.loads((folder / HELD).read_bytes())
    put(document, place, value)
    relist(folder, HELD, json.dumps(document).encode())

    refusal = refuse(folder)

    assert refusal.startswith(f"{folder / HELD}: ")
    assert message in refusal


def test_ids_are_those_of_the_hub_and_of_policies() -> None:
    for identity in ("_acme/one", "acme/_one", "a/" + "n" * 96):
        item = reference.load(reference.dump(a_reference(identity)).encode(), "file")

        assert item.id == identity
        assert re.search(PATTERNS[Kind.ID], identity)


def test_a_refusal_says_how_to_get_a_good_file() -> None:
    for content in (b"{}", b"not JSON"):
        with pytest.raises(UsageError) as caught:
            reference.load(content, "file")

        assert "`fpcheck library add`" in caught.value.hint


def test_a_refusal_stays_short() -> None:
    document = json.loads(VALID) | {"x" * 100_000: 1}

    with pytest.raises(UsageError) as caught:
        reference.load(json.dumps(document).encode(), "file")

    assert len(str(caught.value)) < 200


def test_statistics_written_as_whole_numbers_are_floats_like_the_others() -> None:
    document = json.loads(VALID)
    put(document, f"{Q}.std.0", 1)
    put(document, f"{Q}.mean.0", 0)

    (tower,) = reference.load(json.dumps(document).encode(), "file").signature.towers
    moments = tower.roles[Role.Q][0]

    assert moments is not None
    assert (int, float, float) == (type(moments.count), type(moments.mean), type(moments.std))


BYTES = {
    "empty": (b"", "not JSON"),
    "cut": (b'{"format": "fpcheck.ref', "not JSON"),
    "a list": (b"[]", "expected a JSON object"),
    "not UTF-8": (b'{"id": "\xff"}', "not UTF-8 at byte 8"),
    "a key twice": (b'{"id": "a/b", "id": "c/d"}', "key 'id' stands twice"),
    "NaN": (b'{"id": NaN}', "NaN is not JSON"),
    "half a character": (b'{"id": "\\ud800"}', "half a character"),
    "nested": (b'{"id": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "nested too deeply"),
}


@pytest.mark.parametrize("case", BYTES)
def test_what_is_not_strict_json_is_refused(tmp_path: Path, case: str) -> None:
    folder = a_folder(tmp_path)
    content, message = BYTES[case]
    relist(folder, HELD, content)

    assert message in refuse(folder)


@pytest.mark.parametrize("depth", range(850, 1_000, 5))
def test_a_field_nested_almost_too_deeply_is_still_a_usage_error(depth: int) -> None:
    content = b'{"format": ' + b"[" * depth + b"]" * depth + b"}"

    with pytest.raises(UsageError):
        reference.load(content, "file")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_make_a_reference_or_a_usage_error(content: bytes) -> None:
    _load(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@settings(deadline=None)
@given(st.integers(0, len(VALID)), st.integers(0, 30), st.binary(max_size=8))
def test_a_damaged_reference_makes_a_reference_or_a_usage_error(
    start: int, length: int, patch: bytes
) -> None:
    _load(VALID[:start] + patch + VALID[start + length :])


@settings(deadline=None)
@given(st.sampled_from(sorted({place for place, _, _ in FAULTS if "extra" not in place})), JSON)
def test_any_value_in_a_field_makes_a_reference_or_a_usage_error(place: str, value: object) -> None:
    document = json.loads(VALID)
    put(document, place, value)

    _load(json.dumps(document).encode())


def _load(content: bytes) -> None:
    try:
        item = reference.load(content, "file")
    except UsageError as error:
        assert str(error).startswith("file: ")
        return
    again = reference.dump(item)
    assert again == reference.dump(reference.load(again.encode(), "again"))
