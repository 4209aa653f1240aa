from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fpcheck.delivery.budget import NOTE, fit, utf8_size

LIMIT = 2_000


def test_text_within_the_limit_is_left_alone():
    assert fit("a\nb", 3) == "a\nb"


def test_larger_text_is_cut_between_lines_and_says_so():
    kept = fit("word " * 10 + "\n" + "line\n" * 1_000, LIMIT)

    assert kept.startswith("word " * 10 + "\nline\n")
    assert kept.endswith("line\n\n\n" + NOTE)


@given(st.text(), st.integers(1, 400), st.sampled_from([len, utf8_size]))
def test_limit_holds_whatever_the_text(text: str, times: int, size):
    assert size(fit((text + "\n") * times, LIMIT, size)) <= LIMIT


@pytest.mark.parametrize("fence", ["```", "~~~~", "```json"])
def test_note_shows_after_a_cut_inside_a_code_block(fence: str):
    html = MarkdownIt().render(fit(f"{fence}\n" + "code\n```js\n" * 500, LIMIT))

    assert html.rstrip().endswith("the report file is complete.</em></p>")


def test_cut_inside_details_closes_them():
    kept = fit("<details>\n<details>\n</details>\n" + "line\n" * 1_000, LIMIT)

    assert kept.count("<details>") == kept.count("</details>")


def test_a_cut_never_adds_more_than_it_reserved():
    kept = fit("<details>" * 110 + "\n" + "line\n" * 1_000, LIMIT)

    assert len(kept) <= LIMIT


def test_lone_surrogates_do_not_reach_a_platform():
    assert fit("a\ud800b", 10) == "a?b"
