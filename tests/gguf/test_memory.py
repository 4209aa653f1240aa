"""A GGUF file, honest or hostile, takes little memory."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gguf.constants import GGML_QUANT_SIZES
from gguf.constants import GGUFValueType as Type

from tests.gguf.files import Kind, llama, write_gguf
from tests.gguf.headers import Entry, array, entry, gguf, number, text, words
from tests.test_memory import LIMIT, check

ARCH = words("general.architecture", "llama")
ASTRAL = "\U00010000"
VOCABULARY = 150_000

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")


def test_a_large_vocabulary_takes_little_memory(tmp_path: Path) -> None:
    words = (f"▁word{n:07}" for n in range(VOCABULARY))
    path = write_gguf(tmp_path / "model.gguf", llama(layers=8), vocabulary=words)

    code, peak, messages = check(path)

    assert code == 0, messages
    assert peak <= LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Kind.F16, Kind.Q4_K, Kind.Q6_K, Kind.IQ2_XXS, Kind.IQ1_M])
@pytest.mark.parametrize("arch", ["llama", "qwen2"])
def test_large_matrices_take_little_memory(kind: Kind, arch: str, tmp_path: Path) -> None:
    """Attention of 8 × 4,096 × 4,096, and half of it reordered, in a file that takes no room."""
    unit, size = GGML_QUANT_SIZES[kind]
    bytes_each = 4_096 * 4_096 // unit * size
    names = [f"blk.{n}.attn_{m}.weight" for n in range(2) for m in ("q", "k", "v", "output")]
    entries = [Entry(name, (4_096, 4_096), kind, i * bytes_each) for i, name in enumerate(names)]
    keys = [words("general.architecture", arch), number(f"{arch}.attention.head_count", 32)]
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf(keys, entries))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + bytes_each * len(names))

    code, peak, _ = check(path)

    assert code == 3  # nothing but zeros
    assert peak <= LIMIT


def many(count: int, one: Callable[[int], bytes]) -> Iterator[bytes]:
    """That often, with its number."""
    return map(one, range(count))


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "long keys": (
        lambda: gguf(many(4_096, lambda n: number(f"{n}{ASTRAL * 250}", n, Type.UINT64))),
        "",
    ),
    "texts without end": (
        lambda: gguf([array("a", Type.STRING, 6_000_000, bytes(48_000_000))]),
        "lists of 6,000,000 texts",
    ),
    "a long text": (lambda: gguf([ARCH, words("a", "x" * 60_000_000)]), ""),
    "many tensors": (
        lambda: gguf([ARCH], many(300_000, lambda n: entry(Entry(str(n), (0,))))),
        "more than 250,000",
    ),
    "long names": (
        lambda: gguf([ARCH], many(60_000, lambda n: entry(Entry(f"{n}{ASTRAL * 250}", (0,))))),
        "names and shapes",
    ),
    "shapes that differ": (
        lambda: gguf([ARCH], many(240_000, lambda n: entry(Entry(str(n), (0, n, 2**40 + n, 3))))),
        "names and shapes",
    ),
    "lists of heads": (
        lambda: gguf(
            many(
                4_096,
                lambda n: array(
                    f"{n}.attention.head_count",
                    Type.UINT64,
                    2_000,
                    struct.pack("<Q", 2**60 + n) * 2_000,
                ),
            )
        ),
        "more than 16 lists",
    ),
    "a text of the wrong length": (lambda: gguf([text("a") + bytes(60_000_000)]), ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_header_takes_little_memory(name: str, tmp_path: Path) -> None:
    build, message = HOSTILE[name]
    path = tmp_path / "model.gguf"
    path.write_bytes(build())

    code, peak, messages = check(path)

    assert code == 3
    assert message in messages
    assert peak <= LIMIT
