"""Weights in forms that are not read: refused by name, with the reason and a way to convert."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fpcheck.checkpoint.foreign import FOREIGN, foreign, refused
from fpcheck.cli import main
from tests.checkpoints import llama, write

# Names as people release them, and a word of what is said about each.
NAMES = {
    "pytorch_model.bin": "PyTorch weights in a pickle",
    "pytorch_model-00001-of-00002.bin": "PyTorch weights in a pickle",
    "pytorch_model.fp16.bin": "PyTorch weights in a pickle",
    "adapter_model.bin": "a PEFT adapter in a pickle",
    "consolidated.00.pth": "Meta's weights",
    "model.pt": "a PyTorch file",
    "last.ckpt": "a PyTorch file",
    "sd-v1-4.CKPT": "a PyTorch file",
    "weights.pth": "a PyTorch file",
    "__0_0.distcp": "a distributed PyTorch checkpoint",
    "model.pkl": "a pickle",
    "model.nemo": "a NeMo archive",
    "tf_model.h5": "TensorFlow weights of transformers",
    "model.h5": "a Keras model",
    "model.keras": "a Keras model",
    "flax_model.msgpack": "Flax weights",
    "saved_model.pb": "a TensorFlow graph",
    "model.tflite": "a TensorFlow graph",
    "variables.data-00000-of-00001": "its variables",
    "model.onnx": "an ONNX export",
    "model.onnx_data": "an ONNX export",
    "openvino_model.bin": "an OpenVINO export",
    "model.mlmodel": "a Core ML export",
    "weight.bin": "a Core ML export",
    "rank0.engine": "a TensorRT engine",
    "weights.npz": "numpy arrays",
    "ggml-model-q4_0.bin": "a ggml file",
    "llama-7b.ggmlv3.q4_0.bin": "a ggml file",
    "rust_model.ot": "weights for Rust",
    "model_state.pdparams": "PaddlePaddle weights",
    "model.zip": "an archive",
    "model.tar.gz": "an archive",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", [b"\x80\x04cos\nsystem\n(S'touch opened'\ntR.", b"", None])
@pytest.mark.parametrize("as_folder", [True, False])
def test_it_is_refused_by_name_and_never_opened(
    name: str,
    content: bytes | None,
    as_folder: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "release" / name
    path.parent.mkdir()
    if content is None and as_folder:
        path.touch(mode=0)  # nobody may read it
    elif content is None:
        os.mkfifo(path)  # whoever opens it waits for ever
    else:
        path.write_bytes(content)

    assert main(["check", "release" if as_folder else f"release/{name}"]) == 3

    what, to_do = capsys.readouterr().err.splitlines()
    assert name in what
    assert NAMES[name] in what
    assert to_do.strip()
    assert [path.name for path in tmp_path.iterdir()] == ["release"]


@pytest.mark.parametrize("name", ["notes.txt", "config.yaml", "model", "training_args.bin"])
def test_a_file_that_is_no_weights_is_the_users_mistake(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).touch()

    assert main(["check", str(tmp_path / name)]) == 2


def test_a_path_that_is_not_there_is_the_users_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path / "pytorch_model.bin")]) == 2


def test_a_folder_may_have_any_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "model.bin", llama())

    assert main(["check", str(tmp_path / "model.bin")]) == 0


def test_of_several_forms_the_one_that_converts_best_is_named() -> None:
    found = refused(["model.onnx", "pytorch_model.bin", "tf_model.h5", "README.md"])

    assert found is not None
    assert found[0] == "pytorch_model.bin"
    assert refused(["README.md", "training_args.bin"]) is None


def test_every_row_is_reached_and_tells_all() -> None:
    assert {foreign(name) for name in NAMES} == set(FOREIGN)
    for row in FOREIGN:
        assert row.patterns == row.patterns.lower()
        assert all((row.what, row.why, row.how))
        assert "\n" not in row.what + row.why + row.how
