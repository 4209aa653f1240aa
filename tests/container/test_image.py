"""The built image, run as the runner runs it. README.md beside this file says how to build it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.checkpoints import llama, write
from tests.delivery import runner

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("FPCHECK_IMAGE", "")
ENTRYPOINT = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["entrypoint"]
PYTHON = "/opt/fpcheck/venv/bin/python"
WAIT = """
import time

def main(argv):
    print("ready", flush=True)
    time.sleep(60)
"""


def missing() -> str:
    """Why these tests cannot run here; "" when they can."""
    if not IMAGE:
        return "FPCHECK_IMAGE names no image: see tests/container/README.md"
    if not shutil.which("docker"):
        return "there is no docker client"
    found = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False)
    return "" if found.returncode == 0 else f"no docker engine has the image {IMAGE}"


pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A stranger's checkout: modules that must not run, and weights that are none."""
    for name in ("yaml.py", "json.py", "fpcheck/__init__.py", "sitecustomize.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"raise SystemExit('planted {name} was imported')\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"##[error]not weights")
    return tmp_path


def options(checkout: Path, *more: str, **inputs: str) -> list[str]:
    """As the runner does it, and stricter: no network, nothing to write to but the mounts."""
    given = [f"--env=INPUT_{name.upper().replace('_', '-')}={v}" for name, v in inputs.items()]
    return [
        "--rm",
        "--network=none",
        "--read-only",
        f"--volume={checkout}:/github/workspace",
        "--workdir=/github/workspace",
        "--env=PYTHONPATH=/github/workspace",
        "--env=GITHUB_ACTIONS=true",
        f"--entrypoint={ENTRYPOINT}",
        *given,
        *more,
    ]


def run(arguments: list[str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "run", *arguments, IMAGE, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_wrong_input_ends_with_2_and_nothing_planted_runs(checkout: Path):
    done = run(options(checkout, comment="maybe"))

    said = runner.commands(done.stdout + done.stderr)
    assert done.returncode == 2
    assert [c.data for c in said] == ["input comment: expected true or false, got 'maybe'"]


def test_malformed_checkpoint_ends_with_3_and_nothing_planted_runs(checkout: Path):
    done = run(options(checkout, checkpoint="model"))

    assert done.returncode == 3, done.stderr
    assert "model.safetensors" in done.stderr
    assert "planted" not in done.stdout + done.stderr


def test_checkpoint_is_checked_and_the_workspaces_owner_gets_the_reports(checkout: Path):
    write(checkout / "little", llama())
    (checkout / "output").touch()
    os.chown(checkout, 1234, 1234)
    step = {
        "GITHUB_WORKSPACE": "/github/workspace",
        "GITHUB_OUTPUT": "/github/workspace/output",
        "GITHUB_EVENT_NAME": "push",
    }
    more = [f"--env={name}={value}" for name, value in step.items()]

    done = run(options(checkout, *more, checkpoint="little"))

    outputs = runner.outputs((checkout / "output").read_text(encoding="utf-8"))
    assert done.returncode == int(outputs["exit-code"]) == 0, done.stderr
    assert (outputs["verdict"], outputs["matches"]) == ("pass", "0")
    for path in ("fpcheck-report", outputs["report-path"], outputs["json-path"]):
        assert (checkout / path).stat().st_uid == 1234


def test_image_starts_without_the_actions_entrypoint_too(checkout: Path):
    given = [o for o in options(checkout, comment="maybe") if not o.startswith("--entrypoint")]

    assert run(given).returncode == 2


def test_stop_of_the_runner_reaches_the_first_process(checkout: Path, tmp_path_factory):
    stub = tmp_path_factory.mktemp("stub") / "cli.py"
    stub.write_text(WAIT)
    mounts = [
        f"--volume={stub}:/opt/fpcheck/fpcheck/cli.py:ro",
        "--tmpfs=/opt/fpcheck/fpcheck/__pycache__",  # compiled files are not compared with sources
    ]
    process = subprocess.Popen(
        ["docker", "run", *options(checkout, *mounts), IMAGE], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()  # the client passes it on, as it does for the runner
        said = process.stdout.read()

    assert process.returncode == 3
    assert "stopped before a verdict was reached" in said


@pytest.mark.parametrize("module", ["pip", "setuptools", "pytest"])
def test_image_holds_no_tools(checkout: Path, module: str):
    done = run(["--rm", "--network=none", f"--entrypoint={PYTHON}"], "-Ic", f"import {module}")

    assert f"No module named '{module}'" in done.stderr
