"""Whatever the bytes, a policy or a UsageError; whatever the policy, it comes back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from fpcheck.comparison.levels import Level
from fpcheck.errors import UsageError
from fpcheck.policy import Policy, ProfileThreshold
from fpcheck.policy.fields import ROOT, absent
from fpcheck.policy.load import parse_policy
from fpcheck.policy.schema import schema

RUN = settings(max_examples=150, deadline=None, derandomize=True, database=None)

# Pieces that mean something to YAML, to a reader of it, or to a policy.
PIECES = st.sampled_from(
    [
        *("version: 1\n", "version", "thresholds", "fail", "warn", "level", "profile", "raw"),
        *(
            "declared",
            "a/b",
            "identical",
            "derived-transformed",
            "false_positive_rate",
            "null",
            "~",
            ".nan",
            "1e999",
            "9" * 50,
            "0.9",
            "-1",
        ),
        *(": ", ":", "\n", "\r\n", "\r", "\t", " ", "  ", "- ", "? ", "[", "]", "{", "}", ","),
        *("&a", "*a", "!", "!!str ", "!<x>", "<<", "%YAML 1.1\n", "%TAG ! x\n", "---\n", "...\n"),
        *("|", ">", "|+2", "'", '"', "\\", "\\x41", "\\ud800", "\\U00110000", "#", " #", "@", "`"),
        *("\0", "\ufeff", "\u2028", "\x85", "é", "😀"),
    ]
)
DOCUMENTS = st.lists(PIECES, max_size=30).map(lambda pieces: "".join(pieces).encode())


def outcome(content: bytes) -> Policy | UsageError:
    try:
        return parse_policy(content, "fpcheck.yml")
    except UsageError as error:
        return error


@RUN
@given(st.binary(max_size=200) | DOCUMENTS | DOCUMENTS.map(b"version: 1\n".__add__))
def test_any_bytes_are_a_policy_or_a_usage_error(content: bytes) -> None:
    result = outcome(content)

    assert isinstance(result, Policy) or str(result).isprintable()


SHARE = st.floats(min_value=-1, max_value=1)
RATE = st.floats(min_value=0, max_value=1, exclude_min=True) | st.just(1)
PROFILE = st.fixed_dictionaries(
    {"raw": SHARE},
    optional={"detrended": st.none() | SHARE, "layers": st.integers(min_value=2, max_value=10**9)},
)
THRESHOLD = st.fixed_dictionaries(
    {},
    optional={
        "level": st.none() | st.sampled_from([*map(str, Level)][1:]),
        "profile": st.none() | PROFILE,
        "false_positive_rate": st.none() | RATE,
    },
).filter(bool)
VISIBLE = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20)
PART = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}", fullmatch=True)
POLICIES = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={
        "checkpoint": st.none() | VISIBLE,
        "library": st.lists(VISIBLE, unique=True, max_size=4),
        "declared": st.lists(st.builds("{}/{}".format, PART, PART), unique=True, max_size=4),
        "thresholds": st.fixed_dictionaries(
            {}, optional={"fail": THRESHOLD, "warn": THRESHOLD}
        ).filter(bool),
        "unmeasured": st.sampled_from(["fail", "warn", "ignore"]),
    },
)


def profile(given: dict[str, Any] | None) -> ProfileThreshold | None:
    return ProfileThreshold(**given) if given else None


@RUN
@given(POLICIES, st.booleans())
def test_a_policy_comes_back_as_it_was_written(given: dict[str, Any], ascii_only: bool) -> None:
    result = outcome(json.dumps(given, ensure_ascii=ascii_only).encode())
    expected = absent(ROOT) | given
    both = {
        block: absent(ROOT)["thresholds"][block] | given.get("thresholds", {}).get(block, {})
        for block in ("fail", "warn")
    }

    if not any(rule for block in both.values() for rule in block.values()):
        assert "no rules" in str(result)
        return
    assert isinstance(result, Policy)
    assert result.checkpoint == expected["checkpoint"]
    assert result.library == tuple(expected["library"])
    assert result.declared == tuple(expected["declared"])
    assert result.unmeasured == expected["unmeasured"]
    for block, threshold in (("fail", result.fail), ("warn", result.warn)):
        assert threshold.level == both[block]["level"]
        assert threshold.profile == profile(both[block]["profile"])
        assert threshold.false_positive_rate == both[block]["false_positive_rate"]


RULE = st.sampled_from(["level", "raw", "detrended", "layers", "false_positive_rate"])
ANYTHING = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30)


@RUN
@given(RULE, st.sampled_from(["fail", "warn"]), ANYTHING)
def test_any_value_of_a_rule_is_taken_or_refused_by_its_name(
    rule: str, severity: str, value: Any
) -> None:
    profile = {"raw": 0.9, rule: value}
    within = rule in ("level", "false_positive_rate")
    thresholds = {severity: {rule: value} if within else {"profile": profile}}
    given = {"version": 1, "thresholds": thresholds}

    result = outcome(json.dumps(given).replace("Infinity", ".inf").replace("NaN", ".nan").encode())

    assert isinstance(result, Policy) or rule in str(result) or "not a finite" in str(result)


@RUN
@given(POLICIES)
def test_schema_and_loader_accept_the_same_policies(given: dict[str, Any]) -> None:
    accepted = isinstance(outcome(json.dumps(given).encode()), Policy)

    assert Draft202012Validator(schema()).is_valid(given) == accepted


def in_lines(value: Any, indent: str = "\n") -> str:
    """YAML as people write it: a key or an entry a line, texts in quotes."""
    if isinstance(value, dict):
        return "".join(f"{indent}{k}: {in_lines(v, indent + '  ')}" for k, v in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{indent}- {json.dumps(item, ensure_ascii=False)}" for item in value)
    return json.dumps(value, ensure_ascii=False)


@RUN
@given(POLICIES)
def test_yaml_in_lines_comes_to_the_same_as_json(given: dict[str, Any]) -> None:
    one, other = outcome(json.dumps(given).encode()), outcome(in_lines(given).encode())

    if isinstance(one, Policy) and isinstance(other, Policy):
        assert replace(one, digest="") == replace(other, digest="")
    else:
        assert "no rules" in str(one)
        assert "no rules" in str(other)
