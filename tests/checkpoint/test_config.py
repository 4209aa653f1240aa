"""What a config says where its parts agree, and that it says nothing where they do not."""

from __future__ import annotations

from typing import Any

import pytest

from fpcheck.checkpoint.config import SUB_CONFIGS, flag, integer, is_stated, model_types

HEADS = "num_attention_heads"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({HEADS: 8}, 8),
        ({"text_config": {HEADS: 8}}, 8),
        ({HEADS: 8, "text_config": {HEADS: 8}}, 8),
        ({HEADS: None, "text_config": {HEADS: 8}}, 8),
        ({HEADS: 8, "text_config": {HEADS: 1}}, None),
        ({HEADS: 8, "text_config": {HEADS: "8"}}, None),
        ({HEADS: 8, "vision_config": {HEADS: 1}}, 8),
        ({"n_head": 4, HEADS: 8}, 8),
        ({"n_head": 4}, 4),
        ({"n_head": 4, "text_config": {HEADS: 8}}, 8),
        ({HEADS: 1, "text_config": {HEADS: True}}, None),
        *(({HEADS: value}, None) for value in (None, 0, -1, 8.0, "8", True, [8], {})),
        ({}, None),
        ({"text_config": [8]}, None),
    ],
)
def test_an_integer_is_what_all_parts_of_a_config_agree_on(
    config: dict[str, Any], expected: int | None
) -> None:
    assert integer(config, HEADS, "n_head") == expected


@pytest.mark.parametrize(
    ("config", "expected", "stated"),
    [
        ({"x": True}, True, True),
        ({"x": False, "decoder": {"x": False}}, False, True),
        ({"x": False, "decoder": {"x": True}}, None, True),
        ({"x": 1}, None, True),
        ({"x": True, "decoder": {"x": 1}}, None, True),
        ({"x": None}, None, False),
        ({}, None, False),
    ],
)
def test_a_flag_is_what_all_parts_of_a_config_agree_on(
    config: dict[str, Any], expected: bool | None, stated: bool
) -> None:
    assert flag(config, "x") is expected
    assert is_stated(config, "x") is stated


@pytest.mark.parametrize("part", SUB_CONFIGS)
def test_every_architecture_that_a_config_names_counts(part: str) -> None:
    assert model_types({"model_type": "a", part: {"model_type": "b"}}) == {"a", "b"}


@pytest.mark.parametrize("value", [["bert"], {"bert": 1}, 7, None])
def test_an_architecture_that_is_no_text_does_not_count(value: object) -> None:
    assert model_types({"model_type": value}) == frozenset()
