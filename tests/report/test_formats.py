"""Every format renders every outcome, the same bytes each time, and no attack gets through."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fpcheck.report import FORMATS, markdown, svg
from fpcheck.report.sinks import literal, plain, visible
from tests.report.checks import (
    CHECKS,
    a_bare_check,
    a_failing_check,
    a_hostile_check,
    a_passing_check,
)

GOLDEN = Path(__file__).parent / "golden"
SUFFIX = {"terminal": "txt", "markdown": "md", "json": "json"}


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_renders_every_outcome_as_before(form: str, name: str, tmp_path: Path) -> None:
    """With UPDATE_GOLDEN=1 the files are written anew: read the difference before you commit."""
    text = FORMATS[form](CHECKS[name](tmp_path))
    file = GOLDEN / f"{name}.{SUFFIX[form]}"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)

    assert text == file.read_text()


def test_a_report_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    one, other = a_failing_check(tmp_path / "one"), a_failing_check(tmp_path / "other")

    for render in FORMATS.values():
        assert render(one) == render(other)
    assert svg.render(one) == svg.render(other)


def test_the_verdict_stands_in_the_first_line(tmp_path: Path) -> None:
    assert markdown.render(a_failing_check(tmp_path)).startswith("# ❌ fpcheck: fail")
    assert markdown.render(a_passing_check(tmp_path)).startswith("# ✅ fpcheck: pass")


def test_no_word_of_a_hostile_checkpoint_becomes_markup(tmp_path: Path) -> None:
    """Whatever came from outside is in code spans, where nothing is parsed, linked or mentioned."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    spans = 0
    for block in parser.parse(markdown.render(a_hostile_check(tmp_path))):
        for part in [block, *(block.children or [])]:
            if part.type == "code_inline":
                spans += "octocat" in part.content
            elif part.type != "inline":
                assert "evil" not in part.content and "octocat" not in part.content
            assert part.type not in {"link_open", "image", "html_inline", "s_open"}
            if part.type == "html_block":
                assert part.content.strip() in {
                    "<details><summary>Manifest: 2 files</summary>",
                    "<details><summary>Charts, role by role</summary>",
                    "</details>",
                }
    assert spans >= 10


def test_a_hostile_report_has_no_heading_of_the_attackers(tmp_path: Path) -> None:
    report = markdown.render(a_hostile_check(tmp_path))
    honest = markdown.render(a_failing_check(tmp_path))

    def headings(text: str) -> list[str]:
        return [line.split("·")[0] for line in text.splitlines() if line.startswith("#")]

    assert headings(report)[1:] == [
        *headings(honest)[1:],
    ]


def test_a_hostile_name_commands_neither_runner_nor_terminal(tmp_path: Path) -> None:
    for line in FORMATS["terminal"](a_hostile_check(tmp_path)).splitlines():
        assert "##[" not in line
        assert not line.lstrip().startswith("::")
        assert line.isprintable()


def test_a_hostile_json_report_is_json_with_the_text_in_it(tmp_path: Path) -> None:
    report = json.loads(FORMATS["json"](a_hostile_check(tmp_path)))

    assert "evil.example" in report["signature"]["origin"]["name"]


def test_the_picture_is_well_formed_whatever_the_names(tmp_path: Path) -> None:
    root = ET.fromstring(svg.render(a_hostile_check(tmp_path)))

    assert {element.tag.split("}")[1] for element in root.iter()} == {
        "svg",
        "title",
        "desc",
        "style",
        "rect",
        "text",
        "g",
        "line",
        "polyline",
        "path",
        "circle",
    }


@given(st.text())
def test_the_sinks_leave_one_line_of_printable_text(text: str) -> None:
    assert visible(text).isprintable()
    assert "##[" not in plain(text)
    assert "::" not in plain(text)


@given(st.text(min_size=1))
def test_literal_text_is_one_code_span_even_in_a_table(text: str) -> None:
    parser = MarkdownIt("commonmark").enable("table")

    tokens = parser.parse(f"| a | b |\n|---|---|\n| {literal(text)} | end |")

    cells = [token for token in tokens if token.type == "inline"]
    assert len(cells) == 4
    assert [part.type for part in cells[2].children or []] in (["code_inline"], ["text"])
    assert cells[3].content == "end"


def test_a_bare_threshold_is_reported_with_its_known_false_alarms(tmp_path: Path) -> None:
    report = markdown.render(a_bare_check(tmp_path))

    assert "bare threshold of 0.9 raw" in report
    assert "2.3 % at 0.90 or above" in report
    assert "of 8 unrelated families" in report
    assert "bare threshold" not in markdown.render(a_passing_check(tmp_path))
