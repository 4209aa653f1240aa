"""What was not recognised never passes silently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpcheck.cli import main
from tests.checkpoints import llama, safetensors, write, write_sharded


def renamed(tensors: dict[str, np.ndarray], *layers: int) -> dict[str, np.ndarray]:
    """The tensors, with the attention of some layers under names that nothing knows."""
    parts = tuple(f".{layer}.self_attn" for layer in layers)
    return {
        n.replace("_proj", "_mystery") if any(p in n for p in parts) else n: t
        for n, t in tensors.items()
    }


UNKNOWN = renamed(llama(width=32), *range(10))
VISION = llama(layers=4, width=8, prefix="vision.layers")


@pytest.mark.parametrize(
    ("tensors", "code", "message"),
    [
        (renamed(llama(layers=24), *range(6, 24)), 3, "18 of 24 layers"),
        (renamed(llama(layers=24), 3), 0, "1 of 24 layers"),
        (UNKNOWN | VISION, 3, "model.layers: 10 of 10 layers"),
        ({n.removeprefix("model.layers."): t for n, t in UNKNOWN.items()} | VISION, 3, "top level"),
        ({f"0.auto_model.{n}": t for n, t in llama().items()}, 0, "PASS"),
        ({n.removeprefix("model."): t for n, t in llama().items()}, 0, "PASS"),
    ],
)
def test_a_model_that_is_measured_in_part_is_said_to_be(
    tensors: dict[str, np.ndarray],
    code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path, tensors)

    assert main(["check", str(tmp_path)]) == code
    assert message in capsys.readouterr().out


@pytest.mark.parametrize("name", ["real.safetensors", "pytorch_model.bin", "gguf/model.Q4.gguf"])
def test_a_weight_file_beside_the_checkpoint_is_a_finding(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (write(tmp_path / "one", llama()), write_sharded(tmp_path / "two", llama())):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(safetensors(llama(seed=1)))

        assert main(["check", str(folder)]) == 0
        printed = capsys.readouterr().out
        assert printed.startswith("WARN")
        assert f"{name}: a weight file that was not looked into" in printed


DECOY = np.random.default_rng(9).normal(size=(2, 2)).astype("<f4")
CONFIG = {"model_type": "llama", "num_hidden_layers": 10}


def decoys(first: int, last: int, matrix: np.ndarray) -> dict[str, np.ndarray]:
    names = ("q_proj", "k_proj", "v_proj", "o_proj")
    return {
        f"model.layers.{layer}.self_attn.{name}.weight": matrix * (layer % 7 + 1)
        for layer in range(first, last)
        for name in names
    }


@pytest.mark.parametrize(
    "more",
    [
        {"model.layers.10.self_attn.q_proj.weight": DECOY[:1, :1]},
        decoys(10, 40, DECOY),
        decoys(10, 40, np.tile(DECOY, (8, 8))),
        {n.replace("model.", "extra."): t for n, t in decoys(0, 8, DECOY).items()},
    ],
    ids=["one tensor", "tiny layers", "layers of full size", "a tower"],
)
def test_decoys_that_a_loader_ignores_hide_nothing(
    more: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "known", llama())
    main(["library", "add", str(tmp_path / "known"), "--to", str(tmp_path / "lib"), "--id", "a/b"])
    write(tmp_path / "release", llama() | more, CONFIG)

    assert main(["check", str(tmp_path / "release"), "--library", str(tmp_path / "lib")]) == 1
    assert "a/b: identical" in capsys.readouterr().out


def test_a_released_file_with_a_references_digest_is_identical_whatever_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "known", llama())
    main(["library", "add", str(tmp_path / "known"), "--to", str(tmp_path / "lib"), "--id", "a/b"])
    write(tmp_path / "release", llama(seed=3))
    (tmp_path / "release" / "more").mkdir()
    content = (tmp_path / "known" / "model.safetensors").read_bytes()
    (tmp_path / "release" / "more" / "weights.dat").write_bytes(content)

    assert main(["check", str(tmp_path / "release"), "--library", str(tmp_path / "lib")]) == 1
    assert "SHA-256" in capsys.readouterr().out


def in_place_of_attention(names: str, layers: range) -> dict[str, np.ndarray]:
    """What layers hold that have another mixer than attention."""
    return {
        f"model.layers.{layer}.{name}": np.ones((4, 4), "<f4")
        for layer in layers
        for name in names.split()
    }


MAMBA = "mamba.A_log mamba.D mamba.conv1d.weight mamba.in_proj.weight mamba.out_proj.weight"
LFM2 = "conv.conv.weight conv.in_proj.weight conv.out_proj.weight"
GRIFFIN = "temporal_block.rg_lru.recurrent_param temporal_block.linear_out.weight"
LLAMA_CPP = "ssm_a ssm_conv1d.weight ssm_out.weight"


@pytest.mark.parametrize("mixer", [MAMBA, LFM2, GRIFFIN, LLAMA_CPP])
def test_layers_without_attention_are_not_missed(
    mixer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, llama(layers=8) | in_place_of_attention(mixer, range(8, 30)))

    assert main(["check", str(tmp_path)]) == 0
    assert "not measured" not in capsys.readouterr().out


def test_a_model_without_any_attention_is_unmeasured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, in_place_of_attention(MAMBA, range(24)))

    assert main(["check", str(tmp_path)]) == 3
    assert "no layer has attention: 24 state-space layers" in capsys.readouterr().out


def test_what_an_unknown_block_is_nearest_to_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {"q_proj": "query_proj", "k_proj": "key_proj", "v_proj": "value_proj"}
    tensors = llama()
    for old, new in parts.items():
        tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
    write(tmp_path, tensors)

    assert main(["check", str(tmp_path)]) == 3
    assert "the nearest layout is 'prophetnet', for which it lacks out_proj.weight" in (
        capsys.readouterr().out
    )
