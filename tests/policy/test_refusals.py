"""Policies that are refused, and where in the file the error points."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from fpcheck.errors import UsageError
from fpcheck.policy.load import parse_policy
from fpcheck.policy.nodes import Block, Items, Node
from fpcheck.policy.schema import schema
from fpcheck.policy.strict_yaml import parse

V = "version: 1\n"
FAIL = f"{V}thresholds:\n  fail:\n    "  # a key that follows begins at 4:5
PROFILE = f"{FAIL}profile:\n      "  # and here at 5:7
OFF = "{level: null, profile: null, false_positive_rate: null}"
IDS = "".join(f"- a/b{number}\n" for number in range(1001))

# (what the file holds, line, column, what the message says)
BAD: dict[str, tuple[str | bytes, int, int, str]] = {
    # not a policy
    "an empty file": ("", 1, 1, "expected keys with values, got null"),
    "only a comment": ("# nothing\n", 1, 1, "expected keys with values, got null"),
    "a list": ("- version: 1\n", 1, 1, "expected keys with values, got a list"),
    "no version": ("{}", 1, 1, "version: missing"),
    "no version among others": ("declared: []\n", 1, 1, "version: missing"),
    "a later version": ("version: 2\nrules: []\n", 1, 10, "version: expected 1, got 2"),
    "version as text": ('version: "1"\n', 1, 10, "version: expected 1, got '1'"),
    "version as a fraction": ("version: 1.0\n", 1, 10, "version: expected 1, got 1.0"),
    "version as a truth": ("version: true\n", 1, 10, "version: expected 1, got true"),
    "version without a value": ("version:\n", 1, 9, "version: expected 1, got null"),
    # keys
    "a misspelt key": ("versoin: 1\n", 1, 1, "unknown key 'versoin'; did you mean 'version'?"),
    "a misspelt key below": (
        f"{FAIL}levle: identical\n",
        *(4, 5, "thresholds.fail: unknown key 'levle'; did you mean 'level'?"),
    ),
    "a foreign key": (f"{V}fnord: 1\n", 2, 1, "unknown key 'fnord'"),
    "a hostile key": (f'{V}"\\e[31m\\n::error::x": 1\n', 2, 1, r"unknown key '\x1b[31m\n::err"),
    "an endless key": (f"{V}? {'k' * 5000}\n: 1\n", 2, 3, f"unknown key '{'k' * 78}…"),
    "a key twice": (f"{V}declared: []\nversion: 1\n", 3, 1, "'version' stands twice, first on li"),
    "a key twice, once quoted": (f'{V}"version": 1\n', 2, 1, "'version' stands twice"),
    "a key twice below": (f"{PROFILE}raw: 0.9\n      raw: 0.8\n", 6, 7, "'raw' stands twice"),
    "a number as a key": ("1: 1\n", 1, 1, "a key must be text, got 1"),
    "null as a key": ("~: 1\n", 1, 1, "a key must be text, got null"),
    "a truth as a key": (f"{V}true: 1\n", 2, 1, "a key must be text, got true"),
    "a list as a key": (f"{V}? [a]\n: 1\n", 2, 3, "a key must be text, got a list"),
    # more of YAML than a policy has
    "an anchor": ("version: &v 1\n", 1, 10, "anchors and aliases are not read"),
    "an alias": (f"{V}checkpoint: *v\n", 2, 13, "anchors and aliases are not read"),
    "a tag": ("version: !!int 1\n", 1, 10, "tags are not read"),
    "a tag that runs code": (f"{V}x: !!python/name:os.system\n", 2, 4, "tags are not read"),
    "a tag for text": ("version: ! 1\n", 1, 10, "tags are not read"),
    "a tag on a key": ("!!str version: 1\n", 1, 1, "tags are not read"),
    "a merge key": (f"{V}<<: {{declared: []}}\n", 2, 1, "merge keys are not read"),
    "a merge key in quotes": (f"{V}'<<': 1\n", 2, 1, "unknown key '<<'"),
    "two documents": (f"{V}---\n{V}", 2, 1, "a second document begins here"),
    "YAML 1.1": (f"%YAML 1.1\n---\n{V}", 1, 1, "directives are not read"),
    "a tag directive": (f"%TAG !e! x\n---\n{V}", 1, 1, "directives are not read"),
    "21 levels": (f"{V}x: {'[' * 20}{']' * 20}\n", 2, 23, "nested deeper than 20 levels"),
    "endless levels": (f"{V}x: {'[' * 200_000}", 2, 23, "nested deeper than 20 levels"),
    "endless levels of keys": (f"{V}x: {'{a: ' * 50_000}", 2, 80, "nested deeper than 20 levels"),
    "endless values": (f"{V}x: [{'a,' * 30_000}]\n", 2, 39995, "more than 20,000 values"),
    # not YAML
    "a tab as indentation": (
        f"{V}thresholds:\n\tfail: 1\n",
        3,
        1,
        r"not YAML: found character '\t'",
    ),
    "an open quote": (f"{V}checkpoint: 'x\n", 3, 1, "not YAML: found unexpected end of stream"),
    "an open bracket": (f"{V}declared: [a/b\n", 3, 1, "not YAML: expected ',' or ']'"),
    "a list inside a block": (f"{V}declared: []\n- a/b\n", 3, 1, "not YAML: expected <block end>"),
    "an escape past Unicode": (f'{V}checkpoint: "\\UFFFFFFFF"\n', 2, 16, "not YAML: an escape"),
    "an endless version": (f"%YAML 1.{'9' * 5000}\n---\n", 1, 9, "not YAML: an escape or a numb"),
    # characters
    "not UTF-8": (b"version: 1\r\ncheckpoint: '\xc3\xa9\xff'\n", 2, 15, "not UTF-8"),
    "a surrogate in UTF-8": (b"version: 1\n# \xed\xa0\x80\n", 2, 3, "not UTF-8"),
    "an overlong NUL": (b"version: 1 #\xc0\x80\n", 1, 13, "not UTF-8"),
    "UTF-16": (V.encode("utf-16"), 1, 1, "not UTF-8"),
    "NUL": (f"{V}checkpoint: a\0b\n", 2, 14, "the character U+0000 is not allowed"),
    "a line break of YAML 1.1": (f"{V}checkpoint: a\u2028b\n", 2, 14, "U+2028 is not allowed"),
    "a turn of direction": (f"{V}# \u202e\n", 2, 3, "U+202E is not allowed"),
    "half a character": (f'{V}checkpoint: "\\ud83d"\n', 2, 13, "half a character"),
    # numbers
    "not a number": (f"{PROFILE}raw: .nan\n", 5, 12, "'.nan' is not a finite number"),
    "infinity": (f"{PROFILE}raw: -.Inf\n", 5, 12, "'-.Inf' is not a finite number"),
    "overflow": (f"{PROFILE}raw: 1e999\n", 5, 12, "'1e999' is not a finite number"),
    "endless digits": (f"{PROFILE}raw: 0.{'9' * 5000}\n", 5, 12, "number with too many digits"),
    "a huge integer": (f"{PROFILE}layers: {'9' * 5000}\n", 5, 15, "number with too many digits"),
    "a word for a number": (
        f"{PROFILE}raw: high\n",
        *(5, 12, "thresholds.fail.profile.raw: expected a number from -1 to 1, got 'high'"),
    ),
    "a correlation above 1": (f"{PROFILE}raw: 1.5\n", 5, 12, "raw: expected a number from -1 to"),
    "a percentage": (f"{PROFILE}raw: 95\n", 5, 12, "raw: expected a number from -1 to 1, got 95"),
    "a correlation below -1": (f"{PROFILE}raw: -1.01\n", 5, 12, "from -1 to 1, got -1.01"),
    "a truth for a number": (f"{PROFILE}raw: true\n", 5, 12, "from -1 to 1, got true"),
    "a quoted number": (f"{PROFILE}raw: '0.9'\n", 5, 12, "from -1 to 1, got '0.9'"),
    "null for a correlation": (f"{PROFILE}raw:\n", 5, 11, "from -1 to 1, got null"),
    "a list for a number": (f"{PROFILE}raw: [0.9]\n", 5, 12, "from -1 to 1, got a list"),
    "detrended out of range": (
        f"{PROFILE}raw: 0.9\n      detrended: 2\n",
        *(6, 18, "detrended: expected a number from -1 to 1 or null, got 2"),
    ),
    "one layer": (
        f"{PROFILE}raw: 0.9\n      layers: 1\n",
        *(6, 15, "layers: expected an integer of at least 2, got 1"),
    ),
    "layers as a fraction": (f"{PROFILE}raw: 0.9\n      layers: 8.0\n", 6, 15, "got 8.0"),
    "layers as a power": (f"{PROFILE}raw: 0.9\n      layers: 1e1\n", 6, 15, "got 1e1"),
    "layers in base 2": (f"{PROFILE}raw: 0.9\n      layers: 0b11\n", 6, 15, "got '0b11'"),
    "layers as a time": (f"{PROFILE}raw: 0.9\n      layers: 12:30\n", 6, 15, "got '12:30'"),
    "layers as null": (f"{PROFILE}raw: 0.9\n      layers: ~\n", 6, 15, "got null"),
    "a rate of nothing": (
        f"{FAIL}false_positive_rate: 0\n",
        *(
            4,
            26,
            "thresholds.fail.false_positive_rate: expected a number above 0 and up to 1 or nul",
        ),
    ),
    "a rate below a float's range": (f"{FAIL}false_positive_rate: 1e-400\n", 4, 26, "got 1e-400"),
    "a rate below 0": (f"{FAIL}false_positive_rate: -1e-9\n", 4, 26, "above 0 and up to 1"),
    "a rate above 1": (f"{FAIL}false_positive_rate: 1.01\n", 4, 26, "got 1.01"),
    "a rate in percent": (f"{FAIL}false_positive_rate: 5 %\n", 4, 26, "got '5 %'"),
    "a rate as a fraction": (f"{FAIL}false_positive_rate: 1/20\n", 4, 26, "got '1/20'"),
    "an undefined rate": (f"{FAIL}false_positive_rate: .nan\n", 4, 26, "not a finite number"),
    "a truth for a rate": (f"{FAIL}false_positive_rate: true\n", 4, 26, "got true"),
    "a quoted rate": (f"{FAIL}false_positive_rate: '0.1'\n", 4, 26, "got '0.1'"),
    "a block for a rate": (f"{FAIL}false_positive_rate: {{raw: 1}}\n", 4, 26, "got a mapping"),
    "a rate of a profile": (
        f"{PROFILE}raw: 0.9\n      false_positive_rate: 0.1\n",
        *(6, 7, "thresholds.fail.profile: unknown key 'false_positive_rate'"),
    ),
    "a rate misspelt": (
        f"{V}thresholds:\n  warn:\n    false_positives_rate: 0.1\n",
        *(4, 5, "unknown key 'false_positives_rate'; did you mean 'false_positive_rate'?"),
    ),
    # blocks
    "a profile without raw": (
        f"{PROFILE}layers: 8\n",
        5,
        7,
        "thresholds.fail.profile.raw: missing",
    ),
    "an empty profile": (
        f"{FAIL}profile: {{}}\n",
        *(4, 14, "thresholds.fail.profile: expected keys with values or null, got an empty"),
    ),
    "a profile as a number": (f"{FAIL}profile: 0.9\n", 4, 14, "keys with values or null, got 0.9"),
    "fail as null": (
        f"{V}thresholds:\n  fail: null\n",
        *(3, 9, "thresholds.fail: expected keys with values, got null"),
    ),
    "an empty warn": (f"{V}thresholds:\n  warn: {{}}\n", 3, 9, "thresholds.warn: expected keys"),
    "thresholds as null": (f"{V}thresholds:\n", 2, 12, "thresholds: expected keys with values"),
    "empty thresholds": (f"{V}thresholds: {{}}\n", 2, 13, "got an empty mapping"),
    "no rules": (
        f"{V}thresholds:\n  fail: {OFF}\n  warn: {OFF}\n",
        *(2, 1, "thresholds: the policy has no rules"),
    ),
    "no rules, of which most are unsaid": (
        f"{V}unmeasured: ignore\nthresholds: {{fail: {{level: ~}}, warn: {{level: ~}}}}\n",
        *(3, 1, "thresholds: the policy has no rules"),
    ),
    # words
    "the level none": (
        f"{FAIL}level: none\n",
        4,
        12,
        "expected 'resembles' or 'partial' or 'derived-transformed' or 'derived' or 'identical'",
    ),
    "a level by its member's name": (f"{FAIL}level: transformed\n", 4, 12, "got 'transformed'"),
    "a level with a space": (f"{FAIL}level: derived transformed\n", 4, 12, "got 'derived trans"),
    "a list of levels": (f"{FAIL}level: [derived]\n", 4, 12, "got a list"),
    "a level in capitals": (f"{FAIL}level: Identical\n", 4, 12, "got 'Identical'"),
    "a level switched off": (f"{FAIL}level: off\n", 4, 12, "got 'off'"),
    "unmeasured as no": (f"{V}unmeasured: no\n", 2, 13, "expected 'fail' or 'warn' or 'ignore', g"),
    "unmeasured as null": (f"{V}unmeasured: null\n", 2, 13, "unmeasured: expected 'fail' or"),
    # texts and ids
    "a number for a path": (f"{V}checkpoint: 1e3\n", 2, 13, "checkpoint: expected one line of vis"),
    "an empty path": (f"{V}checkpoint: ''\n", 2, 13, "checkpoint: expected one line"),
    "a blank path": (f"{V}checkpoint: '  '\n", 2, 13, "got '  '"),
    "a path on two lines": (f"{V}checkpoint: |\n  a\n  b\n", 2, 13, r"got 'a\nb\n'"),
    "a path that turns": (f'{V}checkpoint: "a\\u202Eb"\n', 2, 13, r"got 'a\u202eb'"),
    "an endless path": (f"{V}checkpoint: {'a' * 4097}\n", 2, 13, f"got '{'a' * 78}…"),
    "one id without a list": (f"{V}declared: a/b\n", 2, 11, "declared: expected a list of ids"),
    "declared as null": (f"{V}declared:\n", 2, 10, "expected a list of ids owner/name, got null"),
    "an id without an owner": (f"{V}declared: [gpt2]\n", 2, 12, "declared[0]: expected an id"),
    "an id with a revision": (f"{V}declared: [a/b@c]\n", 2, 12, "got 'a/b@c'"),
    "an id as an address": (f"{V}declared: [a/b, 'https://x.y/a/b']\n", 2, 17, "declared[1]: exp"),
    "an id that climbs": (f"{V}declared: [../b]\n", 2, 12, "got '../b'"),
    "an id that stays": (f"{V}declared: [a/.]\n", 2, 12, "got 'a/.'"),
    "an id in Cyrillic": (f"{V}declared: [а/b]\n", 2, 12, "got 'а/b'"),
    "an id with a line break": (f'{V}declared: ["a/b\\n"]\n', 2, 12, r"got 'a/b\n'"),
    "an owner of 97": (f"{V}declared: [{'a' * 97}/b]\n", 2, 12, "declared[0]: expected an id"),
    "a name of 97": (f"{V}declared: [a/{'b' * 97}]\n", 2, 12, "declared[0]: expected an id"),
    "an id twice": (f"{V}declared:\n- a/b\n- a/b\n", 4, 3, "'a/b' stands twice, first on line 3"),
    "1,001 ids": (f"{V}declared:\n{IDS}", 1003, 3, "declared: more than 1,000 entries"),
    "a folder as a number": (f"{V}library: [1]\n", 2, 11, "library[0]: expected one line"),
    "a folder as a list": (f"{V}library: [[a]]\n", 2, 11, "got a list"),
    "a folder as null": (f"{V}library: [~]\n", 2, 11, "got null"),
    # places
    "after CRLF": ("version: 1\r\n\r\nunmeasured: x\r\n", 3, 13, "got 'x'"),
    "after a bare CR": ("version: 1\r\runmeasured: x\r", 3, 13, "got 'x'"),
    "after a byte order mark": (b"\xef\xbb\xbfversion: 2\n", 1, 10, "expected 1, got 2"),
    "after wide characters": ('{"version": 1, checkpoint: "é😀", x: 1}', 1, 34, "unknown key 'x'"),
}

# JSON cannot tell these from what is accepted.
ONLY_BY_THE_LOADER = {"version as a fraction", "layers as a fraction", "layers as a power"}


def in_bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def plain(node: Node) -> Any:
    """A tree as JSON has it."""
    match node:
        case Block():
            return {key: plain(value) for key, (_, value) in node.entries.items()}
        case Items():
            return [plain(value) for value in node.values]
        case _:
            return node.value


@cache
def refusal(name: str) -> UsageError:
    """The error that a bad policy raises."""
    with pytest.raises(UsageError) as caught:
        parse_policy(in_bytes(BAD[name][0]), "fpcheck.yml")
    return caught.value


@pytest.mark.parametrize("name", BAD)
def test_a_bad_policy_is_refused_where_it_is_bad(name: str) -> None:
    _, line, column, message = BAD[name]

    assert str(refusal(name)).startswith(f"fpcheck.yml:{line}:{column}: ")
    assert message in str(refusal(name))


@pytest.mark.parametrize("name", BAD)
def test_a_refusal_is_one_short_visible_line_with_a_way_out(name: str) -> None:
    assert str(refusal(name)).isprintable()
    assert len(str(refusal(name))) < 300
    assert refusal(name).hint


@pytest.mark.parametrize("name", sorted(BAD.keys() - ONLY_BY_THE_LOADER))
def test_the_schema_refuses_what_the_loader_refuses(name: str) -> None:
    try:
        tree = parse(in_bytes(BAD[name][0]), name)
    except UsageError:
        return  # not a matter of values

    assert not Draft202012Validator(schema()).is_valid(plain(tree))


def test_what_only_the_loader_refuses_is_what_json_cannot_tell() -> None:
    for name in ONLY_BY_THE_LOADER:
        tree = parse(in_bytes(BAD[name][0]), name)

        assert Draft202012Validator(schema()).is_valid(json.loads(json.dumps(plain(tree))))


def test_a_file_beyond_256_kib_is_refused_unread() -> None:
    with pytest.raises(UsageError, match=r"fpcheck\.yml: larger than 256 KiB"):
        parse_policy(b"#" * (256 * 1024 + 1), "fpcheck.yml")
