"""Which files make up a GGUF model, wherever they lie."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from fpcheck.checkpoint import Checkpoint, read_checkpoint
from fpcheck.checkpoint.gguf import read_gguf
from fpcheck.checkpoint.gguf.files import find_gguf
from fpcheck.cli import main
from fpcheck.errors import CheckError, FormatError
from fpcheck.source import open_source
from fpcheck.source.split import first_part, parts
from tests.checkpoints import llama as safetensors_llama
from tests.checkpoints import write
from tests.gguf.files import llama, write_gguf
from tests.gguf.headers import Entry, gguf, number, words
from tests.memory_source import MemorySource


def opened(path: Path) -> Checkpoint:
    with open_source(str(path)) as source:
        return read_checkpoint(source)


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """A folder with a model in parts, as the package splits it."""
    write_gguf(tmp_path / "model.gguf", llama(), split_max_tensors=6)
    assert len(list(tmp_path.iterdir())) == 3
    return tmp_path


def test_a_file_and_a_folder_that_holds_it_are_the_same_model(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", llama())

    for checkpoint in (opened(path), opened(tmp_path)):
        assert len(checkpoint.tensors) == 16
        assert checkpoint.shards == ("model.gguf",)
        assert checkpoint.model_type == "llama"
        assert checkpoint.config["num_hidden_layers"] == 4
        assert not checkpoint.strays


def test_the_files_beside_a_file_that_is_named_are_no_part_of_the_check(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.Q4.gguf", llama())
    for other in ("b.Q8.gguf", "model.safetensors", "config.json"):
        (tmp_path / other).write_bytes(b"{}")

    assert {file.name for file in opened(path).files} == {"a.Q4.gguf", "config.json"}


def test_the_parts_of_a_split_model_are_one(split: Path) -> None:
    names = tuple(sorted(path.name for path in split.iterdir()))
    for path in (split, *split.iterdir()):
        checkpoint = opened(path)
        assert set(checkpoint.tensors) == set(llama())
        assert checkpoint.shards == names
        assert checkpoint.config["num_hidden_layers"] == 4
        assert {t.file for t in checkpoint.tensors.values()} == set(names)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_part_is_an_error_that_names_it(split: Path, missing: int) -> None:
    lost = sorted(split.iterdir())[missing]
    lost.unlink()

    for path in (split, *split.iterdir()):
        with pytest.raises(FormatError, match=f"1 of 3 parts .* missing: '{lost.name}'"):
            opened(path)


def test_parts_in_each_others_places_are_refused(split: Path) -> None:
    first, second, _ = sorted(split.iterdir())
    first.rename(split / "x")
    second.rename(first)
    (split / "x").rename(second)

    with pytest.raises(FormatError, match="is taken for part 0 of 3"):
        opened(split)


def test_a_tensor_in_two_parts_is_refused() -> None:
    counts = [number("split.count", 2), words("general.architecture", "llama")]
    files = {
        f"m-0000{n + 1}-of-00002.gguf": gguf(
            [number("split.no", n), *counts], [Entry()], bytes(256)
        )
        for n in range(2)
    }

    with pytest.raises(FormatError, match=r"attn_q\.weight' is twice in m-00001"):
        read_gguf(MemorySource(files), tuple(files))


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["a.gguf"], ["a.gguf"]),
        (["a.gguf", "README.md", "config.json"], ["a.gguf"]),
        (["Q4/a.gguf"], ["Q4/a.gguf"]),
        (["a.gguf", "other/b.gguf"], ["a.gguf"]),
        (["a.gguf", "mmproj-a-f16.gguf", "a.imatrix.gguf"], ["a.gguf"]),
        (["a.gguf", "model.safetensors"], []),
        (["a.gguf", "model.safetensors.index.json"], []),
        (["a.gguf", "onnx/model.safetensors"], ["a.gguf"]),
        (["mmproj.gguf"], []),
        (["pytorch_model.bin"], []),
        ([], []),
        (["a-00002-of-00002.gguf", "a-00001-of-00002.gguf"], list(parts("a-00001-of-00002.gguf"))),
        (["a-00001-of-00000.gguf"], ["a-00001-of-00000.gguf"]),
        (["a-00003-of-00002.gguf"], ["a-00003-of-00002.gguf"]),
    ],
)
def test_the_model_of_a_folder(files: list[str], found: list[str]) -> None:
    assert list(find_gguf(files)) == found


@pytest.mark.parametrize(
    "files",
    [
        ["m.Q4_0.gguf", "m.Q8_0.gguf"],
        ["Q4/m.gguf", "Q8/m.gguf"],
        ["m.gguf", "m-00001-of-00001.gguf"],
        ["a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "b.gguf"],
    ],
)
def test_of_several_models_none_is_chosen(files: list[str]) -> None:
    with pytest.raises(FormatError, match=r"2 GGUF models, .*gguf', '.*gguf'") as caught:
        find_gguf(files)

    assert "name the file" in caught.value.hint


def test_names_that_promise_many_parts_cost_nothing() -> None:
    with pytest.raises(FormatError, match="100,000 GGUF models"):
        find_gguf(f"{n}-00001-of-01000.gguf" for n in range(100_000))
    assert parts("a-00001-of-99999.gguf") == ("a-00001-of-99999.gguf",)
    assert first_part("a-00007-of-00009.gguf") == "a-00001-of-00009.gguf"


def test_safetensors_come_before_gguf(tmp_path: Path) -> None:
    write_gguf(write(tmp_path, safetensors_llama()) / "model.gguf", llama())

    checkpoint = opened(tmp_path)

    assert checkpoint.shards == ("model.safetensors",)
    assert checkpoint.strays == ("model.gguf",)


def test_without_the_package_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_gguf(tmp_path / "model.gguf", llama())
    for name in list(sys.modules):
        if name.split(".")[0] == "gguf" or name.startswith("fpcheck.checkpoint.gguf."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gguf", None)

    with pytest.raises(CheckError, match="needs the package gguf"):
        opened(path)
    assert main(["check", str(path)]) == 3
    assert "pip install 'fpcheck[gguf]'" in capsys.readouterr().err


def test_the_package_is_loaded_for_gguf_alone(tmp_path: Path) -> None:
    import subprocess

    write(tmp_path, safetensors_llama())
    code = (
        "import sys; from fpcheck.cli import main; main(['check', sys.argv[1]]); "
        "sys.exit(any(name.split('.')[0] == 'gguf' for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0


def test_a_value_that_is_not_finite_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = llama()
    tensors["blk.1.attn_v.weight"][3, 5] = np.nan

    assert main(["check", str(write_gguf(tmp_path / "model.gguf", tensors))]) == 3
    assert "element [3, 5] is nan" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.bin.index.json"])
def test_what_loaders_take_unasked_leaves_the_choice_open(name: str, tmp_path: Path) -> None:
    write_gguf(tmp_path / "model.gguf", llama())
    (tmp_path / name).write_bytes(b"")

    with pytest.raises(FormatError, match="which of them is released"):
        opened(tmp_path)
    assert opened(tmp_path / "model.gguf").tensors
