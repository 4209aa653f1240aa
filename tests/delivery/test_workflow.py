from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcheck.delivery import workflow
from fpcheck.delivery.workflow import (
    MAX_ANNOTATIONS,
    MAX_MESSAGE,
    MAX_SUMMARY,
    Annotation,
    annotation_lines,
    log_text,
    write_outputs,
    write_summary,
)
from fpcheck.errors import CheckError
from fpcheck.text import inert, visible
from tests.delivery import runner

# Any text at all, and text made of the pieces that commands are made of.
PIECES = st.sampled_from(
    [
        *"#[]:,;=% \t\r\n\x1b\x85\xa0\u2028\u202e\u200b\ud800",
        "::",
        "##[",
        "set-output",
        "%0A",
        "%25",
    ]
)
HOSTILE = st.text() | st.lists(PIECES | st.characters()).map("".join)
ATTACKS = [
    "::set-output name=verdict::pass",
    "  \t::add-mask::a",
    "\u2003::error::x",
    "x##[set-output name=verdict]pass",
    "###[error]x",
    "fine\r::set-output name=verdict::pass",
    "fine\n::stop-commands::x",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_runner_obeys_the_attacks_that_the_tests_use(attack: str):
    assert runner.commands(attack)


@pytest.mark.parametrize("attack", ATTACKS)
def test_log_never_holds_a_command(attack: str):
    assert runner.commands(log_text(attack)) == []


@given(HOSTILE, HOSTILE)
def test_log_never_holds_a_command_whatever_the_text(before: str, after: str):
    shown = log_text(f"{before}::warning::{after}##[error]{before}")

    assert runner.commands(shown) == []
    assert all(c.isprintable() or c == "\n" for c in shown)


@given(HOSTILE)
def test_nothing_that_begins_a_command_is_left_wherever_it_stands(text: str):
    shown = inert(f"{text}:{text}::{text}###[{text}")

    assert "::" not in shown
    assert "##[" not in shown
    assert shown.replace(" ", "") == f"{text}:{text}::{text}###[{text}".replace(" ", "")


@given(HOSTILE, st.integers(0, 20))
def test_long_text_is_cut_and_says_so(text: str, limit: int):
    assert visible(text, limit) == visible(text if len(text) <= limit else f"{text[:limit]}…")


@given(st.text(st.characters(categories=["L", "N"]), min_size=1))
def test_log_leaves_plain_text_alone(text: str):
    assert log_text(f"{text}\n  {text} (50 %) a:b #[x]") == f"{text}\n  {text} (50 %) a:b #[x]"


def test_escape_sequences_and_reordering_characters_are_shown_by_number():
    assert visible("\x1b[2Ka\u202eb\r\n") == "\\u{1b}[2Ka\\u{202e}b\\u{d}\\u{a}"


@given(HOSTILE, HOSTILE, HOSTILE)
def test_annotation_arrives_as_one_command_that_says_what_was_meant(
    message: str, title: str, file: str
):
    (line,) = annotation_lines([Annotation("error", message, title, file, 3)])

    (command,) = runner.commands(line)
    expected = {"title": visible(title), "file": visible(file), "line": "3"}
    assert command.name == "error"
    assert command.data == log_text(message)
    assert command.properties == {name: value for name, value in expected.items() if value}


def test_annotation_of_a_bare_message_has_no_properties():
    assert list(annotation_lines([Annotation("notice", "50 % done")])) == ["::notice::50 %25 done"]


def test_annotation_keeps_to_the_runners_length():
    (line,) = annotation_lines([Annotation("warning", "\x00" * 5_000)])

    (command,) = runner.commands(line)
    assert len(command.data) == MAX_MESSAGE


@pytest.mark.parametrize("count", [MAX_ANNOTATIONS - 1, MAX_ANNOTATIONS])
def test_as_many_annotations_as_the_runner_shows_are_all_shown(count: int):
    lines = list(annotation_lines([Annotation("error", "x")] * count))

    assert lines == ["::error::x"] * count


def test_annotations_over_the_limit_are_counted_for_each_level():
    many = [Annotation("warning", str(i)) for i in range(25)] + [Annotation("error", "worst")]

    lines = list(annotation_lines(many))

    assert lines[0] == "::error::worst"
    assert lines[1:10] == [f"::warning::{i}" for i in range(9)]
    assert lines[10:] == ["::warning::and 16 more: see the report"]


@given(st.dictionaries(st.sampled_from(workflow.OUTPUTS), HOSTILE))
def test_outputs_survive_the_runners_reading(values: dict[str, str]):
    with NamedTemporaryFile() as file:
        write_outputs(Path(file.name), values)
        read = runner.outputs(file.read().decode())

    assert read == {name: visible(value) for name, value in values.items()}


def test_outputs_are_added_to_those_of_others(tmp_path: Path):
    path = tmp_path / "output"
    path.write_text("theirs=1\n")

    write_outputs(path, {"verdict": "pass"})
    write_outputs(path, {"comment-url": "https://example.org/"})

    assert runner.outputs(path.read_text()) == {
        "theirs": "1",
        "verdict": "pass",
        "comment-url": "https://example.org/",
    }


def test_output_that_holds_its_delimiter_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda size: "guessed")

    with pytest.raises(CheckError, match="delimiter"):
        write_outputs(tmp_path / "output", {"verdict": "fpcheck_guessed"})


def test_delimiter_is_never_the_same(tmp_path: Path):
    write_outputs(tmp_path / "output", {"verdict": "pass", "level": "pass"})

    delimiters = {line for line in (tmp_path / "output").read_text().split() if "<<" in line}
    assert len({line.split("<<")[1] for line in delimiters}) == 2


def test_unknown_output_is_refused(tmp_path: Path):
    with pytest.raises(CheckError, match="no such output: colour"):
        write_outputs(tmp_path / "output", {"colour": "red"})


def test_outputs_are_not_written_through_a_link(tmp_path: Path):
    (tmp_path / "output").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError):
        write_outputs(tmp_path / "output", {"verdict": "pass"})

    assert not (tmp_path / "elsewhere").exists()


def test_summary_is_appended(tmp_path: Path):
    path = tmp_path / "summary"
    path.write_text("theirs\n")

    write_summary(path, "# Ours")

    assert path.read_text() == "theirs\n# Ours\n"


@pytest.mark.parametrize("taken", [0, 100_000, MAX_SUMMARY - 9, MAX_SUMMARY, MAX_SUMMARY + 9])
def test_summary_stays_within_the_runners_budget(tmp_path: Path, taken: int):
    path = tmp_path / "summary"
    path.write_bytes(b"x" * taken)

    write_summary(path, "é\n" * MAX_SUMMARY)

    assert path.stat().st_size <= max(taken, MAX_SUMMARY)


def test_files_of_the_runner_that_cannot_be_written_are_an_error_of_the_system(tmp_path: Path):
    with pytest.raises(OSError):
        write_outputs(tmp_path / "missing" / "output", {"verdict": "pass"})
    assert list(tmp_path.iterdir()) == []
