"""Small references and folders of them, for tests."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fpcheck.errors import UsageError
from fpcheck.layouts import Role
from fpcheck.reference import Reference
from fpcheck.references import MANIFEST, add_reference, load_library
from fpcheck.signature import Moments, TowerProfile
from tests import signatures

HELD, OTHER = "acme/one.figures.json", "acme/two.figures.json"


def a_reference(identity: str = "acme/one", *parents: str, std: float = 0.1) -> Reference:
    """Published figures of one role in three layers, one of which lacks it."""
    profile = (Moments(64, None, std), None, Moments(64, 0.0, 2 * std))
    tower = TowerProfile("model", "published figures", False, (0, 1, 2), {Role.Q: profile})
    return signatures.a_reference(identity, tower, parents=parents, digits=3)


def a_folder(path: Path) -> Path:
    """A library of two references, in HELD and OTHER."""
    for identity in ("acme/one", "acme/two"):
        add_reference(path, a_reference(identity))
    return path


def refuse(folder: Path) -> str:
    """What is said of a folder that cannot be loaded."""
    with pytest.raises(UsageError) as caught:
        load_library([folder])
    return str(caught.value)


def relist(folder: Path, path: str, content: bytes) -> None:
    """Replace a file and have the manifest agree with it."""
    (folder / path).write_bytes(content)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["references"][path] = f"sha256:{sha256(content).hexdigest()}"
    (folder / MANIFEST).write_text(json.dumps(manifest))


def put(document: Any, place: str, value: Any) -> None:
    """Set the field at a dotted place; `...` removes it."""
    *way, last = (int(key) if key.isdigit() else key for key in place.replace("/", ".").split("."))
    for key in way:
        document = document[key]
    if value is ...:
        del document[last]
    else:
        document[last] = value
