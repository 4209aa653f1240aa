"""The safetensors library as oracle: what it refuses is refused, what it reads is read the same."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, deserialize

from fpcheck.checkpoint.dtypes import BITS
from fpcheck.checkpoint.header import parse_header
from fpcheck.errors import FormatError
from fpcheck.source import read
from tests.checkpoints import framed, llama, safetensors
from tests.memory_source import MemorySource

FILE = "model.safetensors"


def ours(content: bytes) -> dict[str, tuple[str, tuple[int, ...], bytes]] | None:
    """What fpcheck reads of a file; None when it refuses it."""
    source = MemorySource({FILE: content})
    try:
        tensors = parse_header(source, FILE)
    except FormatError:
        return None
    return {t.name: (t.dtype, t.shape, bytes(read(source, FILE, t.start, t.stop))) for t in tensors}


def theirs(content: bytes) -> dict[str, tuple[str, tuple[int, ...], bytes]] | None:
    try:
        tensors = deserialize(content)
    except SafetensorError:
        return None
    return {name: (t["dtype"], tuple(t["shape"]), bytes(t["data"])) for name, t in tensors}


def agree(content: bytes) -> None:
    """We may be stricter, never laxer, and never read other bytes."""
    read_by_us = ours(content)
    if read_by_us is not None:
        assert read_by_us == theirs(content)


sizes = st.integers(-1, 40) | st.sampled_from([2**31, 2**53, 2**63, 2**64, 2**65, 1.0, "1", None])
entry = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from([*BITS, "F31", "f32", "", 3]),
        "shape": st.lists(sizes, max_size=3),
        "data_offsets": st.lists(sizes, min_size=1, max_size=3),
    },
    optional={"more": st.integers()},
)
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
headers = st.dictionaries(st.text(max_size=3) | st.just("__metadata__"), entry, max_size=3)


@given(headers, st.binary(max_size=64), st.sampled_from(["", " ", "\n", "\0", "{}"]))
@settings(max_examples=400, deadline=None)
def test_invented_headers_are_never_read_more_laxly(header: Any, data: bytes, tail: str) -> None:
    agree(framed((json.dumps(header) + tail).encode(), data))


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_never_read_more_laxly(content: bytes) -> None:
    agree(content)
    agree(framed(content))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_file_is_never_read_more_laxly(data: st.DataObject) -> None:
    content = bytearray(safetensors(llama(layers=1, width=2), {"format": "pt"}))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    agree(
        bytes(
            content[: data.draw(st.integers(0, len(content)))]
            if data.draw(st.booleans())
            else content
        )
    )


@given(
    st.dictionaries(
        texts.filter(lambda name: name != "__metadata__"),
        st.sampled_from(["<f4", "<f8", "<f2", "|i1", "<i8"]).flatmap(
            lambda code: st.lists(st.integers(0, 4), max_size=3).map(
                lambda shape: np.ones(shape, dtype=code)
            )
        ),
        max_size=6,
    ),
    st.dictionaries(texts, texts, max_size=3),
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_well_formed_is_read_to_the_same_bits(
    tensors: dict[str, np.ndarray], metadata: dict[str, str]
) -> None:
    content = safetensors(tensors, metadata)

    assert ours(content) is not None
    assert ours(content) == theirs(content)


@given(
    st.recursive(st.none() | st.just(1e999) | texts, st.lists, max_leaves=3), st.integers(0, 200)
)
@settings(max_examples=100, deadline=None)
def test_metadata_and_fields_of_any_kind_are_never_read_more_laxly(value: Any, depth: int) -> None:
    text = "[" * depth + json.dumps(value) + "]" * depth
    for header in (
        f'{{"__metadata__":{text}}}',
        f'{{"__metadata__":{{"a":{text}}}}}',
        f'{{"a":{{"dtype":"F32","shape":[],"data_offsets":[0,4],"more":{text}}}}}',
        f' \n{{"__metadata__" : {{ "a" :\t{text} }} }} ',
    ):
        agree(framed(header.encode()))
        agree(framed(header.encode(), bytes(4)))


def test_every_dtype_of_the_format_is_known() -> None:
    for dtype, bits in BITS.items():
        entry = {"a": {"dtype": dtype, "shape": [8], "data_offsets": [0, bits]}}
        content = framed(json.dumps(entry).encode(), bytes(bits))

        assert ours(content) == theirs(content) is not None
