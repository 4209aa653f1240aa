"""The table of fields is complete, and the published schema is made from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from fpcheck.comparison.levels import Level
from fpcheck.policy import Unmeasured
from fpcheck.policy.fields import FIELDS, ROOT, children
from fpcheck.policy.kinds import Field, Kind, Null
from fpcheck.policy.schema import SCHEMA_FILE, schema, schema_text

REPOSITORY = Path(__file__).parents[2]
IDS = [field.path or "(the file)" for field in FIELDS]
UNORDERED = {"version", "checkpoint"}  # none of their values is tighter than another


@pytest.mark.parametrize("field", FIELDS, ids=IDS)
def test_every_field_says_what_it_means_and_how_to_write_it(field: Field) -> None:
    assert field.meaning.endswith(".")
    assert field.way_out
    assert field.key in field.way_out


@pytest.mark.parametrize("field", FIELDS, ids=IDS)
def test_every_field_stands_in_a_block(field: Field) -> None:
    blocks = {f.path for f in FIELDS if f.kind is Kind.BLOCK}

    assert field.parent in blocks
    assert bool(children(field)) == (field.kind is Kind.BLOCK)


@pytest.mark.parametrize("field", FIELDS, ids=IDS)
def test_every_field_says_which_way_it_tightens(field: Field) -> None:
    ordered = field.kind is not Kind.BLOCK and field.path not in UNORDERED

    assert (field.tighter is not None) == ordered
    assert field.null is not Null.UNSAID or not ordered


def test_no_path_stands_twice() -> None:
    assert len({field.path for field in FIELDS}) == len(FIELDS)


def test_every_level_but_none_can_be_objected_to() -> None:
    by_path = {field.path: field for field in FIELDS}

    assert set(by_path["thresholds.fail.level"].choices) == set(Level) - {Level.NONE}
    assert set(by_path["thresholds.warn.level"].choices) == set(Level) - {Level.NONE}
    assert by_path["unmeasured"].choices == tuple(Unmeasured)


def test_levels_stand_tightest_first() -> None:
    choices = next(f.choices for f in FIELDS if f.path == "thresholds.fail.level")
    ranks = [Level(str(choice)).rank for choice in choices]

    assert ranks == sorted(ranks)


def test_defaults_fail_from_a_change_of_basis_on_and_warn_from_a_resemblance_on() -> None:
    by_path = {field.path: field for field in FIELDS}

    assert by_path["thresholds.fail.level"].default is Level.TRANSFORMED
    assert by_path["thresholds.warn.level"].default is Level.RESEMBLES
    for rule in ("profile", "false_positive_rate"):
        assert {by_path[f"thresholds.{s}.{rule}"].default for s in ("fail", "warn")} == {None}


def test_version_comes_first_so_that_a_newer_file_is_refused_for_its_version() -> None:
    assert children(ROOT)[0].key == "version"


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_the_published_schema_is_up_to_date() -> None:
    published = (REPOSITORY / SCHEMA_FILE).read_text(encoding="utf-8")

    assert published == schema_text(), "run python tools/write_schema.py"


def test_the_tool_writes_the_schema(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    environment = {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, str(REPOSITORY / "tools/write_schema.py")]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)

    assert (tmp_path / SCHEMA_FILE).read_text(encoding="utf-8") == schema_text()
