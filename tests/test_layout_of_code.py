"""The shape of the code: who may import whom, and how large a module may grow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fpcheck"

# Left to right as the pipeline runs; a module imports only what stands to its left.
ORDER = (
    "errors",
    "source",
    "checkpoint",
    "fields",
    "layouts",
    "packing",
    "fitting",
    "stacks",
    "attention",
    "coverage",
    "signature",
    "reference",
    "references",
    "comparison",
    "policy",
    "verdict",
    "check",
    "report",
    "delivery",
    "progress",
    "commands",
    "cli",
    "__main__",
)
SLOW = {"numpy", "yaml", "jinja2", "requests", "huggingface_hub", "httpx"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def stage(module: str) -> str:
    """The stage of a dotted module name below the package."""
    return module.split(".")[1]


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_what_stands_to_its_left(path: Path) -> None:
    own = path.relative_to(ROOT).with_suffix("").parts
    if own == ("fpcheck", "__init__"):
        assert not list(imports(path))
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "fpcheck" and len(parts) > 1 and parts[1] in ORDER:
            assert ORDER.index(parts[1]) <= ORDER.index(own[1]), f"{own[1]} imports {name}"
        assert parts[0] not in {"tests", "benchmarks", "entrypoint"}


def test_every_stage_is_in_the_order() -> None:
    found = {
        p.stem if p.is_file() else p.name for p in PACKAGE.iterdir() if p.suffix in {"", ".py"}
    }

    assert found - {"__init__", "__pycache__", "_library", "py.typed"} == set(ORDER)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_module_outgrows_its_room(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
