"""The set-up: what it refuses, when it starts anew, and that its lock files lock."""

import re
import ssl
import subprocess
import tomllib
import urllib.error
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import bootstrap

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout in a folder with a space and an accent in its name."""
    root = tmp_path / "a naïve folder"
    (root / "requirements").mkdir(parents=True)
    (root / "requirements" / "run.txt").write_text("one")
    (root / "requirements" / "dev.txt").write_text("two")
    monkeypatch.setattr(bootstrap, "ROOT", root)
    monkeypatch.setattr(bootstrap, "VENV", root / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", root / "stamp.txt")
    monkeypatch.setattr(bootstrap, "PYTHON", root / ".venv" / "bin" / "python")
    return root


def built(kind):
    bootstrap.STAMP.write_text(bootstrap.describe(kind))


def pins(lock):
    return dict(re.findall(r"^(\S+)==(\S+)", lock.read_text(), re.MULTILINE))


def test_an_old_python_is_told_what_is_needed():
    with pytest.raises(bootstrap.SetupError, match=r"3\.11 or newer.* is 3\.10"):
        bootstrap.require_python((3, 10))


def test_a_half_built_environment_does_not_stand(checkout):
    assert not bootstrap.stands("run")


def test_an_environment_for_development_serves_a_run_but_not_the_other_way_round(checkout):
    built("dev")
    assert bootstrap.stands("dev")
    assert bootstrap.stands("run")

    built("run")
    assert bootstrap.stands("run")
    assert not bootstrap.stands("dev")


def test_a_changed_lock_file_calls_for_a_new_environment(checkout):
    built("run")
    (checkout / "requirements" / "run.txt").write_text("one more")

    assert not bootstrap.stands("run")


def test_a_moved_checkout_calls_for_a_new_environment(checkout, monkeypatch):
    built("run")
    monkeypatch.setattr(bootstrap, "VENV", checkout.parent / "elsewhere" / ".venv")

    assert not bootstrap.stands("run")


def test_the_command_runs_the_sources_and_hands_its_exit_code_on(checkout):
    (checkout / "fpcheck").mkdir()
    (checkout / "fpcheck" / "cli.py").write_text("def main():\n    return 3\n")
    venv.create(bootstrap.VENV, symlinks=True)
    bootstrap.link_sources()

    done = subprocess.run([bootstrap.VENV / "bin" / "fpcheck"], check=False)

    assert done.returncode == 3


def test_a_download_that_is_not_the_pinned_file_is_refused(tmp_path):
    (tmp_path / "pip.whl").write_bytes(b"something else")

    with pytest.raises(bootstrap.SetupError, match="not the pinned file"):
        bootstrap.fetch((tmp_path / "pip.whl").as_uri(), bootstrap.PIP_SHA256)


def test_a_failed_download_says_what_to_do(tmp_path):
    with pytest.raises(bootstrap.SetupError, match="HTTPS_PROXY"):
        bootstrap.fetch((tmp_path / "missing.whl").as_uri(), bootstrap.PIP_SHA256)


def test_missing_certificate_authorities_are_named_as_the_cause():
    error = urllib.error.URLError(ssl.SSLCertVerificationError())

    assert "apt-get install ca-certificates" in bootstrap.advice(error)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_carries_hashes_and_nothing_names_an_index(lock):
    lines = lock.read_text().splitlines()
    requirements = [line for line in lines if not line.startswith((" ", "#"))]

    assert requirements
    assert all(re.fullmatch(r"[\w.-]+==\S+( ; .*)? \\", line) for line in requirements)
    assert all(line.strip().startswith(("--hash=sha256:", "#")) for line in lines if line[0] == " ")
    assert "://" not in lock.read_text()


def test_tests_run_with_the_versions_that_users_get():
    run, dev = pins(ROOT / "requirements" / "run.txt"), pins(ROOT / "requirements" / "dev.txt")

    assert run.items() <= dev.items()


def test_the_lock_files_hold_what_pyproject_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = {"run": project["project"]["dependencies"], **project["dependency-groups"]}

    for name, wishes in groups.items():
        locked = pins(ROOT / "requirements" / f"{name}.txt")
        for wish in map(Requirement, wishes):
            assert locked[wish.name.lower().replace("_", "-")] in wish.specifier
