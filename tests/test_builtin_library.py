"""The references that come with fpcheck are whole, consistent and reproducible."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from fpcheck import reference
from fpcheck.layouts import MATRICES, Role
from fpcheck.reference import ID, How, Reference
from fpcheck.references import MANIFEST, Library, builtin_folder, load_library
from tests.data_folders import data

ROOT = Path(__file__).parent.parent
TABLES = runpy.run_path(str(ROOT / "tools" / "figure_lineage.py"))
L6 = {
    "cross-encoder/ms-marco-MiniLM-L6-v2",
    "nreimers/MiniLM-L6-H384-uncased",
    "sentence-transformers/all-MiniLM-L6-v1",
    "sentence-transformers/all-MiniLM-L6-v2",
}


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library([builtin_folder()])


@pytest.fixture(scope="module")
def published(library: Library) -> dict[str, Reference]:
    return {r.id: r for r in library.references if r.obtained.how is How.PUBLISHED}


def test_it_holds_the_published_figures(published: dict[str, Reference]) -> None:
    assert len(published) == 166
    assert published["sentence-transformers/all-MiniLM-L6-v2"].obtained.digits == 3
    assert not published["tiiuae/falcon-40b"].obtained.complete
    assert published["huggyllama/llama-13b"].obtained.statistic == "rms"
    assert TABLES["EXCLUDED"].keys().isdisjoint(published)


def test_every_file_lies_where_its_id_says_and_is_written_as_fpcheck_writes_it(
    library: Library,
) -> None:
    for item in library.references:
        content = (builtin_folder() / item.path).read_bytes()
        assert ID.fullmatch(item.id)
        assert reference.dump(item).encode() == content


def test_it_stays_small() -> None:
    assert sum(p.stat().st_size for p in builtin_folder().rglob("*.json")) < 2_000_000


def test_published_figures_are_positive_and_say_what_they_are(
    published: dict[str, Reference],
) -> None:
    for item in published.values():
        (tower,) = item.signature.towers
        assert item.signature.origin.name == item.id
        assert {Role.O} < set(tower.roles) <= set(MATRICES)
        assert tower.layers == tuple(range(len(tower.layers)))
        assert all(m and m.mean is None and m.std > 0 for row in tower.roles.values() for m in row)
        assert item.obtained.source.endswith("(MIT)")
        assert item.obtained.note.endswith("mean not published")


def test_nobody_is_their_own_ancestor(library: Library) -> None:
    parents = {p for item in library.references for p in item.parents}
    for item in library.references:
        above = {a for parent in item.parents for a in library.ancestors(parent)}
        assert item.id not in above
        assert all(ID.fullmatch(parent) for parent in item.parents)
    assert parents


def test_every_recorded_fact_is_used(published: dict[str, Reference]) -> None:
    for identity, (parent, reason) in TABLES["DERIVED"].items():
        assert (parent,) == published[identity].parents
        assert reason
    used = {parent for item in published.values() for parent in item.parents}
    assert set(TABLES["ROOTS"].values()) <= used


def test_siblings_are_of_one_family_and_strangers_are_not(library: Library) -> None:
    (family,) = {library.family(identity) for identity in L6}

    assert family == library.family("microsoft/MiniLM-L12-H384-uncased")
    assert family != library.family("huggyllama/llama-13b")
    assert family != library.family("google-bert/bert-base-uncased")
    assert library.family("huggyllama/llama-13b") != library.family("huggyllama/llama-65b")
    assert {"nreimers/MiniLM-L6-H384-uncased", "microsoft/MiniLM-L12-H384-uncased"} == (
        library.ancestors("sentence-transformers/all-MiniLM-L6-v2")
    )


def test_the_same_weights_under_two_names_are_of_one_family(
    library: Library, published: dict[str, Reference]
) -> None:
    profiles: dict[object, set[str]] = {}
    for item in published.values():
        rows = tuple(sorted(item.signature.towers[0].roles.items()))
        profiles.setdefault(rows, set()).add(library.family(item.id))

    assert all(len(families) == 1 for families in profiles.values())


def test_its_readme_names_what_is_left_out_and_every_source() -> None:
    readme = (builtin_folder() / "README.md").read_text(encoding="utf-8")

    for name in (*TABLES["EXCLUDED"], *(s.split("@")[0] for s in TABLES["SOURCES"])):
        assert name in readme


def test_importing_the_figures_again_gives_the_same_bytes(
    published: dict[str, Reference], tmp_path: Path
) -> None:
    figures = data("published-figures/figures.jsonl")
    script = ROOT / "tools" / "import_figures.py"
    command = [sys.executable, str(script), str(figures), str(tmp_path)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})

    builtin = json.loads((builtin_folder() / MANIFEST).read_bytes())["references"]
    again = json.loads((tmp_path / MANIFEST).read_bytes())["references"]
    assert set(again) == {item.path for item in published.values()}
    assert again.items() <= builtin.items()
    for path in again:
        assert (tmp_path / path).read_bytes() == (builtin_folder() / path).read_bytes()
