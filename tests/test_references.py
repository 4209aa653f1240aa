"""Libraries of references: what is refused, what is added, what is written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcheck import reference
from fpcheck.errors import CheckError, UsageError
from fpcheck.reference import How, Obtained, Reference
from fpcheck.references import (
    MANIFEST,
    Library,
    add_reference,
    listed_ids,
    load_library,
    similar_ids,
)
from fpcheck.signature.file import MAX_BYTES
from tests.signatures import a_library
from tests.small_library import HELD, OTHER, a_folder, a_reference, put, refuse


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "library")


def _append(folder: Path) -> None:
    (folder / HELD).write_bytes((folder / HELD).read_bytes() + b"\n")


def _cut(folder: Path) -> None:
    (folder / HELD).write_bytes((folder / HELD).read_bytes()[:-40])


def _swap(folder: Path) -> None:
    content = (folder / OTHER).read_bytes()
    (folder / OTHER).write_bytes((folder / HELD).read_bytes())
    (folder / HELD).write_bytes(content)


def _replace_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        (folder / HELD).rename(folder.parent / "away")
        make(folder / HELD)

    return tamper


def _link_the_owner(folder: Path) -> None:
    (folder / "acme").rename(folder.parent / "acme")
    (folder / "acme").symlink_to(folder.parent / "acme")


def _swell(folder: Path) -> None:
    os.truncate(folder / HELD, MAX_BYTES + 1)


def _add(path: str) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(reference.dump(a_reference("acme/three")))

    return tamper


TAMPERING: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "altered": (_append, HELD, "altered: its digest is sha256:"),
    "cut": (_cut, HELD, "altered"),
    "swapped": (_swap, HELD, "altered"),
    "missing": (lambda f: (f / HELD).unlink(), HELD, "cannot be read: No such file"),
    "a folder": (_replace_by(Path.mkdir), HELD, "plain files, no links"),
    "a pipe": (_replace_by(os.mkfifo), HELD, "plain files, no links"),
    "a link": (
        _replace_by(lambda p: p.symlink_to(p.parents[2] / "away")),
        HELD,
        "plain files, no links",
    ),
    "an owner that is a link": (_link_the_owner, HELD, "plain files, no links"),
    "a dangling link": (_replace_by(lambda p: p.symlink_to("/nowhere")), HELD, "plain files"),
    "swollen": (_swell, HELD, "16,000,001 bytes, more than 16,000,000"),
    "unlisted": (_add("acme/three.json"), "acme/three.json", "not listed in manifest.json"),
    "unlisted deep": (_add("acme/manifest.json"), "acme/manifest.json", "not listed"),
    "no manifest": (lambda f: (f / MANIFEST).unlink(), MANIFEST, "cannot be read: No such file"),
    "manifest cut": (lambda f: os.truncate(f / MANIFEST, 30), MANIFEST, "not JSON"),
}


@pytest.mark.parametrize("case", TAMPERING)
def test_a_tampered_folder_is_refused_by_file(folder: Path, case: str) -> None:
    tamper, path, message = TAMPERING[case]
    tamper(folder)

    refusal = refuse(folder)

    assert refusal.startswith(f"{folder / path}: ")
    assert message in refusal


ENTRIES = {
    "../outside.json": "references.../outside.json: not a reference's path",
    "acme/../../outside.json": "not a reference's path",
    "/etc/outside.json": "not a reference's path",
    "acme\\one.json": "not a reference's path",
    "acme/o\0ne.json": "not a reference's path",
    "acme/deep/one.json": "not a reference's path",
    "one.json": "not a reference's path",
    MANIFEST: "not a reference's path",
    "acme/one.yaml": "not a reference's path",
    "acme/" + "n" * 97 + ".json": "not a reference's path",
}


@pytest.mark.parametrize("path", ENTRIES)
def test_a_manifest_lists_nothing_but_references_below_its_folder(folder: Path, path: str) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["references"][path] = "sha256:00"
    (folder / MANIFEST).write_text(json.dumps(manifest))

    refusal = refuse(folder)

    assert refusal.startswith(f"{folder / MANIFEST}: references.")
    assert ENTRIES[path] in refusal


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("format", "v2", "format: expected fpcheck.library/1, got 'v2'"),
        ("format", ..., "format: missing"),
        ("references", [], "references: expected an object, got a list"),
        ("references", {HELD: 7}, f"references.{HELD}: expected text, got 7"),
        ("extra", 1, "extra: unknown field"),
    ],
)
def test_a_malformed_manifest_is_refused(
    folder: Path, field: str, value: object, message: str
) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    put(manifest, field, value)
    (folder / MANIFEST).write_text(json.dumps(manifest))

    assert refuse(folder) == f"{folder / MANIFEST}: {message}"


def test_a_further_folder_adds_references(folder: Path, tmp_path: Path) -> None:
    add_reference(tmp_path / "more", a_reference("acme/three"))
    add_reference(tmp_path / "more", a_reference("acme/one"))  # the same file again

    alone, both = load_library([folder]), load_library([folder, tmp_path / "more"])

    assert [r.id for r in both.references] == ["acme/one", "acme/three", "acme/two"]
    assert alone.digest != both.digest
    assert both == load_library([tmp_path / "more", folder])


def test_a_further_folder_never_replaces_a_reference(folder: Path, tmp_path: Path) -> None:
    add_reference(tmp_path / "more", a_reference("acme/one", std=0.2))

    with pytest.raises(UsageError, match=r"more: acme/one\.figures\.json: another reference"):
        load_library([folder, tmp_path / "more"])


def test_figures_and_a_computed_signature_of_one_model_stand_side_by_side(folder: Path) -> None:
    figures = a_reference("acme/one", "acme/base")
    computed = Reference(
        "acme/one", None, ("acme/two",), Obtained(How.COMPUTED, "fpcheck"), figures.signature
    )
    add_reference(folder, figures, replace=True)
    add_reference(folder, computed)

    library = load_library([folder])

    assert [r.id for r in library.references] == ["acme/one", "acme/one", "acme/two"]
    assert library.ancestors("acme/one") == {"acme/base", "acme/two"}


def test_references_stand_in_the_order_of_their_ids(tmp_path: Path) -> None:
    for identity in ("acme/one.b", "acme/one-b", "acme/one"):
        add_reference(tmp_path, a_reference(identity))

    ids = [r.id for r in load_library([tmp_path]).references]

    assert ids == ["acme/one", "acme/one-b", "acme/one.b"]  # their paths would sort otherwise


def test_the_order_of_adding_leaves_no_trace(folder: Path, tmp_path: Path) -> None:
    for identity in ("acme/two", "acme/one", "acme/two"):
        add_reference(tmp_path / "again", a_reference(identity))

    for path in (HELD, OTHER, MANIFEST):
        assert (folder / path).read_bytes() == (tmp_path / "again" / path).read_bytes()


def test_an_interrupted_write_leaves_the_old_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p: p.read_bytes() for p in folder.rglob("*.*")}

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(CheckError, match="No space left on device"):
            add_reference(folder, a_reference("acme/one", std=0.3), replace=True)

    assert before == {p: p.read_bytes() for p in folder.rglob("*.*")}


@pytest.mark.parametrize("identity", ["../escaped", "acme", "acme/one.figures", "/etc/passwd"])
def test_nothing_is_written_that_could_not_be_loaded(folder: Path, identity: str) -> None:
    before = sorted(folder.parent.rglob("*"))

    with pytest.raises(UsageError, match="id: expected owner/name"):
        add_reference(folder, a_reference(identity))

    assert before == sorted(folder.parent.rglob("*"))


def test_a_reference_is_replaced_only_when_asked(folder: Path) -> None:
    before = (folder / HELD).read_bytes()
    add_reference(folder, a_reference("acme/one"))  # the same again is no change

    with pytest.raises(UsageError, match="already there") as caught:
        add_reference(folder, a_reference("acme/one", std=0.3))

    assert "--replace" in caught.value.hint
    assert (folder / HELD).read_bytes() == before
    add_reference(folder, a_reference("acme/one", std=0.3), replace=True)
    assert (folder / HELD).read_bytes() != before
    load_library([folder])


def test_a_folder_of_other_things_does_not_become_a_library(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(UsageError, match=r"not a library: it holds config\.json"):
        add_reference(tmp_path, a_reference())

    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_an_empty_folder_becomes_a_library(tmp_path: Path) -> None:
    assert listed_ids(tmp_path) == frozenset()

    add_reference(tmp_path, a_reference())

    assert listed_ids(tmp_path) == {"acme/one"}


def test_a_file_in_a_librarys_place_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for folder in (tmp_path / "file", tmp_path / "file" / "x"):
        with pytest.raises(UsageError, match=f"{folder}/acme: a file is in the folder's place"):
            add_reference(folder, a_reference())


def test_nothing_is_added_through_a_link(folder: Path, tmp_path: Path) -> None:
    _link_the_owner(folder)

    with pytest.raises(UsageError, match="symbolic link"):
        add_reference(folder, a_reference("acme/three"))

    assert not (tmp_path / "acme" / "three.figures.json").exists()


def test_ids_are_similar_whatever_their_case() -> None:
    known = ["acme/Model-7B", "acme/model-13b", "other/thing", "acme/Model-7B"]

    assert similar_ids("Acme/model-7b", known, likeness=0.9) == ["acme/Model-7B"]
    assert similar_ids("someone/else", known, likeness=0.9) == []


def a_lineage(**parents: str) -> Library:
    items = (a_reference(f"x/{k}", *(f"x/{p}" for p in v)) for k, v in parents.items())
    return a_library(*items)


def test_lineage_ends_where_it_runs_in_a_circle() -> None:
    library = a_lineage(a="b", b="c", c="a", d="a", e="")

    assert library.ancestors("x/a") == {"x/b", "x/c"}
    assert library.ancestors("x/d") == {"x/a", "x/b", "x/c"}
    assert library.ancestors("x/unknown") == frozenset()
    assert {library.family(f"x/{name}") for name in "abcd"} == {"x/a"}
    assert library.family("x/e") == "x/e"


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"))))
def test_families_are_the_connected_parts_of_the_lineage(edges: list[tuple[str, str]]) -> None:
    parents = {a: "".join(q for p, q in edges if p == a) for a, _ in edges}
    library = a_lineage(**parents)

    family = {name: {name} for name in "abcdefgh"}
    for a, b in edges:
        joined = family[a] | family[b]
        family |= dict.fromkeys(joined, joined)

    for name in "abcdefgh":
        assert f"x/{min(family[name])}" == library.family(f"x/{name}")
