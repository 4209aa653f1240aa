"""Malformed and hostile checkpoints: the right exit code, and a message that names the place."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpcheck.cli import main
from tests.checkpoints import framed, llama, safetensors, write, write_sharded

MODEL = "model.safetensors"
INDEX = "model.safetensors.index.json"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 90868376\n" % 0
TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
ENTRY = json.dumps(TENSOR)
Build = Callable[[Path], Any]


def raw(content: bytes) -> Build:
    return lambda folder: (folder / MODEL).write_bytes(content)


def header(entries: dict[str, Any], data: bytes = bytes(8)) -> Build:
    return raw(framed(json.dumps(entries).encode(), data))


def header_text(text: str, data: bytes = bytes(8)) -> Build:
    return raw(framed(text.encode("utf-8", "surrogatepass"), data))


def changed(**changes: Any) -> Build:
    return header({"w": {**TENSOR, **changes}})


def config(text: str) -> Build:
    return lambda folder: (write(folder, llama()) / "config.json").write_text(text)


def index(change: Callable[[dict[str, Any]], Any]) -> Build:
    def build(folder: Path) -> None:
        path = write_sharded(folder, llama()) / INDEX
        value = json.loads(path.read_text())
        path.write_text(json.dumps(change(value) or value))

    return build


def first_shard(value: dict[str, Any], shard: Any) -> None:
    value["weight_map"][min(value["weight_map"])] = shard


def weight(value: float, dtype: str = "<f4") -> Build:
    def build(folder: Path) -> None:
        tensors = llama()
        name = "model.layers.3.self_attn.k_proj.weight"
        tensors[name] = tensors[name].astype(dtype)
        tensors[name][5, 7] = value
        write(folder, tensors)

    return build


def dtype(code: str) -> Build:
    def build(folder: Path) -> None:
        write(folder, {n: t.astype(code) if "proj" in n else t for n, t in llama().items()})

    return build


def without(part: str) -> Build:
    return lambda folder: write(folder, {n: t for n, t in llama().items() if part not in n})


def linked_out(folder: Path) -> None:
    outside = folder.parent / "outside.safetensors"
    outside.write_bytes(safetensors(llama()))
    (folder / MODEL).symlink_to(outside)


def both(folder: Path) -> None:
    write_sharded(folder, llama())
    write(folder, llama())


def duplicate_in_shards(folder: Path) -> None:
    write_sharded(folder, llama())
    path = folder / "model-00001-of-00002.safetensors"
    (folder / "model-00002-of-00002.safetensors").write_bytes(path.read_bytes())


def pickle_only(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n.")


def deep(folder: Path) -> None:
    header_text('{"w":' + "[" * 100_000 + "]" * 100_000 + "}")(folder)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def in_a_subfolder(folder: Path) -> None:
    for name in ("b", "a", "d", "c"):
        write(folder / name, llama())


BAD: dict[str, tuple[Build, int, str]] = {
    "an empty folder": (lambda folder: None, 3, "no safetensors file"),
    "pickles only": (pickle_only, 3, "there is 'pytorch_model.bin'"),
    "subfolders only": (
        in_a_subfolder,
        3,
        "there is 'a/model.safetensors', 'b/model.safetensors', 'c/model.safetensors' and 1 more",
    ),
    "an empty file": (raw(b""), 3, "too short"),
    "seven bytes": (raw(bytes(7)), 3, "too short"),
    "a git-lfs pointer": (raw(LFS), 3, f"{MODEL}: a Git LFS pointer, not the weights"),
    "a git-lfs pointer for an index": (lambda f: (f / INDEX).write_bytes(LFS), 3, "LFS pointer"),
    "a git-lfs pointer for a config": (config(LFS.decode()), 3, "config.json: a Git LFS pointer"),
    "a header bomb": (raw(struct.pack("<Q", 2**63) + b"{}"), 3, "header claims"),
    "a header past the end": (raw(struct.pack("<Q", 1000) + b"{}"), 3, "header claims 1,000"),
    "a header that is not JSON": (header_text("{w}"), 3, "not JSON"),
    "a header that is a list": (header_text("[]"), 3, "expected a JSON object"),
    "a header that is not UTF-8": (raw(framed(b'{"\xff":1}')), 3, "not UTF-8"),
    "a key twice": (header_text(f'{{"w":{ENTRY},"w":{ENTRY}}}'), 3, "stands twice"),
    "a key twice in two spellings": (
        header_text(f'{{"w":{ENTRY},"\\u0077":{ENTRY}}}'),
        3,
        "stands twice",
    ),
    "a field twice": (header_text('{"w":{"dtype":"F32","dtype":"F16"}}'), 3, "stands twice"),
    "a field that is not in the format": (changed(more=1), 3, "and nothing else"),
    "two headers": (header_text("{}{}", b""), 3, "expected nothing"),
    "no colon": (header_text('{"w" 1}'), 3, "expected ':'"),
    "no comma": (header_text(f'{{"w":{ENTRY} "v":{ENTRY}}}'), 3, "expected ',' or '}'"),
    "a comma too many": (header_text(f'{{"w":{ENTRY},}}'), 3, "expected a key"),
    "half a header": (header_text('{"w":{"dtype":'), 3, "not JSON"),
    "half a key": (header_text('{"w'), 3, "not JSON"),
    "a name of 200,000 characters": (
        header({"0." * 100_000 + "x": TENSOR}),
        3,
        "a name of more than 1,024 characters: '0.0.0.",
    ),
    "a name of 400,000 characters": (header({"x" * 400_000: TENSOR}), 3, "a name of more than"),
    "an entry of 100,000 characters": (changed(shape=[0] * 40_000), 3, "more than 65,536"),
    "a dtype without end": (changed(dtype=nested(900)), 3, "unknown dtype list"),
    "a product beyond floating point": (changed(shape=[2**64 - 1] * 32), 3, "takes "),
    "half a character": (header_text('{"\\ud800":1}'), 3, "lone surrogate"),
    "a NaN in the header": (header_text('{"w":NaN}'), 3, "NaN"),
    "minus zero": (header_text('{"w":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}'), 3, "-0"),
    "nesting without end": (deep, 3, "nested"),
    "a number for a tensor": (header({"w": 1}), 3, "'w'"),
    "an unknown dtype": (changed(dtype="F31"), 3, "unknown dtype 'F31'"),
    "a negative size": (changed(shape=[-2]), 3, "shape"),
    "a fractional size": (changed(shape=[2.0]), 3, "shape"),
    "a size beyond 64 bits": (changed(shape=[2**64]), 3, "shape"),
    "a shape that is not a list": (changed(shape=2), 3, "shape"),
    "a thousand dimensions": (changed(shape=[1] * 1000), 3, "shape"),
    "offsets backwards": (changed(data_offsets=[8, 0]), 3, "data_offsets"),
    "three offsets": (changed(data_offsets=[0, 8, 8]), 3, "data_offsets"),
    "a shape too large for its bytes": (changed(shape=[3]), 3, "takes 12 bytes"),
    "a hole before the first tensor": (
        header({"w": {**TENSOR, "data_offsets": [8, 16]}}, bytes(16)),
        3,
        "leaves a gap",
    ),
    "overlapping tensors": (
        header({"a": TENSOR, "b": {**TENSOR, "data_offsets": [4, 12]}}, bytes(12)),
        3,
        "overlaps",
    ),
    "trailing bytes": (header({"w": TENSOR}, bytes(9)), 3, "1 bytes follow"),
    "data cut short": (header({"w": TENSOR}, bytes(7)), 3, "last tensor: 76 of 77 bytes"),
    "metadata that is not text": (header({"__metadata__": {"a": 1}}, b""), 3, "__metadata__"),
    "metadata that is a list": (header({"__metadata__": []}, b""), 3, "__metadata__"),
    "metadata twice": (header_text('{"__metadata__":{},"__metadata__":{}}'), 3, "stands twice"),
    "metadata with a key twice": (
        header_text('{"__metadata__":{"a":"","a":""}}'),
        3,
        "stands twice",
    ),
    "metadata with half a character": (
        header_text('{"__metadata__":{"a":"\\ud800x"}}'),
        3,
        "the end of a text",
    ),
    "metadata over two lines": (
        header_text('{"__metadata__":{"a":"b\nc"}}'),
        3,
        "the end of a text",
    ),
    "two files and no index": (
        lambda folder: [(folder / f"{n}.safetensors").write_bytes(b"") for n in "ab"],
        3,
        "2 safetensors files",
    ),
    "a file and an index": (both, 3, "which one"),
    "a link out of the folder": (linked_out, 3, "symbolic link"),
    "a pipe": (lambda folder: os.mkfifo(folder / MODEL), 3, "regular file"),
    "an index that is not JSON": (lambda f: (f / INDEX).write_text("{"), 3, INDEX),
    "an index without a map": (index(lambda value: {"metadata": {}}), 3, "weight_map"),
    "an index that leaves the folder": (
        index(lambda value: first_shard(value, "../../x.safetensors")),
        3,
        "is not the name",
    ),
    "an absolute shard": (
        index(lambda value: first_shard(value, "/etc/x.safetensors")),
        3,
        "is not the name",
    ),
    "a shard that is a number": (index(lambda value: first_shard(value, 7)), 3, "is not the name"),
    "a pickle for a shard": (
        index(lambda value: first_shard(value, "pytorch_model.bin")),
        3,
        "is not the name",
    ),
    "a missing shard": (
        index(lambda value: first_shard(value, "model-00003-of-00003.safetensors")),
        3,
        "not in the checkpoint",
    ),
    "a tensor that no shard holds": (
        index(lambda value: value["weight_map"].update(ghost="model-00001-of-00002.safetensors")),
        3,
        "'ghost'",
    ),
    "a tensor that the index forgets": (
        index(lambda value: value["weight_map"].pop(min(value["weight_map"])) and None),
        3,
        "the index says no shard",
    ),
    "a tensor in two shards": (duplicate_in_shards, 3, "in both"),
    "a config that is not JSON": (config("{"), 3, "config.json"),
    "a config that names other weights": (
        config('{"transformers_weights": "real.safetensors"}'),
        3,
        "transformers_weights",
    ),
    "a config that is a list": (config("[]"), 3, "config.json"),
    "a config without end": (config('{"a":[' + "0," * 100_001 + "0]}"), 3, "more than 100,000"),
    "a NaN weight": (weight(float("nan")), 3, "layers.3.self_attn.k_proj.weight"),
    "an infinite weight": (weight(float("inf")), 3, "layers.3.self_attn.k_proj.weight"),
    "an infinite float16 weight": (weight(float("-inf"), "<f2"), 3, "self_attn.k_proj.weight"),
    "integer weights": (dtype("|i1"), 3, "stored as I8"),
    "no attention": (without("self_attn"), 3, "10 of 10 layers have no attention matrices"),
    "no values": (without("v_proj"), 3, "not measured"),
    "two layers only": (lambda folder: write(folder, llama(layers=2)), 3, "a profile needs 4"),
    "the same spread in every layer": (
        lambda folder: write(
            folder,
            {n: np.array([[0.5, -0.5], [-0.5, 0.5]], "<f4") for n in llama() if "proj" in n},
        ),
        3,
        "the same standard deviation",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_checkpoint_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build, code, message = BAD[name]
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    build(folder)
    before = sorted(tmp_path.rglob("*"))

    assert main(["check", str(folder)]) == code

    output = capsys.readouterr()
    assert message in output.err + output.out
    assert "Traceback" not in output.err
    assert output.out or len(output.err.splitlines()) > 1, "says what to do"
    assert sorted(tmp_path.rglob("*")) == before, "nothing is written"


@pytest.mark.parametrize("word", ["nowhere/at/all", "model", "owner/name@", "../x", "/no/where"])
def test_a_checkpoint_that_is_not_there_is_the_users_mistake(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["check", word]) == 2
    assert word in capsys.readouterr().err


def test_a_tensor_named_like_a_workflow_command_stays_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "x##[set-output name=verdict]pass\n::error::"
    write(tmp_path, {f"{name}.{i}.w": np.ones((2, 2), "<f4") for i in range(3)})

    assert main(["check", str(tmp_path)]) == 3

    output = capsys.readouterr()
    for line in (output.out + output.err).splitlines():
        assert "##[" not in line
        assert not line.lstrip().startswith("::")
