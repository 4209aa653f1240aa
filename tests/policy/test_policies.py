"""Policies that are accepted, what they come to, and where they are looked for."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from fpcheck.comparison.levels import Level
from fpcheck.errors import UsageError
from fpcheck.policy import Policy, ProfileThreshold, Threshold, Unmeasured
from fpcheck.policy.load import default_policy, find_policy, load_policy, parse_policy
from fpcheck.policy.schema import schema
from fpcheck.policy.strict_yaml import parse
from tests.policy.test_refusals import plain

DEFAULTS = Policy(
    source="fpcheck.yml",
    digest="",
    checkpoint=None,
    library=(),
    declared=(),
    fail=Threshold(Level.TRANSFORMED, profile=None, false_positive_rate=None),
    warn=Threshold(Level.RESEMBLES, profile=None, false_positive_rate=None),
    unmeasured=Unmeasured.FAIL,
)
WHOLE = """\
# What this release may resemble.
version: 1
checkpoint: models/release
library: [more-references]
declared:
  - nreimers/MiniLM-L6-H384-uncased
  - sentence-transformers/all-MiniLM-L6-v2
thresholds:
  fail:
    level: resembles
    profile:
      raw: 0.9
      detrended: 0.75
      layers: 6
    false_positive_rate: 1e-6
  warn:
    level: null
    profile: {raw: 0.7, layers: 4}
    false_positive_rate: 0.01
unmeasured: warn
"""


def rules(text: str) -> str:
    return f"version: 1\nthresholds:\n{text}"


def with_fail(**changes: Any) -> Policy:
    return replace(DEFAULTS, fail=replace(DEFAULTS.fail, **changes))


# What a file holds, and the policy that it comes to.
GOOD: dict[str, tuple[str | bytes, Policy]] = {
    "nothing but a version": ("version: 1", DEFAULTS),
    "as JSON": ('{"version": 1}', DEFAULTS),
    "version in base 16": ("version: 0x1\n", DEFAULTS),
    "YAML 1.2 by name": ("%YAML 1.2\n---\nversion: 1\n...\n", DEFAULTS),
    "a byte order mark": (b"\xef\xbb\xbfversion: 1\n", DEFAULTS),
    "CRLF": ("version: 1\r\nunmeasured: fail\r\n", DEFAULTS),
    "empty lists": ("version: 1\ndeclared: []\nlibrary: []\n", DEFAULTS),
    "no checkpoint": ("version: 1\ncheckpoint: ~\n", DEFAULTS),
    "everything": (
        WHOLE,
        replace(
            DEFAULTS,
            checkpoint="models/release",
            library=("more-references",),
            declared=(
                "nreimers/MiniLM-L6-H384-uncased",
                "sentence-transformers/all-MiniLM-L6-v2",
            ),
            fail=Threshold(Level.RESEMBLES, ProfileThreshold(0.9, 0.75, 6), 1e-6),
            warn=Threshold(None, ProfileThreshold(0.7, None, 4), 0.01),
            unmeasured=Unmeasured.WARN,
        ),
    ),
    "the bare threshold": (
        rules("  fail: {profile: {raw: 0.90}}"),
        with_fail(profile=ProfileThreshold(raw=0.90, detrended=None, layers=8)),
    ),
    **{
        f"the level {level}": (rules(f"  fail: {{level: {level}}}"), with_fail(level=level))
        for level in tuple(Level)[1:]
    },
    "a level switched off": (rules("  fail:\n    level:\n"), with_fail(level=None)),
    "a profile keeps the level": (
        rules("  fail: {profile: {raw: 0.95, detrended: 0.80}}"),
        with_fail(profile=ProfileThreshold(0.95, 0.80, 8)),
    ),
    "a profile switched off": (rules("  fail: {profile: ~}"), with_fail(profile=None)),
    "a rate": (rules("  fail: {false_positive_rate: 1e-9}"), with_fail(false_positive_rate=1e-9)),
    "the smallest rate": (
        rules("  fail: {false_positive_rate: 5e-324}"),
        with_fail(false_positive_rate=5e-324),
    ),
    "the highest rate": (
        rules("  fail: {false_positive_rate: 1}"),
        with_fail(false_positive_rate=1.0),
    ),
    "a rate switched off": (
        rules("  fail: {false_positive_rate: ~}"),
        with_fail(false_positive_rate=None),
    ),
    "a rate alone": (
        rules("  fail: {level: null, false_positive_rate: .5}\n  warn: {level: null}"),
        replace(
            DEFAULTS, fail=Threshold(None, None, false_positive_rate=0.5), warn=Threshold(None)
        ),
    ),
    "an integer for a number": (
        rules("  fail: {profile: {raw: 1, detrended: -1}}"),
        with_fail(profile=ProfileThreshold(raw=1.0, detrended=-1.0)),
    ),
    "a number with an exponent": (
        rules("  fail: {profile: {raw: 9e-1, detrended: null}}"),
        with_fail(profile=ProfileThreshold(raw=0.9)),
    ),
    "warn without layers": (
        rules("  warn: {profile: {raw: .5}}"),
        replace(DEFAULTS, warn=Threshold(Level.RESEMBLES, ProfileThreshold(0.5, None, 8))),
    ),
    "warnings only": (
        rules("  fail: {level: null, profile: null, false_positive_rate: null}\n"),
        replace(DEFAULTS, fail=Threshold(None, None)),
    ),
    "one rule": (
        rules("  fail: {level: identical}\n  warn: {level: null}\n"),
        replace(DEFAULTS, fail=Threshold(Level.IDENTICAL), warn=Threshold(None)),
    ),
    "no is a folder": ("version: 1\ncheckpoint: no\n", replace(DEFAULTS, checkpoint="no")),
    "a time is a folder": ("version: 1\nlibrary: [12:30]", replace(DEFAULTS, library=("12:30",))),
    "letters of any script": (
        'version: 1\ncheckpoint: "modèles/\\ud83d\\ude00"\n',
        replace(DEFAULTS, checkpoint="modèles/😀"),
    ),
    "unmeasured ignored": (
        "version: 1\nunmeasured: ignore\n",
        replace(DEFAULTS, unmeasured=Unmeasured.IGNORE),
    ),
}


def content(name: str) -> bytes:
    text = GOOD[name][0]
    return text if isinstance(text, bytes) else text.encode()


@pytest.mark.parametrize("name", GOOD)
def test_a_good_policy_comes_to_its_values(name: str) -> None:
    policy = parse_policy(content(name), "fpcheck.yml")

    assert policy == replace(GOOD[name][1], digest=policy.digest)


@pytest.mark.parametrize("name", GOOD)
def test_the_schema_accepts_what_the_loader_accepts(name: str) -> None:
    Draft202012Validator(schema()).validate(plain(parse(content(name), name)))


def test_numbers_of_a_threshold_are_floats() -> None:
    given = "  fail: {profile: {raw: 1, detrended: 0}, false_positive_rate: 1}"
    policy = parse_policy(rules(given).encode(), "p.yml")

    assert policy.fail.profile is not None
    assert isinstance(policy.fail.profile.raw, float)
    assert isinstance(policy.fail.profile.detrended, float)
    assert isinstance(policy.fail.false_positive_rate, float)


def test_a_policy_carries_the_digest_of_its_bytes() -> None:
    policy = parse_policy(b"version: 1 # mine\n", "p.yml")

    assert (
        policy.digest == f"sha256:{hashlib.sha256(b'version: 1 # mine' + bytes([10])).hexdigest()}"
    )


def test_built_in_defaults_are_what_an_all_silent_policy_comes_to() -> None:
    policy = default_policy()

    assert policy == replace(DEFAULTS, source="built-in defaults", digest=policy.digest)


def test_built_in_digest_changes_only_with_the_defaults() -> None:
    digest = "sha256:2c465457b01d5173ba82a19d46c9e128ab6c9720cf10e6505b66f3e4c32bbe69"

    assert default_policy().digest == digest  # a new default? note it in the changelog


def test_github_folder_comes_first(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github/fpcheck.yml").write_text("version: 1")
    (tmp_path / "fpcheck.yml").write_text("version: 1")

    assert find_policy(tmp_path) == tmp_path / ".github/fpcheck.yml"


def test_the_folder_itself_comes_second(tmp_path: Path) -> None:
    (tmp_path / "fpcheck.yml").write_text("version: 1")

    assert find_policy(tmp_path) == tmp_path / "fpcheck.yml"


def test_a_folder_without_a_policy_has_none(tmp_path: Path) -> None:
    (tmp_path / ".github").write_text("not a folder")

    assert find_policy(tmp_path) is None


def test_a_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("version: 1")
    (tmp_path / "fpcheck.yml").symlink_to("mine.yml")

    assert find_policy(tmp_path) == tmp_path / "fpcheck.yml"


@pytest.mark.parametrize(
    "target", ["../outside.yml", "nowhere.yml", "fpcheck.yml", ".", "/dev/null"]
)
def test_a_link_to_anything_else_is_refused_not_passed_over(tmp_path: Path, target: str) -> None:
    (tmp_path / "outside.yml").write_text("version: 1")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "fpcheck.yml").symlink_to(target)

    with pytest.raises(UsageError, match=r"fpcheck\.yml: (not a regular file|a symbolic link)"):
        find_policy(folder)


def test_a_linked_github_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/fpcheck.yml").write_text("version: 1")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/.github").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UsageError, match="a symbolic link that leaves"):
        find_policy(tmp_path / "folder")


def test_a_folder_that_cannot_be_looked_into_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be looked at"):
        find_policy(tmp_path / ("a" * 5000))


def test_a_loaded_policy_names_the_path_as_given(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.yml").write_text("version: 1")

    assert load_policy("./p.yml").source == "./p.yml"


def test_a_missing_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"p\.yml: no such file"):
        load_policy(str(tmp_path / "p.yml"))


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_policy(str(tmp_path))


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.yml")

    with pytest.raises(UsageError, match="no such file"):
        load_policy(str(tmp_path / "p.yml"))


def test_a_path_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    for path in ("a\0b", "a" * 5000):
        with pytest.raises(UsageError, match=r"no such file|cannot be read"):
            load_policy(path)


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_bytes(b"#" * (256 * 1024 + 1))

    with pytest.raises(UsageError, match="larger than 256 KiB"):
        load_policy(str(tmp_path / "p.yml"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text("version: 1")
    (tmp_path / "p.yml").chmod(0)

    with pytest.raises(UsageError, match="cannot be read"):
        load_policy(str(tmp_path / "p.yml"))


def test_yaml_is_not_imported_before_a_file_is_read() -> None:
    code = "import sys; from fpcheck.policy.load import default_policy; default_policy()"
    command = [sys.executable, "-c", f"{code}; print('yaml' in sys.modules)"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_defaults_as_json_are_a_policy_too() -> None:
    from fpcheck.policy.fields import ROOT, absent

    policy = parse_policy(json.dumps(absent(ROOT)).encode(), "fpcheck.yml")

    assert policy == replace(DEFAULTS, digest=policy.digest)
