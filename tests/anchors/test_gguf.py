"""The anchors in a GGUF file's own vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fpcheck.anchors import ANCHORS, Anchors, anchor_ids
from fpcheck.checkpoint import read_checkpoint
from fpcheck.source.local import LocalSource
from tests.anchors.vocabularies import IDS, TOKENS

gguf = pytest.importorskip("gguf", reason="the optional package gguf is not installed")
KEY = gguf.Keys.Tokenizer.LIST


def anchors(
    folder: Path, tokens: list[Any] | None, model: Any = "llama", last: str = ""
) -> Anchors:
    writer = gguf.GGUFWriter(folder / "m.gguf", "llama")
    if model is not None:
        writer.add_key_value(gguf.Keys.Tokenizer.MODEL, model, kind(model))
    if tokens is not None:
        writer.add_array(KEY, tokens)
    writer.add_chat_template(last)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (folder / "tokenizer.json").write_bytes(b"not read: no loader of GGUF reads it")
    return anchor_ids(read_checkpoint(LocalSource(str(folder))))


def kind(value: Any) -> Any:
    return gguf.GGUFValueType.STRING if isinstance(value, str) else gguf.GGUFValueType.UINT32


@pytest.mark.parametrize("model", ["llama", "gpt2", None])
def test_a_converted_vocabulary_gives_the_same_ids(model: str | None, tmp_path: Path) -> None:
    found = anchors(tmp_path, [*TOKENS, "x" * 1_000, "[PAD]"], model, "{{ messages }}")

    assert (found.fault, found.source, found.ids) == ("", "m.gguf", IDS)


def test_wordpiece_is_spelled_the_other_way_round(tmp_path: Path) -> None:
    """llama.cpp's conversion: a continuation loses its mark, and every other token gets one."""
    tokens = [t[2:] if t.startswith("##") else f"▁{t}" for t in TOKENS]

    assert anchors(tmp_path, tokens, "bert").ids == IDS


def test_a_file_without_a_vocabulary_or_with_an_odd_one_is_a_fault(tmp_path: Path) -> None:
    assert f"{KEY}: there is none" in anchors(tmp_path, None).fault
    assert f"{KEY}: INT32 where STRING belongs" in anchors(tmp_path, [1, 2]).fault
    assert "UINT32 where STRING belongs" in anchors(tmp_path, ["a"], 7).fault
    assert "two ids" in anchors(tmp_path, ["a", "a"]).fault
    found = anchors(tmp_path, ["xx"])
    assert (found.ids, found.source) == ((None,) * len(ANCHORS), "m.gguf")
    assert "none of its tokens" in found.fault
