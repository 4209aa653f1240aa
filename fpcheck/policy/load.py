"""A policy from its file, or the built-in one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fpcheck.comparison.levels import Level
from fpcheck.errors import UsageError
from fpcheck.policy import BUILT_IN, Policy, ProfileThreshold, Threshold, Unmeasured
from fpcheck.policy.fields import ROOT, absent
from fpcheck.policy.nodes import MAX_BYTES

POLICY_FILES = (".github/fpcheck.yml", "fpcheck.yml")  # where a folder's policy is looked for


def find_policy(folder: Path) -> Path | None:
    """The folder's own policy file, or None.

    Raises UsageError for one that is there and cannot be trusted: to pass it over would check
    the release by rules that nobody wrote for it.
    """
    for path in (folder / name for name in POLICY_FILES):
        if _is_there(path):
            _refuse_foreign(path, folder)
            return path
    return None


def load_policy(path: str) -> Policy:
    """The policy in a file. Raises UsageError when it cannot be read or understood."""
    try:
        if not Path(path).is_file():  # opening a pipe or a device might never return
            folder = "; it is a folder, not a policy" if Path(path).is_dir() else ""
            raise UsageError(f"{path}: no such file{folder}", hint="name the policy's YAML file")
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_policy(content, path)


def parse_policy(content: bytes, name: str) -> Policy:
    """The policy that `content` holds; `name` stands in errors and becomes its source."""
    from fpcheck.policy.strict_yaml import parse  # slow to import, and only files need it
    from fpcheck.policy.values import values

    return _policy(values(parse(content, name), name), name, content)


def default_policy() -> Policy:
    """What holds when no policy is given."""
    defaults = absent(ROOT)
    return _policy(defaults, BUILT_IN, json.dumps(defaults, indent=2).encode())


def _policy(values: Mapping[str, Any], source: str, content: bytes) -> Policy:
    thresholds = values["thresholds"]
    return Policy(
        source=source,
        digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
        checkpoint=values["checkpoint"],
        library=tuple(values["library"]),
        declared=tuple(values["declared"]),
        fail=_threshold(thresholds["fail"]),
        warn=_threshold(thresholds["warn"]),
        unmeasured=Unmeasured(values["unmeasured"]),
    )


def _threshold(values: Mapping[str, Any]) -> Threshold:
    level, profile, rate = (values[k] for k in ("level", "profile", "false_positive_rate"))
    return Threshold(
        level=Level(level) if level else None,
        profile=_profile(profile) if profile else None,
        false_positive_rate=None if rate is None else float(rate),
    )


def _profile(values: Mapping[str, Any]) -> ProfileThreshold:
    detrended = values["detrended"]
    return ProfileThreshold(
        raw=float(values["raw"]),
        detrended=None if detrended is None else float(detrended),
        layers=values["layers"],
    )


def _is_there(path: Path) -> bool:
    """A link that leads nowhere is there too."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UsageError(f"{path}: cannot be looked at: {error.strerror}") from error
    return True


def _refuse_foreign(path: Path, folder: Path) -> None:
    if not path.is_file():
        raise UsageError(f"{path}: not a regular file", hint="put the policy itself there")
    if not path.resolve().is_relative_to(folder.resolve()):
        hint = "replace the link by the file itself"
        raise UsageError(f"{path}: a symbolic link that leaves {folder}", hint=hint)
