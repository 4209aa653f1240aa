"""What a report says of the weights: sentences, numbers beside their background, the layer map."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt

from fpcheck.check import Check
from fpcheck.comparison import Level
from fpcheck.comparison.evidence import Alignment, Merge, Parent
from fpcheck.reference import How, Obtained
from fpcheck.report import FORMATS, document, markdown, svg, terminal, text_map, view
from fpcheck.report.layer_map import layer_map
from fpcheck.report.numbers import none_of, probability
from fpcheck.report.saying import SAID
from tests.report import evidence
from tests.report.checks import HOSTILE, a_failing_check, a_passing_check
from tests.report.evidence import STORIES, a_path, a_table, told, up_scaled
from tests.report.test_formats import GOLDEN, SUFFIX

MAX_SVG = 200_000


def golden(name: str, text: str) -> None:
    """With UPDATE_GOLDEN=1 the file is written anew: read the difference before you commit."""
    file = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


def deep(folder: Path, depth: int, others: int, noise: float = 0.06) -> Check:
    """A check against a reference of another depth, of which every layer is aligned."""
    path = a_path([layer % others for layer in range(depth)])
    found = evidence.weights(path, others, "layers repeated", evidence.samples(depth, depth), None)
    table = a_table(depth, others, path, 0.97, noise)
    return told(a_passing_check(folder), Level.DERIVED, replace(found, table=table))


def hostile(folder: Path) -> Check:
    """A check in which every name in the evidence is an attack."""
    found = up_scaled()
    assert found.samples
    attacked = replace(
        found,
        tower=HOSTILE,
        reference_tower=HOSTILE,
        samples=replace(found.samples, roles={HOSTILE: 0.9}),
        vectors={HOSTILE: None, "`|`": 0.5},
        kind=HOSTILE,
    )
    check = told(a_passing_check(folder), Level.DERIVED, attacked, attacked)
    first, *rest = check.matches or ()
    named = replace(first, reference=replace(first.reference, id=HOSTILE))
    merge = Merge((Parent(HOSTILE, 0.5, 0.7),), 0.1, 0.5)
    return replace(check, matches=(named, *rest), merge=merge)


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("form", FORMATS)
def test_every_story_is_told_as_before(form: str, story: str, tmp_path: Path) -> None:
    golden(f"{story}.{SUFFIX[form]}", FORMATS[form](STORIES[story](tmp_path)))


@pytest.mark.parametrize("story", ["derived", "partial"])
def test_two_signatures_are_compared_by_their_weights_too(story: str, tmp_path: Path) -> None:
    check = STORIES[story](tmp_path)
    assert check.matches
    one, found = check.signature, check.matches[0]

    golden(f"{story}-comparison.txt", terminal.comparison(one, found.reference.signature, found))
    compared = json.loads(document.comparison(one, found.reference.signature, found))

    assert compared["weights"][0]["samples"]["of"] == 10
    assert len(compared["weights"][0]["table"]) == 10


def test_the_picture_is_drawn_as_before(tmp_path: Path) -> None:
    golden("derived.svg", svg.render(STORIES["derived"](tmp_path)))


def test_every_level_has_its_sentences() -> None:
    assert set(SAID) == set(Level)


@pytest.mark.parametrize("level", Level)
def test_the_words_accuse_nobody(level: Level, tmp_path: Path) -> None:
    for found in (up_scaled(), replace(up_scaled(), samples=None, forms=None, alignment=None)):
        report = markdown.render(told(a_passing_check(tmp_path / str(found.kind)), level, found))
        for word in ("stolen", "copied", "theft"):
            assert word not in report


def test_the_first_that_was_weighed_is_told_where_the_best_is_known_by_less(tmp_path: Path) -> None:
    check = a_failing_check(tmp_path)
    first, second, *rest = check.matches or ()
    first = replace(first, weights=())
    weighed = replace(second, level=Level.DERIVED, weights=(up_scaled(),))
    report = markdown.render(replace(check, matches=(first, weighed, *rest)))

    assert "The best match, `known/model`, is known by its profile alone" in report
    assert "`known/base`, **derived**." in report


def test_a_report_says_that_nothing_was_weighed_and_why(tmp_path: Path) -> None:
    report = markdown.render(a_passing_check(tmp_path))

    assert "No reference was compared by its weights, only by its profile" in report
    assert "Here no attention forms were compared" in report


def test_a_report_says_that_forms_are_missing_and_what_that_hides(tmp_path: Path) -> None:
    report = markdown.render(STORIES["partial"](tmp_path))

    assert "Attention forms were not compared: this checkpoint has none" in report
    assert "permuted or rotated would not be recognised" in report
    assert "Attention forms were not compared" not in markdown.render(STORIES["none"](tmp_path))


def test_numbers_that_are_undefined_are_said_to_be(tmp_path: Path) -> None:
    odd = replace(
        up_scaled(),
        samples=evidence.samples(0, 0, rho=float("nan"), count=0, agreements=0, p=float("nan")),
        forms=evidence.forms(0, 0, float("nan"), float("nan")),
        alignment=Alignment((), ""),
        table=np.full((10, 8), np.nan),
        along=(float("nan"), float("nan")),
    )
    check = told(a_passing_check(tmp_path), Level.NONE, odd)

    for render in FORMATS.values():
        assert "nan" not in render(check).lower().replace("unanimous", "")
    (found,) = json.loads(FORMATS["json"](check))["matches"][0]["weights"]
    assert found["samples"]["rho"] is None and found["samples"]["p"] is None
    assert found["table"][0][0] is None
    assert "? not measured" in markdown.render(check)


def test_a_match_without_a_profile_is_reported(tmp_path: Path) -> None:
    check = STORIES["derived"](tmp_path)
    first, *rest = check.matches or ()
    check = replace(check, matches=(replace(first, profiles=(), backgrounds=None), *rest))

    assert "| `s/stranger-0` | derived | ρ 0.99, 10/10 layers | – | – | – |" in markdown.render(
        check
    )
    assert "Layer map" in svg.render(check)
    for form in ("terminal", "json"):
        assert "s/stranger-0" in FORMATS[form](check)


def test_only_the_first_match_brings_its_table(tmp_path: Path) -> None:
    report = json.loads(FORMATS["json"](STORIES["merge"](tmp_path)))

    assert report["matches"][0]["weights"][0]["table"]
    assert report["matches"][1]["weights"][0]["table"] is None
    assert report["matches"][0]["weights"][0]["samples"]["p_equal_depth"] == 0.0
    assert [parent["share"] for parent in report["merge"]["parents"]] == [0.6213, 0.3787]


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.0, "p < 1e-99"),
        (1e-120, "p < 1e-99"),
        (3.2e-12, "p = 3e-12"),
        (0.0123, "p = 0.012"),
        (1.7, "p = 1"),
        (float("nan"), "–"),
    ],
)
def test_probabilities_are_written_in_one_digit(p: float, said: str) -> None:
    assert probability(p) == said


def test_no_bound_is_below_three_of_those_who_tried() -> None:
    assert none_of(364, "pairs") == "< 0.82 % (0 of 364 pairs)"
    assert none_of(2, "pairs") == "< 100 % (0 of 2 pairs)"
    assert none_of(0, "pairs") == "–"


def test_one_who_has_the_weights_is_no_stranger(tmp_path: Path) -> None:
    stranger = view.top_stranger(STORIES["merge"](tmp_path))

    assert stranger and stranger.level is Level.NONE


def test_a_table_of_the_terminal_fits_its_width(tmp_path: Path) -> None:
    check = STORIES["transformed"](tmp_path)
    long = "an-organisation-with-a-long-name/" + "a-model-" * 12
    matches = []
    for match in check.matches or ():
        obtained = Obtained(How.PUBLISHED, "a test", digits=3, complete=False)
        matches.append(
            replace(match, reference=replace(match.reference, id=long, obtained=obtained))
        )
    text = terminal.render(replace(check, matches=tuple(matches)))

    assert "derived-transformed  forms 0.99/0.98, 10/10" in text
    assert max(map(len, text.splitlines())) <= terminal.MAX_WIDTH


@pytest.mark.parametrize(("depth", "others"), [(1, 1), (4, 9), (40, 64), (126, 126), (200, 65)])
def test_the_map_in_characters_is_bounded_and_keeps_what_is_high(
    depth: int, others: int, tmp_path: Path
) -> None:
    check = deep(tmp_path, depth, others)
    assert check.matches
    drawn = layer_map(check.signature, check.matches[0], check.matches[0].weights[0], 64)
    assert drawn
    lines = text_map.render(drawn).splitlines()

    assert len(lines) <= 64 + 4 and max(map(len, lines)) <= 64 * 2 + 30
    assert all("█" in line and "↔" in line for line in lines[4:])
    assert np.isclose(drawn.scores.max(), check.matches[0].weights[0].table.max())
    assert drawn.rows[-1][1] == depth - 1 and drawn.columns[-1][1] == others - 1


@pytest.mark.parametrize("noise", [0.06, 5.0])
def test_the_picture_of_the_deepest_model_stays_small(noise: float, tmp_path: Path) -> None:
    text = svg.render(deep(tmp_path, 126, 126, noise))

    assert len(text.encode()) < MAX_SVG
    root = ET.fromstring(text)
    assert sum(element.tag.endswith("circle") for element in root.iter()) == 126 + 2


def test_a_checkerboard_is_the_worst_and_still_small(tmp_path: Path) -> None:
    check = deep(tmp_path, 300, 300)
    first, *rest = check.matches or ()
    board = np.indices((300, 300)).sum(axis=0) // 3 % 2 * 0.95
    weights = replace(first.weights[0], table=board)

    assert (
        len(svg.render(replace(check, matches=(replace(first, weights=(weights,)), *rest))))
        < MAX_SVG
    )


def test_the_picture_has_words_for_those_who_do_not_see_it(tmp_path: Path) -> None:
    root = ET.fromstring(svg.render(STORIES["derived"](tmp_path)))
    title, described = root[0], root[1]

    assert root.get("aria-labelledby") == f"{title.get('id')} {described.get('id')}"
    assert title.text == "release and s/stranger-0"
    assert "depth up-scaling: layers 0–5 ↔ 0–5, 6–9 ↔ 4–7." in (described.text or "")
    assert "10 of 10 layers have evidence of their own" in (described.text or "")


def test_chance_draws_no_path(tmp_path: Path) -> None:
    root = ET.fromstring(svg.render(STORIES["none"](tmp_path)))

    assert sum(element.tag.endswith("circle") for element in root.iter()) == 2  # of the key
    assert "↔" not in markdown.render(STORIES["none"](tmp_path))


def test_no_name_in_the_evidence_becomes_markup(tmp_path: Path) -> None:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    spans = 0
    for block in parser.parse(markdown.render(hostile(tmp_path))):
        for part in [block, *(block.children or [])]:
            if part.type == "code_inline":
                spans += "octocat" in part.content
            elif part.type != "inline":
                assert "evil" not in part.content and "octocat" not in part.content
            assert part.type not in {"link_open", "image", "html_inline", "s_open"}
    assert spans >= 5


def test_no_name_in_the_evidence_commands_a_terminal_or_a_runner(tmp_path: Path) -> None:
    check = hostile(tmp_path)
    assert check.matches
    found = check.matches[0]
    compared = terminal.comparison(check.signature, found.reference.signature, found)

    for line in (FORMATS["terminal"](check) + compared).splitlines():
        assert "##[" not in line and "::" not in line
        assert line.isprintable()


def test_no_name_in_the_evidence_breaks_the_picture(tmp_path: Path) -> None:
    root = ET.fromstring(svg.render(hostile(tmp_path)))

    assert {element.tag.split("}")[1] for element in root.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "text", "g", "line", "polyline"),
        *("path", "circle"),
    }
    assert json.loads(FORMATS["json"](hostile(tmp_path / "other")))["merge"]
