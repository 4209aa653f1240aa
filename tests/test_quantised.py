"""Every quantised form of a checkpoint is read as what it means, and known for what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gguf", reason="the optional package gguf is not installed")

from benchmarks import quantised
from benchmarks.forms import FORMS, Coding, Form, Gguf, Values, all_of
from benchmarks.originals import Original, random_llama, read_original, write_folder
from benchmarks.quantised import Line, lines
from benchmarks.quantisers import Coded, Matrix, Stored
from benchmarks.quantisers.floats import llm_int8
from benchmarks.quantisers.ggml import TYPES
from tests.data_folders import ROOT, data, minilm

TINY = random_llama(layers=4)
CALLED = {form.name: form for form in FORMS}


def read(original: Original, forms: Iterator[Form] | tuple[Form, ...]) -> list[Line]:
    """The lines of some forms of one checkpoint."""
    return [line for line in lines([original], forms) if isinstance(line, Line)]


def test_every_form_of_a_tiny_checkpoint() -> None:
    found = read(TINY, FORMS)

    assert [line.form.partition(" (")[0] for line in found] == list(CALLED)
    assert [str(line) for line in found if line.faults] == []
    assert max(line.reading for line in found) < 1e-7


def test_the_parts_of_a_matrix_may_lie_in_several_files() -> None:
    some = (form for form in FORMS if isinstance(form, Coding))

    found = read(TINY, tuple(replace(form, shards=3) for form in some))

    assert [str(line) for line in found if line.faults] == []


def test_every_type_of_ggml_that_is_written_here() -> None:
    found = read(TINY, tuple(Gguf(f"GGUF {kind}", all_of(kind)) for kind in TYPES))

    assert [line.form for line in found] == [f"GGUF {kind}" for kind in TYPES]
    assert [str(line) for line in found if line.faults] == []


@pytest.mark.parametrize("name", ["A", "E"])
def test_trained_checkpoints_of_two_families(name: str) -> None:
    some = ("GGUF Q4_K_M", "bitsandbytes NF4, nested scales", "AWQ, 4 bits", "NVFP4, ModelOpt")

    found = read(read_original(data(f"zoo/{name}")), tuple(CALLED[form] for form in some))

    assert [str(line) for line in found if line.faults] == []


def quoted() -> list[list[str]]:
    """The columns that README quotes of each form, but for the exact difference in reading."""
    (table,) = (
        part.split("```")[0]
        for part in (ROOT / "README.md").read_text().split("```text\n")[1:]
        if part.startswith("all-MiniLM-L6-v2: bert")
    )
    return [without_reading(line) for line in table.splitlines()[2:]]


def without_reading(line: str) -> list[str]:
    """The words of a line, but for the first number."""
    words = line.split()
    at = next(place for place, word in enumerate(words) if word[1:3] == "e-")
    return words[:at] + words[at + 1 :]


def test_readme_quotes_what_is_printed() -> None:
    whole = read_original(minilm(), "all-MiniLM-L6-v2")
    own = {name: tensor for name, tensor in whole.tensors.items() if "attention" in name}
    original = replace(whole, tensors=own)  # no other number is printed
    rows = quoted()
    wanted = [
        f for n, f in CALLED.items() if any(row[: len(n.split())] == n.split() for row in rows)
    ]
    found = read(original, tuple(wanted))

    assert [str(line) for line in found if line.faults] == []
    assert [row for row in rows if row not in [without_reading(str(line)) for line in found]] == []
    assert len(rows) >= 8


class Elsewhere:
    """A conversion that means other values than those which it gives."""

    name = "wrong"

    def __init__(self, change: Callable[[Matrix], Matrix]) -> None:
        self.change = change

    def types(self, original: Original) -> str:
        return ""

    def convert(self, original: Original, folder: Path) -> Values:
        values = original.linear()
        config, tensors = original.config, dict(original.tensors)
        for name, matrix in values.items():
            tensors[f"{name}.weight"] = Stored("F32", self.change(matrix).astype("<f4"))
        write_folder(folder, tensors, config)
        return values


def test_a_wrong_reading_is_told() -> None:
    (line,) = read(TINY, (Elsewhere(lambda matrix: matrix * 1.001),))

    assert line.faults == ("READ WRONG", "MOVED FURTHER THAN QUANTISATION DOES")
    assert line.reading == pytest.approx(1e-3, rel=1e-3)


def test_other_weights_are_not_the_original() -> None:
    (line,) = read(TINY, (Elsewhere(lambda matrix: matrix[::-1] * np.abs(matrix[0, 0])),))

    assert "NOT THE ORIGINAL" in line.faults


def unscaled(matrix: Matrix) -> Coded:
    """int8 without what its rows are scaled by."""
    coded = llm_int8(matrix)
    return Coded({"weight": coded.tensors["weight"]}, coded.values)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """The tiny checkpoint's."""
    return str(write_folder(tmp_path / "tiny", TINY.tensors, TINY.config))


def test_a_refusal_is_told_with_its_reason(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert quantised.main([folder], [Coding("unscaled", unscaled)]) == 1
    assert "REFUSED: model.layers.0" in capsys.readouterr().out


def test_what_cannot_be_converted_is_an_error_that_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "t5", {}, {"model_type": "t5"})
    for name in ("t5", "nowhere"):
        with pytest.raises(SystemExit, match="2"):
            quantised.main([str(tmp_path / name)])
        assert f"{tmp_path.name}/{name}" in capsys.readouterr().err


def test_the_command_says_that_all_is_well(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert quantised.main([folder], [CALLED["FP8, a scale a row"]]) == 0
    assert "1.000000  tiny: derived\n" in capsys.readouterr().out
