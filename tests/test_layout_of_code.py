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
    "text",
    "files",
    "source",
    "checkpoint",
    "encodings",
    "adapters",
    "fields",
    "layouts",
    "packing",
    "heads",
    "filling",
    "stacks",
    "nearest",
    "fitting",
    "mixers",
    "norms",
    "blocks",
    "sharing",
    "towers",
    "attention",
    "coverage",
    "anchors",
    "beside",
    "feeding_layouts",
    "feed_forward_layouts",
    "feed_forward",
    "feeding",
    "embedding",
    "explain",
    "signature",
    "calibration",
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
MODULES = sorted(PACKAGE.rglob("*.py"))


def name(path: Path) -> str:
    """How the tables below call a module."""
    return path.relative_to(PACKAGE).as_posix()


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=name)
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


MAX_LINES = 250
DATA = {"layouts.py"}  # tables grow with the models that are known
MAX_FUNCTION = 25  # lines, docstring included; reading it aloud should take one breath
LONG = {
    "check.py: check": "the pipeline, in order",
    "check.py: fingerprint": "the first half of the pipeline, in order",
    "checkpoint/strict_json.py: parse_object": "hooks that see one parser's state",
    "comparison/weights.py: weight_evidence": "the kinds of evidence, one after another",
    "cli.py: _add_check": "a list of options",
    "policy/fields.py: _rules": "rows of the table of fields",
    "source/hub_answers.py: network_errors": "one client's exceptions, one after another",
    "report/markdown.py: render": "the names that the template knows",
}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_module_outgrows_its_room(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES or name(path) in DATA


def test_no_function_outgrows_its_room() -> None:
    found = {
        f"{name(path)}: {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION
    }

    assert found <= set(LONG)


# The modules that touch the disk, the network, the clock or the environment, and why each does.
EFFECTS = {
    "cli.py": "the process: its environment and its streams",
    "commands/checking.py": "the environment of a workflow's step",
    "commands/inputs.py": "signature files that a user names",
    "commands/layouts.py": "the environment: whom a written file should belong to",
    "commands/libraries.py": "the environment: whom a written file should belong to",
    "commands/signatures.py": "the environment: whom a written file should belong to",
    "delivery/github.py": "the clock, as the default of a parameter",
    "delivery/github_comment.py": "the clock, as the default of a parameter, and the network",
    "delivery/github_api.py": "the network",
    "delivery/github_event.py": "the event's file, which the runner names",
    "delivery/workflow.py": "the files that the runner reads",
    "files.py": "the disk: the one place where files are written",
    "policy/load.py": "the policy's file: a policy is its bytes, and its digest is theirs",
    "progress.py": "the clock, as the default of a parameter",
    "references.py": "the library's folders",
    "report/markdown.py": "the template, which is part of the package",
}
# Stages that exist to have effects.
EFFECTFUL = ("source/",)
MODULES_WITH_EFFECTS = {
    *("socket", "subprocess", "time", "tempfile", "shutil", "glob", "random", "secrets"),
    *("requests", "httpx2", "huggingface_hub"),
}
CALLS_WITH_EFFECTS = {
    *("open", "read_bytes", "read_text", "write_bytes", "write_text", "mkdir", "unlink", "rename"),
    *("stat", "lstat", "lexists", "is_file", "is_dir", "exists", "iterdir", "glob", "rglob"),
    *("environ", "getenv", "today", "now", "cwd", "FileSystemLoader"),
}


def effects(path: Path) -> set[str]:
    """The words in a module that mean the disk, the network, the clock or the environment."""
    found = {module.split(".")[0] for module in imports(path)} & MODULES_WITH_EFFECTS
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            found |= {node.attr} & CALLS_WITH_EFFECTS
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found |= {node.func.id} & CALLS_WITH_EFFECTS
    return found


def test_effects_are_where_they_are_expected() -> None:
    found = {name(path): effects(path) for path in MODULES}
    unexpected = {
        module: words
        for module, words in found.items()
        if words and module not in EFFECTS and not module.startswith(EFFECTFUL)
    }

    assert unexpected == {}
    assert [module for module in EFFECTS if not found.get(module)] == [], "no longer needed"


def test_an_effect_is_seen_however_it_is_written(tmp_path: Path) -> None:
    for code in (
        "import os\nx = os.environ['HOME']",
        "from time import monotonic",
        "def f(p):\n    return p.read_bytes()",
        "def f():\n    import requests",
        "with open('x') as file: pass",
        "from pathlib import Path\nPath('x').open()",
        "import urllib.request, socket",
    ):
        (tmp_path / "module.py").write_text(code)
        assert effects(tmp_path / "module.py"), code


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_the_package_tells_type_checkers_that_it_has_types() -> None:
    assert (PACKAGE / "py.typed").exists()
