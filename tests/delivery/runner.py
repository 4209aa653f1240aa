"""The runner's three grammars, written again from its source: what it would obey."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

COMMANDS = frozenset(
    {"add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group"}
    | {"notice", "remove-matcher", "save-state", "set-env", "set-output", "stop-commands"}
    | {"warning"}
)


@dataclass(frozen=True)
class Command:
    name: str
    properties: dict[str, str]
    data: str


def commands(output: str) -> list[Command]:
    """Every command that the runner would obey in what a process printed."""
    found = (_colons(line) or _hashes(line) for line in re.split(r"\r\n|\r|\n", output))
    return [command for command in found if command]


def outputs(text: str) -> dict[str, str]:
    """A step's outputs as the runner reads them from GITHUB_OUTPUT. Only a newline ends a line."""
    values: dict[str, str] = {}
    lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
    rest = iter(lines)
    for line in rest:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, value = line.split("=", 1)
            values[name] = value
        elif heredoc >= 0:
            name, delimiter = line.split("<<", 1)
            if not name or not delimiter:
                raise ValueError(f"invalid format {line!r}")
            values[name] = "\n".join(_until(delimiter, rest))
        else:
            raise ValueError(f"invalid format {line!r}")
    return values


def _until(delimiter: str, lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line == delimiter:
            return
        yield line
    raise ValueError(f"matching delimiter not found {delimiter!r}")


def _colons(line: str) -> Command | None:
    """`::name key=value,…::data`, after the white space at the line's start."""
    line = line.lstrip()
    end = line.find("::", 2)
    if not line.startswith("::") or end < 0:
        return None
    return _command(line[2:end], line[end + 2 :], ",", PROPERTY, DATA)


def _hashes(line: str) -> Command | None:
    """`##[name key=value;…]data`, anywhere."""
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    return _command(line[start + 3 : end], line[end + 1 :], ";", OLD, OLD)


DATA = {"%0D": "\r", "%0A": "\n", "%25": "%"}
PROPERTY = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
OLD = {"%3B": ";", "%0D": "\r", "%0A": "\n", "%5D": "]", "%25": "%"}


def _command(
    info: str, data: str, separator: str, escapes: dict[str, str], data_escapes: dict[str, str]
) -> Command | None:
    name, _, rest = info.partition(" ")
    if name.lower() not in COMMANDS:
        return None
    pairs = (pair.split("=", 1) for pair in rest.strip().split(separator) if "=" in pair)
    properties = {key: _unescaped(value, escapes) for key, value in pairs if key and value}
    return Command(name.lower(), properties, _unescaped(data, data_escapes))


def _unescaped(text: str, escapes: dict[str, str]) -> str:
    for escape, character in escapes.items():
        text = text.replace(escape, character)
    return text
