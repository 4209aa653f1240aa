from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from entrypoint.main import INPUTS, adopt, translate, variable
from fpcheck.delivery.workflow import OUTPUTS
from fpcheck.errors import UsageError

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
START = ["check", "--deliver=github"]
FOLDER = "--output=fpcheck-report"  # when the input says nothing
RUNNER = {
    "GITHUB_WORKSPACE": "/github/workspace",
    "GITHUB_REPOSITORY": "acme/models",
    "RUNNER_WORKSPACE": "/home/runner/work/models",
}


def inputs(**values: str) -> dict[str, str]:
    return {variable(name.replace("_", "-")): value for name, value in values.items()}


def test_every_input_of_the_action_is_read_and_no_other():
    assert set(INPUTS) == set(ACTION["inputs"])


def test_every_output_of_the_action_is_written_and_no_other():
    assert set(OUTPUTS) == set(ACTION["outputs"])


def test_no_input_has_a_default_but_the_token():
    defaults = {name: row["default"] for name, row in ACTION["inputs"].items() if "default" in row}
    assert defaults == {"github-token": "${{ github.token }}"}


def test_names_that_the_runner_takes_for_itself_are_avoided():
    assert not {"args", "entrypoint"} & {name.lower() for name in ACTION["inputs"]}
    assert "args" not in ACTION["runs"]


def test_action_and_image_and_script_start_the_same_file_in_the_same_way():
    command = json.loads(re.findall(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.M)[-1])
    script = (ROOT / "entrypoint" / "main.py").read_text(encoding="utf-8")

    assert command[-1] == ACTION["runs"]["entrypoint"]
    assert script.startswith(f"#!{' '.join(command[:-1])}\n")
    assert "I" in command[1]


def test_variables_are_named_as_the_runner_names_them():
    assert variable("github-token") == "INPUT_GITHUB-TOKEN"


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ({}, [FOLDER]),
        ({"checkpoint": "out"}, [FOLDER, "--", "out"]),
        ({"checkpoint": "--version"}, [FOLDER, "--", "--version"]),
        ({"checkpoint": "  "}, [FOLDER]),
        ({"config": "policy.yml"}, ["--config=policy.yml", FOLDER]),
        ({"library": "ours\n\n  theirs \n"}, ["--library=ours", "--library=theirs", FOLDER]),
        ({"library": "-x; rm $HOME"}, ["--library=-x; rm $HOME", FOLDER]),
        ({"output": "reports"}, ["--output=reports"]),
        ({"comment": "true"}, [FOLDER]),
        ({"comment": "false"}, [FOLDER, "--no-comment"]),
        ({"checkpoint": "out", "comment": "false"}, [FOLDER, "--no-comment", "--", "out"]),
    ],
)
def test_inputs_become_arguments(given, arguments):
    assert translate(inputs(**given)) == (START + arguments, {})


@pytest.mark.parametrize(
    ("given", "variables"),
    [
        ({"github_token": "ghs_x"}, {"GITHUB_TOKEN": "ghs_x"}),
        ({"hf_token": "hf_x\n"}, {"HF_TOKEN": "hf_x"}),
        ({"ca_bundle": "ca.pem"}, {"REQUESTS_CA_BUNDLE": "ca.pem", "SSL_CERT_FILE": "ca.pem"}),
    ],
)
def test_secrets_and_certificates_become_variables_and_never_arguments(given, variables):
    assert translate(inputs(**given)) == ([*START, FOLDER], variables)


@pytest.mark.parametrize("value", ["yes", "True", "1", "FALSE"])
def test_true_and_false_have_one_spelling_each(value):
    with pytest.raises(UsageError, match=f"comment: expected true or false, got '{value}'"):
        translate(inputs(comment=value))


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("/home/runner/work/models/models/out", "/github/workspace/out"),
        ("/home/runner/work/models/models", "/github/workspace"),
        ("/home/runner/work/models/models2/out", "/home/runner/work/models/models2/out"),
        ("/opt/weights", "/opt/weights"),
        ("out", "out"),
        ("acme/models", "acme/models"),
    ],
)
def test_paths_of_the_host_are_translated(given, seen):
    arguments, variables = translate(
        RUNNER | inputs(checkpoint=given, library=f"x\n{given}", ca_bundle=given)
    )

    assert arguments[2:] == ["--library=x", f"--library={seen}", FOLDER, "--", seen]
    assert set(variables.values()) == {seen}


def test_paths_are_left_alone_outside_the_container():
    env = RUNNER | {"GITHUB_WORKSPACE": "/home/runner/work/models/models"}

    arguments, _ = translate(env | inputs(checkpoint="/home/runner/work/models/models/out"))

    assert arguments[-1] == "/home/runner/work/models/models/out"


def test_inputs_leave_the_environment():
    env = {"PATH": "/bin", "INPUT_ARGS": "x"} | inputs(hf_token="hf_x", checkpoint="out")

    arguments = adopt(env)

    assert arguments == [*START, FOLDER, "--", "out"]
    assert env == {"PATH": "/bin", "HF_TOKEN": "hf_x"}


def test_command_line_takes_whatever_the_inputs_become():
    cli = pytest.importorskip("fpcheck.cli")
    given = inputs(checkpoint="--help", config="-c", library="-l\n-m", output="-o", comment="false")

    parsed = cli._parser().parse_args(adopt(given))

    assert (parsed.checkpoint, parsed.config, parsed.library) == ("--help", "-c", ["-l", "-m"])
    assert (parsed.output, parsed.deliver, parsed.no_comment) == ("-o", "github", True)
