"""Arrays to and from their files: exact, within their budget, bound by digests, strictly read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from fpcheck import reference
from fpcheck.errors import UsageError
from fpcheck.reference import How, Obtained, Reference
from fpcheck.references import MANIFEST, add_reference, load_library
from fpcheck.signature import Signature, arrays_file, file
from fpcheck.signature.arrays import FORM, QK, VO, Arrays
from fpcheck.signature.arrays_file import FEWEST_ENTRIES, dump, for_reference, load
from tests.signatures import a_signature
from tests.weights import random_arrays, tower_of

TOWER = tower_of(random_arrays(1, 3))
BARE = replace(TOWER, arrays=None)
Tables = dict[str, np.ndarray]


def content(*towers: Any) -> bytes:
    found = dump(towers or (TOWER,))
    assert found is not None
    return found


def same(one: Arrays | None, other: Arrays | None) -> None:
    assert one is not None
    assert other is not None
    assert np.array_equal(one.anchors, other.anchors)
    for group in ("samples", "shapes", "forms", "vectors"):
        own, theirs = getattr(one, group), getattr(other, group)
        assert own.keys() == theirs.keys()
        for role in own:
            assert own[role].dtype == theirs[role].dtype
            assert np.array_equal(own[role], theirs[role], equal_nan=group == "vectors")


def test_what_is_written_is_read_back() -> None:
    gaps = tower_of(random_arrays(2, 5, forms=False), "vision")
    assert gaps.arrays is not None
    gaps.arrays.vectors["norm"][2] = np.nan
    gaps.arrays.samples["q"][1] = 0
    bare = replace(BARE, name="audio")

    own, none, other = load(
        content(TOWER, bare, gaps), (BARE, bare, replace(gaps, arrays=None)), "a file"
    )

    same(own.arrays, TOWER.arrays)
    same(other.arrays, gaps.arrays)
    assert none == bare
    assert none.arrays is None
    assert dump((BARE, bare)) is None
    assert content() == content()


def tables() -> Tables:
    from safetensors.numpy import load as load_tables

    return dict(load_tables(content()))


def put(key: str, table: np.ndarray) -> Callable[[Tables], None]:
    return lambda found: found.update({key: table})


def cut(key: str) -> Callable[[Tables], Any]:
    return lambda found: found.pop(key)


def cast(key: str, kind: Any) -> Callable[[Tables], None]:
    return lambda found: found.update({key: found[key].astype(kind)})


def spoil(key: str, value: float) -> Callable[[Tables], None]:
    def change(found: Tables) -> None:
        found[key] = found[key].copy()
        found[key][1, 1] = value

    return change


HALVES = np.ones((3, 256), np.float16)
FAULTS: dict[str, tuple[Callable[[Tables], Any], str]] = {
    "no anchors": (cut("0.anchors"), "anchors: expected 64 flags"),
    "anchors of bytes": (cast("0.anchors", np.uint8), "anchors: expected 64 flags"),
    "63 anchors": (put("0.anchors", np.ones(63, np.bool_)), "anchors: expected 64 flags"),
    "anchors in rows": (put("0.anchors", np.ones((8, 8), np.bool_)), "anchors: expected 64 flags"),
    "samples of singles": (cast("0.samples.q", np.float32), "samples.q: not an array of 3 layers"),
    "shapes of halves": (cast("0.shapes.q", np.float16), "shapes.q: not an array of 3 layers"),
    "forms of words": (cast("0.forms.qk", np.int16), "forms.qk: not an array of 3 layers"),
    "vectors of doubles": (cast("0.vectors.norm", np.float64), "vectors.norm: not an array"),
    "a layer too many": (put("0.samples.q", np.ones((4, 256), np.float16)), "samples.q: not an"),
    "a layer too few": (put("0.samples.q", np.ones((2, 256), np.float16)), "samples.q: not an"),
    "too wide": (put("0.samples.q", np.ones((3, 257), np.float16)), "samples.q: not an array"),
    "no width": (put("0.samples.q", np.ones((3, 0), np.float16)), "samples.q: not an array"),
    "one axis": (put("0.samples.q", np.ones(3, np.float16)), "samples.q: not an array"),
    "three axes": (put("0.samples.q", np.ones((3, 16, 16), np.float16)), "samples.q: not an"),
    "a form too wide": (put("0.forms.qk", np.ones((3, FORM + 1), np.int8)), "forms.qk: not an"),
    "another group": (put("0.spectra.q", HALVES), "spectra.q: not an array"),
    "a group alone": (put("0.samples", HALVES), "samples of a role that there is not"),
    "no group": (put("0.", HALVES), "not an array"),
    "no tower": (put("samples.q", HALVES), "arrays of towers that the signature does not have"),
    "another tower": (put("1.samples.q", HALVES), "arrays of towers that the signature does not"),
    "a tower twice": (put("00.samples.q", HALVES), "arrays of towers that the signature does not"),
    "a tower below 0": (put("-1.samples.q", HALVES), "arrays of towers that the signature does"),
    "samples without shapes": (cut("0.shapes.o"), "samples and shapes are not of the same roles"),
    "shapes without samples": (cut("0.samples.o"), "samples and shapes are not of the same roles"),
    "one number a shape": (put("0.shapes.q", np.ones((3, 1), np.int32)), "shapes: expected"),
    "a shape below 0": (spoil("0.shapes.q", -1), "shapes: expected outputs and inputs"),
    "NaN": (spoil("0.samples.v", np.nan), "samples: expected finite numbers"),
    "infinity": (spoil("0.samples.v", np.inf), "samples: expected finite numbers"),
    "an infinite vector": (spoil("0.vectors.norm", np.inf), "vectors: expected finite numbers"),
    "one form": (cut("0.forms.vo"), "forms: expected qk and vo, of one size"),
    "forms of two sizes": (put("0.forms.vo", np.ones((3, 400), np.int8)), "of one size"),
    "a third form": (put("0.forms.kq", np.ones((3, FORM), np.int8)), "forms: expected qk and vo"),
    "samples of a vector": (put("0.vectors.q", np.ones((3, 32), np.float16)), "a role that there"),
    "an unknown vector": (put("0.vectors.::x", np.ones((3, 32), np.float16)), "a role that there"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_malformed_is_refused(fault: str) -> None:
    change, said = FAULTS[fault]
    found = tables()
    change(found)

    with pytest.raises(UsageError) as caught:
        load(save(found), (BARE,), "a file")

    assert str(caught.value).startswith("a file: ")
    if fault == "a group alone":
        assert "samples" in str(caught.value)
    else:
        assert said in str(caught.value)


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "X", "F4"])
def test_dtypes_that_numpy_lacks_are_refused(dtype: str) -> None:
    whole = content()
    assert b'"F16"' in whole

    with pytest.raises(UsageError, match="a file: "):
        load(whole.replace(b'"F16"', f'"{dtype}"'.encode().ljust(5), 1), (BARE,), "a file")


@given(st.integers(0, 4000), st.binary(min_size=0, max_size=12))
@settings(max_examples=60, deadline=None)
def test_no_file_ends_in_a_crash(place: int, put_in: bytes) -> None:
    whole = content()
    for broken in (whole[:place] + put_in + whole[place + len(put_in) :], whole[:place], put_in):
        try:
            load(broken, (BARE,), "a file")
        except UsageError as error:
            assert str(error).startswith("a file: ")


def test_a_file_that_is_too_large_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays_file, "MAX_BYTES", 1000)

    with pytest.raises(UsageError, match="more than 1,000"):
        load(content(), (BARE,), "a file")


# What a reference keeps.


@pytest.mark.parametrize(("layers", "most"), [(12, 256_000), (48, 256_000), (126, 672_000)])
def test_a_reference_keeps_within_its_budget(layers: int, most: int) -> None:
    tower = tower_of(random_arrays(1, layers))

    (kept,) = for_reference((tower,), tower)

    assert tower.arrays is not None
    assert kept.arrays is not None
    assert len(content(kept)) <= most
    entries = kept.arrays.forms[QK].shape[1]
    assert kept.arrays.forms[VO].shape[1] == entries >= FEWEST_ENTRIES
    assert layers > 12 or entries == FORM
    same(replace(kept.arrays, forms={}), replace(tower.arrays, forms={}))
    for name, form in kept.arrays.forms.items():
        assert np.array_equal(form, tower.arrays.forms[name][:, :entries])


def test_a_reference_keeps_the_main_tower_alone() -> None:
    vision = tower_of(random_arrays(2, 3), "vision")

    own, other = for_reference((TOWER, vision), TOWER)

    same(own.arrays, TOWER.arrays)
    assert other.arrays is None
    assert [tower.arrays for tower in for_reference((TOWER, vision), None)] == [None, None]
    assert for_reference((BARE,), BARE)[0].arrays is None


# What binds the file to the JSON beside it.

SIGNATURE = a_signature(TOWER)


def test_a_signature_names_the_digest_of_its_arrays() -> None:
    arrays = content()
    text = file.dump(SIGNATURE, arrays).encode()

    found = file.load(text, "a.json", lambda: arrays)

    same(found.towers[0].arrays, TOWER.arrays)
    assert json.loads(text)["arrays"] == file.digest_of(arrays)
    with pytest.raises(UsageError, match="arrays: the file beside it has the digest"):
        file.load(text, "a.json", lambda: arrays + b" ")
    with pytest.raises(UsageError, match="arrays: there is no file of arrays beside it"):
        file.load(text, "a.json")


def test_a_signature_without_arrays_asks_for_none() -> None:
    def never() -> bytes:
        raise AssertionError

    without = file.dump(a_signature(BARE)).encode()
    assert b"arrays" not in without  # as before there were any

    assert file.load(without, "a.json", never).towers[0].arrays is None
    null = json.dumps({**json.loads(without), "arrays": None}).encode()
    with pytest.raises(UsageError, match="arrays: expected text"):
        file.load(null, "a.json", never)


def a_reference(signature: Signature = SIGNATURE) -> Reference:
    return Reference("acme/one", None, (), Obtained(How.COMPUTED, "a test"), signature)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    add_reference(tmp_path / "library", a_reference())
    return tmp_path / "library"


ARRAYS = "acme/one.safetensors"


def test_a_reference_stands_in_two_files(folder: Path) -> None:
    (found,) = load_library([folder]).references

    same(found.signature.towers[0].arrays, TOWER.arrays)
    assert (folder / ARRAYS).read_bytes() == content()
    assert (folder / found.path).read_text() == reference.dump(found)
    assert found.arrays_path == ARRAYS
    assert list(json.loads((folder / MANIFEST).read_text())["references"]) == ["acme/one.json"]


def _alter(folder: Path) -> None:
    whole = bytearray((folder / ARRAYS).read_bytes())
    whole[-1] ^= 1
    (folder / ARRAYS).write_bytes(whole)


def _link(folder: Path) -> None:
    (folder / ARRAYS).rename(folder.parent / "away")
    (folder / ARRAYS).symlink_to(folder.parent / "away")


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (_alter, "arrays: the file beside it has the digest"),
        (_link, "no links"),
        (lambda f: (f / ARRAYS).unlink(), "cannot be read"),
        (lambda f: (f / ARRAYS).write_bytes(b""), "arrays: the file beside it has the digest"),
        (lambda f: (f / "acme/two.safetensors").write_bytes(b"x"), "not listed in manifest.json"),
        (lambda f: (f / "one.safetensors").write_bytes(b"x"), "not listed in manifest.json"),
    ],
)
def test_a_library_whose_arrays_are_not_its_own_is_refused(
    tamper: Callable[[Path], Any], said: str, folder: Path
) -> None:
    tamper(folder)

    with pytest.raises(UsageError, match=said):
        load_library([folder])


def test_a_reference_without_arrays_reads_no_file_beside_it(folder: Path) -> None:
    add_reference(folder, a_reference(a_signature(BARE)), replace=True)

    (found,) = load_library([folder]).references

    assert found.signature.towers[0].arrays is None
