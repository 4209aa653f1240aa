"""Published figures become references, or the import stops and says at which field."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fpcheck.errors import UsageError
from fpcheck.layouts import Role
from fpcheck.reference import Reference
from fpcheck.references import load_library
from tests.small_library import put

TOOLS = Path(__file__).parent.parent / "tools"
RECORD = {
    "hub_id_inferred": "cross-encoder/ms-marco-MiniLM-L6-v2",
    "modality": "text-encoder",
    "n_layers": 2,
    "notes": "source prints 3 decimals only",
    "organisation": "cross-encoder",
    "published_as": "ms-marco-MiniLM-L6-v2",
    "root": "MiniLM-L6-H384",
    "root_basis": "documented",
    "significant_digits": 3,
    "source": "PaddlePaddle/GraphNet@1dcbd66 samples (MIT)",
    "statistic": "std",
    "tensor_shapes": {"q": [8, 4], "k": [8, 4], "v": [8, 4], "o": [4, 8]},
    "tower": "bert.encoder",
    "values": {"q": [0.072, 0.065], "k": [0.07, 0.06], "v": [0.04, 0.05], "o": [0.04, 0.1]},
}
Tool = dict[str, Any]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Tool:
    monkeypatch.syspath_prepend(str(TOOLS))
    return runpy.run_path(str(TOOLS / "import_figures.py"))


def written(path: Path, *records: dict[str, Any]) -> Path:
    figures = path / "figures.jsonl"
    figures.write_text("".join(json.dumps(record) + "\n" for record in records))
    return figures


def changed(**changes: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(json.dumps(RECORD))
    for place, value in changes.items():
        put(record, place.replace("__", "."), value)
    return record


def test_a_record_becomes_a_reference(tool: Tool, tmp_path: Path) -> None:
    assert tool["main"]([str(written(tmp_path, RECORD)), str(tmp_path / "library")]) == 0

    (item,) = load_library([tmp_path / "library"]).references
    (tower,) = item.signature.towers

    assert item.id == "cross-encoder/ms-marco-MiniLM-L6-v2"
    assert item.licence == "apache-2.0"
    assert item.parents == ("nreimers/MiniLM-L6-H384-uncased",)
    assert item.obtained.digits == 3
    assert [m and (m.count, m.mean, m.std) for m in tower.roles[Role.Q]] == [
        (32, None, 0.072),
        (32, None, 0.065),
    ]


PADDLE = {"hub_id_inferred": None, "root_basis": "self"}


@pytest.mark.parametrize(
    ("published_as", "identity"),
    [
        ("PaddleNLP/ernie-1.0", "PaddleNLP/ernie-1.0"),
        ("PaddleNLP/ernie-2.0/shape_patches_ernie-1.0-zh", "PaddleNLP/ernie-1.0-zh"),
        ("karpathy/tinyllamas stories260K", "karpathy/tinyllamas-stories260K"),
    ],
)
def test_ids_that_the_record_lacks_are_found(
    tool: Tool, tmp_path: Path, published_as: str, identity: str
) -> None:
    read: Callable[[Path], list[Reference]] = tool["read"]
    (item,) = read(written(tmp_path, changed(published_as=published_as, **PADDLE)))

    assert item.id == identity


def test_excluded_records_are_left_out(tool: Tool, tmp_path: Path) -> None:
    assert list(tool["read"](written(tmp_path, changed(published_as="splade-mini")))) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra": 1}, "extra: unknown field"),
        ({"organisation": ...}, "organisation: missing"),
        ({"modality": "image"}, "modality: expected text-encoder"),
        ({"source": "a blog"}, "source: expected PaddlePaddle/GraphNet"),
        ({"notes": "some layers missing"}, "notes: expected"),
        ({"statistic": "max"}, "statistic: expected std or rms"),
        ({"root_basis": "rumoured"}, "root_basis: expected documented"),
        ({"root": "GPT-5"}, "root: expected MiniLM-L12-H384"),
        ({"hub_id_inferred": None}, "no id is known for 'ms-marco-MiniLM-L6-v2'"),
        ({"hub_id_inferred": "who/knows"}, "who/knows needs one row in LICENCES"),
        ({"n_layers": 3}, "values.q: expected 3 values, one a layer, got 2"),
        ({"values__q": [0.1, None]}, "values.q: expected positive numbers"),
        ({"values__q": [0.1, 0]}, "values.q: expected positive numbers"),
        ({"values__q": ...}, "values: expected q, k, v, o or qkv, o"),
        ({"tensor_shapes__q": ...}, "values: expected q, k, v, o or qkv, o"),
        ({"tensor_shapes__q": [8]}, "tensor_shapes.q: expected rows and columns, got (8,)"),
        ({"tensor_shapes__q": [8, 0]}, "tensor_shapes.q: expected rows and columns"),
    ],
)
def test_anything_unexpected_stops_the_import(
    tool: Tool, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    figures = written(tmp_path, changed(**changes))

    with pytest.raises(UsageError) as caught:
        list(tool["read"](figures))

    assert str(caught.value).startswith(f"{figures}:1: ")
    assert message in str(caught.value)


def test_two_records_of_one_id_write_nothing(
    tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = written(tmp_path, RECORD, changed(published_as="another name"))

    assert tool["main"]([str(figures), str(tmp_path / "library")]) == UsageError.exit_code
    assert "is also the id of 'ms-marco-MiniLM-L6-v2'" in capsys.readouterr().err
    assert not (tmp_path / "library").exists()
