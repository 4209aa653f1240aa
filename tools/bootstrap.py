"""Build `.venv` with nothing but Python: packages locked by hash, fpcheck from its sources.

Debian and Ubuntu ship Python without pip, so a pinned pip is fetched first. The syntax stays
readable to older interpreters: they are to say that they are too old, not to stumble.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import importlib.util
import os
import shlex
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import urllib.error
import urllib.request
import venv
from pathlib import Path

MINIMUM = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "set-up.txt"  # written last: a half-built environment has none
PYTHON = VENV / "bin" / "python"

PIP_URL = (
    "https://files.pythonhosted.org/packages/07/25/"
    "ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/pip-26.3-py3-none-any.whl"
)
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
TIMEOUT = 60  # seconds without an answer: a slow mirror still answers sooner

# What pip itself writes for a console script: it survives spaces in the path.
LAUNCHER = """\
#!/bin/sh
'''exec' {python} "$0" "$@"
' '''
import sys
from fpcheck.cli import main
sys.exit(main())
"""


class SetupError(Exception):
    """The environment cannot be built; the message says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Build the environment, unless it stands already."""
    parser = argparse.ArgumentParser(description="Build .venv with hash-locked packages.")
    parser.add_argument("--dev", action="store_true", help="with what the tests need")
    kind = "dev" if parser.parse_args(arguments).dev else "run"
    try:
        require_python(sys.version_info[:2])
        if not stands(kind):
            build(kind)
    except (SetupError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def require_python(version: tuple[int, ...]) -> None:
    """Refuse an interpreter that fpcheck cannot run on."""
    if version < MINIMUM:
        raise SetupError(
            "fpcheck needs Python {}.{} or newer, and {} is {}.{}: "
            "name another one with `make PYTHON=python3.11 ...`".format(
                *MINIMUM, sys.executable, *version
            )
        )


def stands(kind: str) -> bool:
    """Is the environment complete and up to date? One for development serves a run as well."""
    try:
        return STAMP.read_text(encoding="utf-8") in (describe(kind), describe("dev"))
    except FileNotFoundError:
        return False


def describe(kind: str) -> str:
    """Everything that an environment depends on: a change in any of it calls for a new one."""
    files = [lock(kind), Path(__file__)]
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return "\n".join([kind, str(VENV), sys.version, *digests])


def lock(kind: str) -> Path:
    """The lock file for running (`run`) or developing (`dev`) fpcheck."""
    return ROOT / "requirements" / f"{kind}.txt"


def build(kind: str) -> None:
    """Make the environment anew, so that it holds what the lock file names and nothing else."""
    say("creating .venv with Python {}.{}.{}".format(*sys.version_info[:3]))
    venv.create(VENV, clear=True, symlinks=True)
    install_pip()
    say(f"installing the packages locked in requirements/{kind}.txt")
    pip("--require-hashes", "--only-binary", ":all:", "--requirement", str(lock(kind)))
    link_sources()
    STAMP.write_text(describe(kind), encoding="utf-8")


def install_pip() -> None:
    """Install the pinned pip; where it cannot be fetched, the one that Python may carry."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / PIP_URL.rpartition("/")[2]
        try:
            wheel.write_bytes(fetch(PIP_URL, PIP_SHA256))
        except SetupError as error:
            if not importlib.util.find_spec("ensurepip"):
                raise
            say(f"{error}\nusing the pip that comes with this Python instead")
            run("-m", "ensurepip")
        else:
            pip("--no-index", "--no-deps", str(wheel), program=[str(wheel / "pip")])


def fetch(url: str, sha256: str) -> bytes:
    """The bytes behind a URL, if they are the expected ones."""
    say("fetching {}".format(url.rpartition("/")[2]))
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 — a constant
            content: bytes = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise SetupError(f"cannot fetch {url}: {error}\n{advice(error)}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise SetupError(f"{url} is not the pinned file: is a proxy changing downloads?")
    return content


def advice(error: Exception) -> str:
    """What to do about a failed download."""
    if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
        return (
            "No certificate authority vouches for the connection. Debian, Ubuntu: "
            "`apt-get install ca-certificates`; behind an inspecting proxy: "
            "set SSL_CERT_FILE to its certificate bundle."
        )
    return "Is the network up? Behind a proxy, set HTTPS_PROXY."


def pip(*arguments: str, program: list[str] | None = None) -> None:
    """Install something into the environment; quietly, unless it fails."""
    quiet = ["--quiet", "--quiet", "--no-input", "--disable-pip-version-check"]  # errors alone
    run(*(program or ["-m", "pip"]), "install", *quiet, "--no-user", "--no-compile", *arguments)


def run(*arguments: str) -> None:
    """Run the environment's Python, deaf to PYTHONPATH and the like."""
    done = subprocess.run([str(PYTHON), "-I", *arguments], check=False)  # noqa: S603 — our own
    if done.returncode != 0:
        raise SetupError("setting up .venv failed; what went wrong stands above")


def link_sources() -> None:
    """Let the environment run fpcheck from this folder, so that no build is needed."""
    packages = Path(sysconfig.get_path("purelib", scheme="venv", vars={"base": str(VENV)}))
    # Relative to the folder it stands in: no path, however spelled, has to survive an encoding.
    (packages / "fpcheck.pth").write_text(os.path.relpath(ROOT, packages) + "\n", encoding="utf-8")
    launcher = PYTHON.with_name("fpcheck")
    launcher.write_text(LAUNCHER.format(python=shlex.quote(str(PYTHON))), encoding="utf-8")
    launcher.chmod(0o755)


def say(line: str) -> None:
    """Tell the user at once what is happening, even through a pipe."""
    print(line, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # nothing to tidy: without a stamp the next run starts afresh
        sys.exit(130)
