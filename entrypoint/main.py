#!/opt/fpcheck/venv/bin/python -IB
"""Turn the action's inputs into fpcheck's arguments and environment, and call it.

The working directory is the checkout that is being checked, so nothing in it may be imported:
Python runs isolated (-I), which leaves out the working directory, PYTHONPATH and user packages.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path, PurePosixPath
from types import FrameType

if __name__ == "__main__":  # isolated Python leaves out this file's own neighbourhood, too
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fpcheck.delivery.workflow import Annotation, annotation_lines
from fpcheck.errors import EXIT_UNCHECKED, UsageError

CONTAINER_WORKSPACE = "/github/workspace"
Environment = Mapping[str, str]
Call = tuple[list[str], dict[str, str]]  # arguments to add, variables to set


def _paths(option: str) -> Callable[[str, Environment], Call]:
    """An input of one path a line: the option once for each. `=` keeps a leading dash harmless."""
    return lambda value, env: ([f"{option}={_path(line, env)}" for line in _lines(value)], {})


def _checkpoint(value: str, env: Environment) -> Call:
    return ["--", _path(value, env)], {}


def _token(name: str) -> Callable[[str, Environment], Call]:
    return lambda value, env: ([], {name: value})


def _certificates(value: str, env: Environment) -> Call:
    """requests reads the one variable, huggingface_hub's client the other."""
    return [], dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), _path(value, env))


def _comment(value: str, env: Environment) -> Call:
    if value not in {"true", "false"}:
        raise UsageError(f"input comment: expected true or false, got {value!r}")
    return [] if value == "true" else ["--no-comment"], {}


# One row for each input of action.yml, in the order of the arguments; `--` must come last.
INPUTS: Mapping[str, Callable[[str, Environment], Call]] = {
    "base": _paths("--base"),
    "config": _paths("--config"),
    "library": _paths("--library"),
    "output": _paths("--output"),
    "comment": _comment,
    "github-token": _token("GITHUB_TOKEN"),
    "hf-token": _token("HF_TOKEN"),
    "ca-bundle": _certificates,
    "checkpoint": _checkpoint,
}

DEFAULTS = {"output": "fpcheck-report"}  # on the command line, no folder means no files


def translate(env: Environment) -> Call:
    """The arguments and variables that the inputs mean. An empty input is one not given."""
    arguments, variables = ["check", "--deliver=github"], dict[str, str]()
    for name, meaning in INPUTS.items():
        value = env.get(variable(name), "").strip() or DEFAULTS.get(name, "")
        if value:
            more, settings = meaning(value, env)
            arguments += more
            variables |= settings
    return arguments, variables


def variable(name: str) -> str:
    """How the runner names an input's variable: hyphens stay, so that no shell can read it."""
    return "INPUT_" + name.upper().replace(" ", "_")


def adopt(env: MutableMapping[str, str]) -> list[str]:
    """The arguments for fpcheck; `env` has its variables, and the inputs (secrets!) no more."""
    arguments, variables = translate(env)
    for name in [name for name in env if name.startswith("INPUT_")]:
        del env[name]
    env.update(variables)
    return arguments


def main() -> int:
    """The action's exit code; never 1 by accident, which would mean that the policy objects."""
    signal.signal(signal.SIGTERM, _interrupt)  # the first process of a container ignores it
    signal.signal(signal.SIGINT, _interrupt)
    try:
        arguments = adopt(os.environ)
        from fpcheck.cli import main as fpcheck

        return fpcheck(arguments)
    except UsageError as error:
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say("stopped before a verdict was reached")
        os._exit(EXIT_UNCHECKED)  # threads may still be reading, and the runner kills in seconds
    except Exception as error:  # Python would exit with 1, which means that the policy objects
        _say(f"unexpected {type(error).__name__}: {error}")
        return EXIT_UNCHECKED


def _lines(value: str) -> list[str]:
    return [line.strip() for line in value.splitlines() if line.strip()]


def _path(value: str, env: Environment) -> str:
    """A path on the runner's machine as the container sees it; anything else as it stands.

    The runner translates a variable that is one path, and leaves lists alone.
    """
    workspace, repository = env.get("RUNNER_WORKSPACE", ""), env.get("GITHUB_REPOSITORY", "")
    if env.get("GITHUB_WORKSPACE") != CONTAINER_WORKSPACE or not workspace:
        return value
    checkout = PurePosixPath(workspace, PurePosixPath(repository).name)
    path = PurePosixPath(value)
    if not path.is_relative_to(checkout):
        return value
    return str(CONTAINER_WORKSPACE / path.relative_to(checkout))


def _say(message: str) -> None:
    for line in annotation_lines([Annotation("error", message, title="fpcheck")]):
        print(line, flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
