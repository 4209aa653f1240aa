"""Which tensor is taken for the embedding of the text's tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpcheck.checkpoint import Tensor
from fpcheck.embedding import embedding
from tests.layers import LAYERS, attention, opened, recorded

Shapes = dict[str, tuple[int, ...]]


@pytest.mark.parametrize("name", LAYERS)
def test_recorded_embeddings_are_found(name: str, tmp_path: Path) -> None:
    with recorded(tmp_path, name) as (checkpoint, _):
        result = embedding(checkpoint, LAYERS[name]["width"])

    assert isinstance(result, Tensor)
    assert result.name == LAYERS[name]["embedding"]


def name_of(folder: Path, shapes: Shapes, stack: str | None = None, **config: object) -> str:
    """The name of the embedding of a checkpoint of width 16, or why there is none."""
    stated = {"model_type": "llama", "num_hidden_layers": 1} | config
    with opened(folder, attention() | shapes, stated) as checkpoint:
        result = embedding(checkpoint, 16, stack)
    return result if isinstance(result, str) else result.name


def test_the_nearest_to_the_stack_is_taken(tmp_path: Path) -> None:
    shapes: Shapes = {
        "embed_tokens.weight": (900, 16),
        "model.embed_tokens.weight": (32, 16),
        "draft.embed_tokens.weight": (32, 16),
    }

    assert name_of(tmp_path / "a", shapes) == "model.embed_tokens.weight"
    assert name_of(tmp_path / "b", shapes, "draft.layers") == "draft.embed_tokens.weight"


def test_a_vision_towers_is_not_the_texts(tmp_path: Path) -> None:
    shapes: Shapes = {"model.visual.embed_tokens.weight": (32, 16), "wte.weight": (32, 16)}

    assert name_of(tmp_path, shapes) == "wte.weight"


def test_positions_are_not_tokens(tmp_path: Path) -> None:
    shapes: Shapes = {"model.embed_positions.weight": (32, 16), "wpe.weight": (32, 16)}

    assert "no tensor" in name_of(tmp_path, shapes)


def test_another_width_is_told(tmp_path: Path) -> None:
    """OPT-350m: tokens are embedded in 512 dimensions and projected into 1,024."""
    shapes: Shapes = {"model.embed_tokens.weight": (32, 8)}

    assert name_of(tmp_path, shapes) == (
        "model.embed_tokens.weight has 8 columns, attention takes 16 inputs"
    )


def test_the_outputs_table_serves_where_it_is_the_inputs_too(tmp_path: Path) -> None:
    shapes: Shapes = {"lm_head.weight": (32, 16)}

    assert name_of(tmp_path / "a", shapes, tie_word_embeddings=True) == "lm_head.weight"
    assert "no tensor" in name_of(tmp_path / "b", shapes, tie_word_embeddings=False)
    assert "no tensor" in name_of(tmp_path / "c", shapes)
    both: Shapes = shapes | {"model.embed_tokens.weight": (32, 16)}
    assert name_of(tmp_path / "d", both, tie_word_embeddings=True) == "model.embed_tokens.weight"
