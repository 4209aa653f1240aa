"""How the work of the schemes grows with a module's tensors: no faster than their number."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.encodings import decoded
from fpcheck.encodings.siblings import NAMED
from fpcheck.encodings.stated import MAX_SIZES, NO_SIZE, block_sizes
from tests.memory_source import MemorySource


def steps(tensors: dict[str, Tensor], config: dict[str, Any]) -> int:
    """How many instructions of Python's decoding takes."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    checkpoint = Checkpoint(MemorySource({}), tensors, (), config, (), (), ())
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        decoded(checkpoint)
    finally:
        sys.settrace(before)
    return count


def in_one_module(number: int, leaf: str, dtype: str, beside: str) -> dict[str, Tensor]:
    """So many codes and as many scales."""
    tensors = {}
    for n in range(number):
        for name, kind in ((leaf.format(n), dtype), (beside.format(n), "F32")):
            tensors[f"m.{name}"] = Tensor(f"m.{name}", kind, (1, 1), "f", 0, 1)
    return tensors


@pytest.mark.parametrize(
    ("leaf", "dtype", "beside"),
    [
        ("a{}", "F8_E4M3", "a{}_scale"),
        ("a{}", "F8_E4M3", "weight{}_scale"),
        ("a{}.weight", "F8_E4M3", "a{}.weight_scale"),
        ("a{}", "U8", "a{}_scale"),
        ("a{}.weight", "I8", "a{}.SCB"),
        ("a{}.weight", "I8", "a{}.weight_scale"),
        ("a{}", "U8", "a{}.absmax"),
        ("a{}_blocks", "U8", "a{}_scales"),
        ("a{}.qweight", "I32", "a{}.scales"),
        ("a{}.weight_packed", "I32", "a{}.weight_scale"),
    ],
)
def test_twice_the_tensors_take_twice_the_work(leaf: str, dtype: str, beside: str) -> None:
    def config(number: int) -> dict[str, Any]:
        groups = {f"{n}": {"weights": {"num_bits": 4}} for n in range(number)}
        said = {"quant_method": "compressed-tensors", "config_groups": groups}
        return {"model_type": "llama", "quantization_config": said}

    small, large = (steps(in_one_module(n, leaf, dtype, beside), config(n)) for n in (100, 200))

    assert large < 2.5 * small


def test_of_many_scales_few_are_named() -> None:
    weight = Tensor("m.weight", "F8_E4M3", (1, 1), "f", 0, 1)
    tensors = in_one_module(500, "a{}", "BF16", "a{}_scale") | {"m.weight": weight}

    _, faults = decoded(Checkpoint(MemorySource({}), tensors, (), {}, (), (), ()))

    assert [fault.count("_scale") for fault in faults] == [NAMED]


def test_more_sizes_than_a_checkpoint_has_fit_nothing() -> None:
    def sizes(number: int) -> Any:
        groups = {str(n): {"weights": {"num_bits": 8, "group_size": n + 1}} for n in range(number)}
        return block_sizes({"quantization_config": {"config_groups": groups}})

    assert len(sizes(MAX_SIZES)) == MAX_SIZES
    assert sizes(MAX_SIZES + 1) == {NO_SIZE}
