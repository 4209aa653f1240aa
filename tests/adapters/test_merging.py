"""An adapter on its base measures as what PEFT merges them into."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpcheck.adapters import merged
from fpcheck.checkpoint import Checkpoint
from fpcheck.checkpoint.coding import BLOCK
from fpcheck.cli import main
from fpcheck.source import read
from fpcheck.source.local import LocalSource
from tests.adapters.cases import CASES
from tests.adapters.record_merges import RECORDED
from tests.adapters.samples import (
    PREFIX,
    a_llama,
    factors,
    modules_of,
    write_adapter,
    write_base,
)
from tests.checkpoints import llama, write, write_sharded
from tests.data_folders import ROOT
from tests.servers.hub import HubServer

MATRIX = "model.layers.2.self_attn.q_proj"
STD = json.loads(RECORDED.read_text())["std"]


def opened(adapter: Path, base: Path) -> Checkpoint:
    return merged(LocalSource(str(adapter)), LocalSource(str(base)))[0]


def values(checkpoint: Checkpoint, name: str) -> np.ndarray:
    """All values of a matrix that has a coding."""
    tensor = checkpoint.tensors[name]
    found = np.full(tensor.shape, np.nan)
    assert tensor.coding
    for block in tensor.coding.blocks():
        assert block.elements <= BLOCK
        rows, columns = slice(block.row, block.row + block.rows), slice(block.column, None)
        found[rows, columns][:, : block.columns] = tensor.coding.values(
            block,
            lambda t, start, stop: read(checkpoint.source, t.file, t.start + start, t.start + stop),
        )
    return found


def signature(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What `fpcheck fingerprint` prints."""
    code = main(["fingerprint", *arguments])
    output = capsys.readouterr()
    assert code == 0, output.err
    return dict(json.loads(output.out))


@pytest.mark.parametrize("name", CASES)
def test_the_statistics_are_those_of_the_model_that_peft_merges(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, adapter = CASES[name].write(tmp_path)

    tower = signature(capsys, str(adapter), "--base", str(base))["towers"][0]

    if "GPT-2" not in name:  # whose q, k and v are one matrix
        for role, title in {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "o_proj"}.items():
            expected = [std for matrix, std in sorted(STD[name].items()) if title in matrix]
            assert tower["roles"][role]["std"] == pytest.approx(expected, rel=1e-6)
    checkpoint = opened(adapter, base)
    coded = {n for n, tensor in checkpoint.tensors.items() if tensor.coding}
    for matrix in coded & STD[name].keys():
        assert values(checkpoint, matrix).std() == pytest.approx(STD[name][matrix], rel=1e-6)
    assert len(coded) >= 4


def test_the_recorded_matrices_are_all_compared() -> None:
    assert set(STD) == set(CASES)


def a_pair(folder: Path, **changes: Any) -> tuple[dict[str, np.ndarray], Path, Path]:
    """A base and an adapter of its attention, and the merged tensors in float64."""
    base = a_llama()
    given = factors(base, modules_of(base, "q_proj", "k_proj", "v_proj", "o_proj"))
    whole: dict[str, np.ndarray] = {name: t.astype(np.float64) for name, t in base.items()}
    for name in list(given):
        if name.endswith("lora_A.weight"):
            module = name.removesuffix(".lora_A.weight")
            a, b = given[name].astype(float), given[f"{module}.lora_B.weight"].astype(float)
            whole[f"{module.removeprefix(PREFIX)}.weight"] += 2 * (b @ a)
    return (
        whole,
        write_adapter(folder / "adapter", given, **changes),
        write_base(folder / "base", base),
    )


def test_the_report_is_that_of_the_merged_model_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, adapter, base = a_pair(tmp_path)
    expected = signature(capsys, str(write(tmp_path / "merged", whole)))

    found = signature(capsys, str(adapter), "--base", str(base))

    for role, moments in expected["towers"][0]["roles"].items():
        assert found["towers"][0]["roles"][role]["std"] == pytest.approx(moments["std"], rel=1e-9)
    assert found["notes"][0].startswith(
        f"LoRA of 16 modules and 0 whole tensors, merged as they were read, on {base}"
    )
    assert "'acme/base'" in found["notes"][0]
    names = {file["name"] for file in found["files"]}
    assert names == {"adapter_config.json", "adapter_model.safetensors"}, "what is released"
    assert found["origin"]["name"] == str(adapter)


def test_an_adapter_that_does_nothing_is_its_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base = llama()
    write(tmp_path / "base", base)
    nothing = factors(base, modules_of(base, "q_proj"))
    nothing = {n: t * np.float32("lora_A" in n) for n, t in nothing.items()}
    write_adapter(tmp_path / "adapter", nothing)
    main(["library", "add", "base", "--to", "references", "--id", "acme/base"])
    capsys.readouterr()
    policy = ["--library", "references"]

    assert main(["check", "adapter", "--base", "base", *policy]) == 1
    assert "acme/base: identical: every attention statistic" in capsys.readouterr().out
    card = "---\nbase_model: acme/base\n---\n"
    (tmp_path / "adapter/README.md").write_text(card)
    assert main(["check", "adapter", "--base", "base", *policy]) == 0, "as the adapter's card says"


def test_the_report_is_reproduced_with_its_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, adapter, base = a_pair(tmp_path)

    main(["check", str(adapter), "--base", str(base), "--format", "json"])

    report = json.loads(capsys.readouterr().out)
    assert report["reproduce"] == f"fpcheck check {adapter} --base {base}"


@pytest.mark.parametrize(
    ("theirs", "ours"), [("model.", ""), ("", "model."), ("model.", "language_model.model.")]
)
def test_a_base_may_have_another_prefix(theirs: str, ours: str, tmp_path: Path) -> None:
    base = {n.removeprefix("model."): t for n, t in a_llama().items()}
    given = factors(base, {"layers.2.self_attn.q_proj": 4, "layers.3.self_attn.q_proj": 4})
    renamed = {n.replace(PREFIX, PREFIX + theirs): t for n, t in given.items()}
    write_base(tmp_path / "base", {ours + name: tensor for name, tensor in base.items()})
    write_adapter(tmp_path / "adapter", renamed)

    checkpoint = opened(tmp_path / "adapter", tmp_path / "base")

    coded = {name for name, tensor in checkpoint.tensors.items() if tensor.coding}
    assert coded == {f"{ours}layers.{layer}.self_attn.q_proj.weight" for layer in (2, 3)}


def test_the_adapters_own_name_may_stand_in_its_tensors(tmp_path: Path) -> None:
    _, adapter, base = a_pair(tmp_path)
    expected = values(opened(adapter, base), f"{MATRIX}.weight")
    tensors = factors(a_llama(), modules_of(a_llama(), "q_proj", "k_proj", "v_proj", "o_proj"))
    named = {n.replace(".weight", ".default.weight"): t for n, t in tensors.items()}
    write_adapter(tmp_path / "named", named)

    assert np.array_equal(values(opened(tmp_path / "named", base), f"{MATRIX}.weight"), expected)


def test_base_and_adapter_may_be_sharded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, adapter, base = a_pair(tmp_path)
    expected = signature(capsys, str(adapter), "--base", str(base))["towers"]
    write_sharded(tmp_path / "sharded", a_llama(), shards=3)
    (adapter / "adapter_model.safetensors").rename(
        adapter / "adapter_model-00001-of-00001.safetensors"
    )

    found = signature(capsys, str(adapter), "--base", str(tmp_path / "sharded"))

    assert found["towers"] == expected


def test_a_quantised_base_is_decoded_first(tmp_path: Path) -> None:
    base = a_llama()
    random = np.random.default_rng(5)
    codes = random.integers(0, 0x7F, size=(16, 16), dtype=np.uint8)
    stored = {f"{MATRIX}.weight": codes, f"{MATRIX}.weight_scale_inv": np.ones((1, 1), "<f4") / 8}
    write_base(tmp_path / "base", {**base, **stored})
    path = tmp_path / "base/model.safetensors"
    # numpy has no such dtype: the header of one tensor is changed in place
    content = path.read_bytes().replace(b'"dtype": "U8", ', b'"dtype":"F8_E4M3",')
    length = int.from_bytes(content[:8], "little") + len(content) - path.stat().st_size
    path.write_bytes(length.to_bytes(8, "little") + content[8:])
    quantisation = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    config = json.loads((tmp_path / "base/config.json").read_text())
    (tmp_path / "base/config.json").write_text(
        json.dumps({**config, "quantization_config": quantisation})
    )
    given = factors(base, {MATRIX: 4})
    write_adapter(tmp_path / "adapter", given)
    plain = write_adapter(tmp_path / "nothing", {n: t * 0 for n, t in given.items()})

    checkpoint = opened(tmp_path / "adapter", tmp_path / "base")

    a, b = (given[f"{PREFIX}{MATRIX}.lora_{part}.weight"].astype(float) for part in "AB")
    decoded = values(opened(plain, tmp_path / "base"), f"{MATRIX}.weight")
    assert decoded.std() > 0
    found = values(checkpoint, f"{MATRIX}.weight")
    assert found == pytest.approx(decoded + 2 * (b @ a), abs=1e-12)


def test_a_matrix_of_many_blocks_and_ranks_is_merged_whole(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    module = "model.layers.0.self_attn.q_proj"
    base = {f"{module}.weight": random.normal(size=(700, 900)).astype(np.float32)}
    for turned in (False, True):
        given = factors(base, {module: 600}, turned=turned)
        write_base(tmp_path / "base", base)
        write_adapter(tmp_path / "adapter", given, r=600, lora_alpha=600)

        found = values(opened(tmp_path / "adapter", tmp_path / "base"), f"{module}.weight")

        a, b = (given[f"{PREFIX}{module}.lora_{part}.weight"].astype(float) for part in "AB")
        product = (b @ a).T if turned else b @ a
        merged = base[f"{module}.weight"] + product
        np.testing.assert_allclose(found, merged, rtol=0, atol=1e-9, strict=True)


def test_a_head_that_the_base_lacks_comes_from_the_adapter(tmp_path: Path) -> None:
    given = factors(a_llama(), {MATRIX: 4})
    given[f"{PREFIX}score.weight"] = np.ones((3, 16), "<f4")
    write_base(tmp_path / "base", a_llama())
    write_adapter(tmp_path / "adapter", given, modules_to_save=["classifier", "score"])

    checkpoint = opened(tmp_path / "adapter", tmp_path / "base")

    assert checkpoint.tensors["score.weight"].shape == (3, 16)


def test_a_file_of_an_adapter_can_be_named_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, adapter, base = a_pair(tmp_path)
    whole = signature(capsys, str(adapter), "--base", str(base))

    file = adapter / "adapter_model.safetensors"

    assert signature(capsys, str(file), "--base", str(base))["towers"] == whole["towers"]


def test_an_adapter_in_the_folder_of_its_base_can_be_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, adapter, base = a_pair(tmp_path)
    expected = signature(capsys, str(adapter), "--base", str(base))["towers"]
    (adapter / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes())
    (adapter / "config.json").write_bytes((base / "config.json").read_bytes())

    assert main(["check", str(adapter)]) == 3
    found = signature(capsys, str(adapter), "--base", str(adapter / "model.safetensors"))

    assert found["towers"] == expected
    assert found["unmeasured"] == ["model.safetensors: a weight file that was not looked into"]


def test_both_may_be_on_the_hub(tmp_path: Path) -> None:
    _, adapter, base = a_pair(tmp_path)
    repositories = {
        f"acme/{folder.name}": {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (adapter, base)
    }
    command = ["check", "acme/adapter", "--base", "acme/base", "--format", "json"]

    with HubServer(repositories) as server:
        done = subprocess.run(
            [sys.executable, "-m", "fpcheck", *command],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HF_ENDPOINT": server.endpoint},
        )

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    pinned = re.compile(r"fpcheck check acme/adapter@[0-9a-f]{40} --base acme/base@[0-9a-f]{40}")
    assert pinned.fullmatch(report["reproduce"])
    assert len(report["signature"]["towers"][0]["layers"]) == 4


def test_a_weight_that_is_not_finite_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = factors(a_llama(), {MATRIX: 4})
    given[f"{PREFIX}{MATRIX}.lora_B.weight"][3, 1] = np.inf
    write_base(tmp_path / "base", a_llama())
    write_adapter(tmp_path / "adapter", given)

    assert main(["check", str(tmp_path / "adapter"), "--base", str(tmp_path / "base")]) == 3
    assert f"{MATRIX}.weight" in capsys.readouterr().err
