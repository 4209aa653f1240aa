"""Tokenizers that libraries wrote: SentencePiece's own models, and those of real checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpcheck.anchors import ANCHORS, anchor_ids
from fpcheck.checkpoint import read_checkpoint
from fpcheck.source.local import LocalSource
from tests.anchors.vocabularies import read
from tests.data_folders import data, minilm

# By piece_to_id of sentencepiece 0.2.3, which trained both on this project's LICENSE and one of
# its modules, with the symbol @ of the user's; the first has bytes to fall back on.
TRAINED = {
    "bpe": (
        "569 582 583 593 588 589 594 595 596 587 523 534 524 526 516 529 537 527 519 572 533 "
        "525 531 520 518 530 565 521 522 517 528 543 538 561 535 586 590 539 39 40 591 592 "
        "581 540 541 578 579 532 560 536 575 542 576 597 556 566 67 3 545 546 544 563 128 564 "
    ),
    "unigram": (
        "111 206 214 292 284 285 293 294 295 250 20 39 24 16 9 44 51 67 8 177 77 33 298 10 14 "
        "23 287 17 5 15 22 101 66 228 34 286 289 35 - - 290 291 205 11 12 164 165 6 107 7 143 "
        "18 153 296 37 105 - 3 26 30 19 115 - 65 "
    ),
}


@pytest.mark.parametrize("kind", TRAINED)
def test_models_that_sentencepiece_trained(kind: str) -> None:
    anchors = read("tokenizer.model", (Path(__file__).parent / f"{kind}.model").read_bytes())

    assert anchors.fault == ""
    assert ["-" if i is None else str(i) for i in anchors.ids] == TRAINED[kind].split()


def test_minilm_has_every_anchor_and_both_of_its_files_say_the_same() -> None:
    folder = minilm()
    anchors = anchor_ids(read_checkpoint(LocalSource(str(folder))))
    lines = (folder / "vocab.txt").read_text().split("\n")

    assert (anchors.fault, anchors.source) == ("", "tokenizer.json")
    assert anchors.ids == tuple(lines.index(anchor) for anchor in ANCHORS)
    assert anchors.ids == read("vocab.txt", (folder / "vocab.txt").read_bytes()).ids


@pytest.mark.parametrize("name", ["A", "B", "C", "E", "A_sft", "C_cpt"])
def test_the_zoo_has_every_anchor(name: str) -> None:
    anchors = anchor_ids(read_checkpoint(LocalSource(str(data(f"zoo/{name}")))))

    assert anchors.fault == ""
    assert None not in anchors.ids
    assert anchors.ids[ANCHORS.index("0")] == 17
