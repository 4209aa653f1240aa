"""The entry point as the container starts it: a process of its own in a stranger's checkout."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.delivery import runner

ROOT = Path(__file__).parents[2]
TELL = """
import json, os, sys
import fpcheck, yaml

def main(argv):
    print(json.dumps({
        "argv": argv, "env": dict(os.environ), "cwd": os.getcwd(), "path": sys.path,
        "files": [fpcheck.__file__, yaml.__file__, json.__file__],
    }))
    return 7
"""
WAIT = """
import threading, time

def main(argv):
    threading.Thread(target=time.sleep, args=(60,)).start()
    print("ready", flush=True)
    time.sleep(60)
"""
PLANTED = ("yaml.py", "json.py", "fpcheck/__init__.py", "sitecustomize.py", "usercustomize.py")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder full of modules that must not be imported."""
    folder = tmp_path / "checkout"
    for name in (*PLANTED, "entrypoint/__init__.py", "signal.py", "requests/__init__.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"raise SystemExit('planted {name} was imported')\n")
    return folder


def command(tmp_path: Path, cli: str) -> list[str]:
    """The entry point beside a copy of fpcheck whose command line is `cli`."""
    app = tmp_path / "app"
    shutil.copytree(ROOT / "entrypoint", app / "entrypoint")
    shutil.copytree(ROOT / "fpcheck", app / "fpcheck", ignore=shutil.ignore_patterns("_library"))
    (app / "fpcheck" / "cli.py").write_text(cli)
    return [sys.executable, "-IB", str(app / "entrypoint" / "main.py")]


def start(tmp_path: Path, cli: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(tmp_path, cli),
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PYTHONSTARTUP": str(folder / "yaml.py")} | env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_nothing_in_the_checkout_is_imported(tmp_path: Path, checkout: Path):
    done = start(tmp_path, TELL, checkout, INPUT_CHECKPOINT="out")

    assert (done.returncode, done.stderr) == (7, "")
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["argv"] == ["check", "--deliver=github", "--output=fpcheck-report", "--", "out"]
    assert told["cwd"] == str(checkout)
    assert not [path for path in told["path"] if path.startswith(str(checkout)) or not path]
    assert told["files"][0] == str(tmp_path / "app" / "fpcheck" / "__init__.py")
    assert not [path for path in told["files"] if path.startswith(str(checkout))]


def test_planted_modules_would_be_imported_without_isolation(checkout: Path):
    done = subprocess.run(
        [sys.executable, "-c", "import yaml"], cwd=checkout, capture_output=True, check=False
    )

    assert b"planted" in done.stderr


def test_secrets_come_as_variables_and_the_inputs_are_gone(tmp_path: Path, checkout: Path):
    inputs = {"INPUT_HF-TOKEN": "hf_x", "INPUT_GITHUB-TOKEN": "ghs_x", "INPUT_COMMENT": ""}

    done = start(tmp_path, TELL, checkout, **inputs)

    env = json.loads(done.stdout)["env"]
    assert (env["HF_TOKEN"], env["GITHUB_TOKEN"]) == ("hf_x", "ghs_x")
    assert not [name for name in env if name.startswith("INPUT_")]


def test_wrong_input_is_a_usage_error_that_cannot_command_the_runner(
    tmp_path: Path, checkout: Path
):
    done = start(tmp_path, TELL, checkout, INPUT_COMMENT="x\n::set-output name=verdict::pass")

    assert done.returncode == 2
    (said,) = runner.commands(done.stdout + done.stderr)
    assert said.name == "error"
    assert said.data.startswith("input comment: expected true or false, got ")


@pytest.mark.parametrize("failure", ["raise RuntimeError('##[error]x')", "import no_such_module"])
def test_crash_is_never_mistaken_for_an_objection(tmp_path: Path, checkout: Path, failure: str):
    done = start(tmp_path, f"def main(argv):\n    {failure}\n", checkout)

    assert done.returncode == 3
    assert [c.name for c in runner.commands(done.stdout + done.stderr)] == ["error"]


def test_exit_of_the_command_line_is_passed_on(tmp_path: Path, checkout: Path):
    done = start(tmp_path, "def main(argv):\n    raise SystemExit(2)\n", checkout)

    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_of_the_runner_ends_it_at_once(tmp_path: Path, checkout: Path, number: int):
    process = subprocess.Popen(
        command(tmp_path, WAIT), cwd=checkout, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        said = process.stdout.read()

    assert process.returncode == 3
    assert "stopped before a verdict was reached" in said


def test_script_can_be_started_by_its_name():
    assert os.access(ROOT / "entrypoint" / "main.py", os.X_OK)
