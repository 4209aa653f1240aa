"""The header of a GGUF file: what it says, and that nothing malformed is believed."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from gguf.constants import GGUFValueType as Type
from hypothesis import given
from hypothesis import strategies as st

from fpcheck.checkpoint.gguf import Model, read_gguf
from fpcheck.errors import FormatError
from tests.gguf.headers import MAGIC, Entry, array, entry, gguf, number, text, words
from tests.memory_source import MemorySource

FILE = "model.gguf"
ARCH = words("general.architecture", "llama")
F32 = bytes(256)  # of Entry's default
GOOD = gguf([ARCH, number("llama.block_count", 2)], [Entry()], F32)


def read(content: bytes, **options: Any) -> Model:
    return read_gguf(MemorySource({FILE: content}, **options), (FILE,))


def test_a_tensor_has_its_shape_reversed_and_its_place_in_the_file() -> None:
    tensors = [Entry("a", (32, 3), 0), Entry("b", (64, 2, 1), 8, 384), Entry("c", (), 28, 544)]
    content = gguf([ARCH], tensors, bytes(552))

    found = read(content).tensors

    base = len(content) - 552
    assert [(t.name, t.dtype, t.shape, t.start - base, t.stop - base) for t in found.values()] == [
        ("a", "F32", (3, 32), 0, 384),
        ("b", "Q8_0", (1, 2, 64), 384, 520),
        ("c", "F64", (), 544, 552),
    ]


@pytest.mark.parametrize("read_size", [1, 7, 64, 1 << 20])
def test_a_header_reads_the_same_in_pieces_of_any_size(read_size: int) -> None:
    assert read(GOOD, read_size=read_size) == read(GOOD)


def test_the_metadata_has_the_names_of_a_config() -> None:
    keys = [
        number("llama.attention.head_count", 8),
        ARCH,
        number("llama.block_count", 12),
        number("llama.nextn_predict_layers", 1),
        array("llama.attention.head_count_kv", Type.INT32, 3, struct.pack("<3i", 2, 0, 4)),
        number("llama.embedding_length", 64, Type.UINT64),
        number("llama.attention.key_length", 576),
        number("llama.attention.key_length_mla", 192),
        number("gpt2.vocab_size", 1_000),
        array("tokenizer.ggml.tokens", Type.STRING, 2, text("a") + text("b")),
        array("tokenizer.ggml.scores", Type.FLOAT32, 2, bytes(8)),
        words("general.name", "whoever"),
    ]

    assert read(gguf(keys)).config == {
        "model_type": "llama",
        "num_hidden_layers": 11,
        "num_attention_heads": 8,
        "num_key_value_heads": [2, 0, 4],
        "hidden_size": 64,
        "head_dim": 192,
    }


def test_a_file_without_an_architecture_has_no_config() -> None:
    assert read(gguf([number("llama.block_count", 2)])).config == {}


def test_alignment_is_what_the_file_says() -> None:
    keys = [number("general.alignment", 8)]
    content = gguf(keys, [Entry("a", (2,)), Entry("b", (2,), 0, 8)], bytes(16), alignment=8)

    first, second = read(content).tensors.values()
    assert (first.start, second.start) == (len(content) - 16, len(content) - 8)


def wrong(*tensors: Entry | bytes, data: bytes = F32, **options: Any) -> bytes:
    return gguf([ARCH], tensors, data, **options)


HUGE = 2**63
MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "goes on to byte 4"),
    "half a magic": (b"GG", "goes on"),
    "another magic": (b"GGML" + GOOD[4:], "not a GGUF file"),
    "an old version": (gguf(version=1), "version 1 of GGUF"),
    "a new version": (gguf(version=4), "version 4 of GGUF"),
    "big-endian": (MAGIC + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid 0", "pointer"),
    "many keys": (gguf([ARCH], counts=(0, 5_000)), "5,000 keys"),
    "endless keys": (gguf([ARCH], counts=(0, 2**64 - 1)), "keys, more than"),
    "endless tensors": (gguf([ARCH], counts=(2**64 - 1, 1)), "goes on to byte"),
    "a key without end": (gguf([text("a")[:7] + b"\x7f"], counts=(0, 1)), "a key of"),
    "a long key": (gguf([number("k" * 2_000, 1)]), "a key of 2,000 bytes"),
    "an empty key": (gguf([number("", 1)]), "is empty"),
    "a key twice": (gguf([ARCH, ARCH]), "stands twice"),
    "a key that is not text": (gguf([text(b"\xff") + bytes(8)]), "not UTF-8"),
    "an unknown type": (gguf([text("a") + struct.pack("<I", 13)]), "13 is no type"),
    "a list of an unknown type": (gguf([array("a", 99, 1)]), "99 is no type"),
    "a list of lists": (gguf([array("a", Type.ARRAY, 1)]), "a list of lists"),
    "a list without end": (gguf([array("a", Type.UINT8, 2**64 - 1)]), "goes on to byte"),
    "a list of heads without end": (
        gguf([array("a.attention.head_count", Type.UINT8, 2_000)]),
        "goes on to byte",
    ),
    "texts without end": (gguf([array("a", Type.STRING, 2**40)]), "texts, more than"),
    "too few texts": (gguf([array("a", Type.STRING, 9, text("b"))]), "goes on to byte"),
    "a text without end": (
        gguf([text("a") + struct.pack("<IQ", Type.STRING, 2**62)]),
        "goes on to byte",
    ),
    "a long architecture": (gguf([words("general.architecture", "x" * 300)]), "of 300 bytes"),
    "an alignment of 0": (gguf([number("general.alignment", 0)]), "power of two"),
    "an odd alignment": (gguf([number("general.alignment", 24)]), "power of two"),
    "an alignment in words": (gguf([number("general.alignment", 32.0, Type.FLOAT32)]), "power"),
    "an alignment beyond the end": (gguf([number("general.alignment", 2**31)], [Entry()]), "ends"),
    "a long name": (wrong(Entry("x" * 1_025)), "a tensor's name of 1,025 bytes"),
    "a name that is not text": (wrong(text(b"\xff") + bytes(24)), "not UTF-8"),
    "a tensor twice": (
        wrong(Entry(), Entry(offset=256), data=F32 * 2),
        "'blk.0.attn_q.weight' is twice in model.gguf",
    ),
    "five dimensions": (wrong(Entry(sizes=(2, 2, 2, 2, 2))), "5 dimensions"),
    "endless dimensions": (
        wrong(text("a") + struct.pack("<I", 2**32 - 1)),
        "4,294,967,295 dimensions",
    ),
    "an unknown ggml type": (wrong(Entry(kind=999)), "type 999 is not known"),
    "a type that is gone": (wrong(Entry(kind=4)), "type 4 is not known"),
    "half a block": (wrong(Entry(sizes=(48, 2), kind=2)), "rows of 48, not in blocks of 32"),
    "a size beyond any": (wrong(Entry(sizes=(32, HUGE))), "more than any file"),
    "sizes beyond any": (wrong(Entry(sizes=(2**40, 2**40))), "more than any file"),
    "a size beyond any, of nothing": (wrong(Entry(sizes=(0, HUGE)), data=b""), "more than any"),
    "a tensor larger than the file": (wrong(Entry(sizes=(32, 3))), "ends before the last tensor"),
    "a cut file": (GOOD[:-1], "ends before the last tensor"),
    "overlapping tensors": (wrong(Entry("a"), Entry("b", offset=224), data=F32 * 2), "overlaps"),
    "tensors in one place": (wrong(Entry("a"), Entry("b"), data=F32 * 2), "overlaps"),
    "a gap": (wrong(Entry("a"), Entry("b", offset=288), data=F32 * 2 + bytes(32)), "gap"),
    "an offset beyond any": (wrong(Entry(offset=2**64 - 1)), "gap"),
    "bytes behind": (wrong(Entry(), data=F32 + bytes(40)), "40 bytes follow"),
    "one part of three": (gguf([number("split.count", 3, Type.UINT16)]), "from 0) of 3"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused_in_words(name: str) -> None:
    content, message = MALFORMED[name]

    with pytest.raises(FormatError) as caught:
        read(content)

    assert message in str(caught.value)
    assert FILE in str(caught.value)
    assert caught.value.hint


def test_padding_may_end_a_file_and_may_be_missing() -> None:
    tensor = Entry(sizes=(3,))

    for padding in range(21):
        read(wrong(tensor, data=bytes(12 + padding)))


@given(st.integers(0, len(GOOD) - 1))
def test_a_file_that_is_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(FormatError):
        read(GOOD[:length])


RICH = gguf(
    [
        ARCH,
        number("llama.attention.head_count", 4),
        array("tokenizer.ggml.tokens", Type.STRING, 3, text("a") + text("bc") + text("")),
        array("llama.attention.head_count_kv", Type.INT32, 2, struct.pack("<2i", 2, 2)),
    ],
    [Entry(), Entry("blk.0.attn_k.weight", (32, 2), 8, 256)],
    F32 + bytes(68),
)


@given(st.integers(0, len(RICH) - 325), st.binary(min_size=1, max_size=9))
def test_any_other_bytes_are_read_or_refused(place: int, other: bytes) -> None:
    changed = RICH[:place] + other + RICH[place + len(other) :]

    try:
        model = read(changed)
    except FormatError:
        return
    for tensor in model.tensors.values():
        assert 0 <= tensor.start <= tensor.stop <= len(changed)


@given(st.binary(max_size=200))
def test_a_header_of_noise_is_read_or_refused(noise: bytes) -> None:
    for content in (noise, MAGIC + noise, GOOD[:24] + noise):
        try:
            read(content)
        except FormatError:
            continue


SIZE = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1))


@given(
    st.lists(
        st.builds(
            Entry,
            name=st.text(max_size=3),
            sizes=st.lists(SIZE, max_size=5).map(tuple),
            kind=st.integers(0, 45),
            offset=SIZE,
        ),
        max_size=3,
    ),
    st.integers(0, 4_000),
)
def test_tensors_are_inside_the_file_and_apart_or_refused(tensors: list[Entry], size: int) -> None:
    content = gguf([ARCH], tensors, bytes(size))

    try:
        model = read(content)
    except FormatError:
        return
    places = sorted((t.start, t.stop) for t in model.tensors.values())
    assert all(0 < start <= stop <= len(content) for start, stop in places)
    assert all(a[1] <= b[0] for a, b in pairwise(places))


def test_an_entry_that_is_cut_ends_the_reading() -> None:
    whole = entry(Entry())

    for length in range(len(whole)):
        with pytest.raises(FormatError):
            read(gguf([ARCH], [whole[:length]], alignment=1))


def test_numpy_is_what_counts_elements() -> None:
    tensor = read(GOOD).tensors["blk.0.attn_q.weight"]

    assert tensor.count == np.prod(tensor.shape) == 64
