"""The published schemas describe the files that fpcheck writes, and refuse what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from fpcheck.cli import main
from fpcheck.layouts import Role
from tests.checkpoints import llama, write
from tests.data_folders import ROOT

SCHEMAS = {
    name: json.loads((ROOT / f"schemas/{name}.schema.json").read_text())
    for name in ("signature", "reference")
}
REGISTRY: Any = Registry().with_resources(
    [(schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()]
)


def faults(name: str, document: Any) -> list[str]:
    validator = Draft202012Validator(SCHEMAS[name], registry=REGISTRY)
    return [error.message for error in validator.iter_errors(document)]


def test_a_fingerprint_is_valid(tmp_path: Path) -> None:
    write(tmp_path / "release", llama())
    main(["fingerprint", str(tmp_path / "release"), "-o", str(tmp_path / "signature.json")])

    assert faults("signature", json.loads((tmp_path / "signature.json").read_text())) == []


def test_every_reference_of_the_library_is_valid() -> None:
    files = [
        p
        for p in (ROOT / "reference_signatures").rglob("*.json")
        if p.name not in {"manifest.json", "calibration.json"}
    ]
    assert files
    for file in files:
        assert faults("reference", json.loads(file.read_text())) == []


def test_the_schema_knows_every_role() -> None:
    roles = SCHEMAS["signature"]["$defs"]["tower"]["properties"]["roles"]

    assert roles["propertyNames"]["enum"] == list(Role)


@pytest.mark.parametrize("change", [{"format": "x"}, {"more": 1}, {"recipe": "profile/0"}])
def test_another_file_is_not_valid(change: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "release", llama())
    main(["fingerprint", str(tmp_path / "release"), "-o", str(tmp_path / "signature.json")])
    document = json.loads((tmp_path / "signature.json").read_text())

    assert faults("signature", document | change)
