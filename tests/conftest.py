"""What a plain run leaves out; and the built-in library, read once and not for every check."""

from __future__ import annotations

import os

# Read when numpy is imported: as on the command line, BLAS must not start threads of its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

from fpcheck import references
from fpcheck.comparison import index
from fpcheck.comparison.curves import Array
from fpcheck.comparison.profile import curves
from fpcheck.layouts import Role
from fpcheck.reference import Reference
from fpcheck.references import builtin_folder
from fpcheck.signature import TowerProfile

SHARE = 5  # of the examples of a property, a plain run tries one in so many
FEWEST = 20  # of fewer, little is left to find
left_out = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run every test and example, as CI does")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A plain run takes the first case of a slow test of many, and fewer examples of properties.

    What is named on the command line is run whole.
    """
    if config.option.all or config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    tests = [item for item in items if isinstance(item, pytest.Function)]
    firsts = {(t.parent, t.originalname): t for t in reversed(tests) if hasattr(t, "callspec")}
    slow = {t for t in tests if t.get_closest_marker("slow")} - {*firsts.values()}
    items[:] = [item for item in items if item not in slow]
    config.hook.pytest_deselected(items=[*slow])
    config.stash[left_out] = len(slow)
    for function in {t.obj for t in tests if is_hypothesis_test(t.obj)}:
        whole = function._hypothesis_internal_use_settings  # where hypothesis keeps it
        fewer = min(whole.max_examples, max(whole.max_examples // SHARE, FEWEST))
        function._hypothesis_internal_use_settings = settings(whole, max_examples=fewer)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if left_out in config.stash:
        terminalreporter.write_line(
            f"left out: {config.stash[left_out]} slow tests, and {SHARE - 1} in {SHARE} random "
            "examples; `pytest --all` runs them, as `make test` does; so does naming a file or test"
        )


Loaded = tuple[str, Reference, str]
read = references._load_folder


@cache
def builtin() -> tuple[Loaded, ...]:
    return tuple(read(builtin_folder()))


@cache
def builtin_curves() -> dict[int, dict[Role, Array]]:
    return {id(t): curves(t) for _, item, _ in builtin() for t in item.signature.towers}


@pytest.fixture(scope="session", autouse=True)
def read_once() -> Iterator[None]:
    """Values never change, so all checks within this process may have the same."""

    def load_folder(folder: Path) -> Iterator[Loaded]:
        return iter(builtin()) if folder == builtin_folder() else read(folder)

    def known_curves(tower: TowerProfile) -> dict[Role, Array]:
        return builtin_curves().get(id(tower)) or curves(tower)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references, "_load_folder", load_folder)
        patch.setattr(index, "curves", known_curves)
        yield
