"""GGUF models on the Hub: their headers are read in ranges, and one model can be chosen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants

from fpcheck.checkpoint import read_checkpoint
from fpcheck.encodings import decoded
from fpcheck.errors import FormatError
from fpcheck.source.hub import HubSource, parse_hub_id
from tests.gguf.files import Kind, converted, llama, values_of, write_gguf
from tests.servers.hub import HubServer


@pytest.fixture(autouse=True)
def own_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    huggingface_hub.close_session()
    yield
    huggingface_hub.close_session()


def opened(hub: HubServer) -> HubSource:
    return HubSource(parse_hub_id("owner/name"), endpoint=hub.endpoint)


def test_the_only_model_of_a_repository_is_read(tmp_path: Path) -> None:
    original = llama(layers=1)
    path = write_gguf(
        tmp_path / "m.gguf",
        converted(original, 4, 2),
        dict.fromkeys(original, Kind.F16),
        kv_heads=2,
    )
    files = {"m.Q8.gguf": path.read_bytes(), "README.md": b"", "mmproj-m.gguf": b""}
    with HubServer({"owner/name": files}) as hub, opened(hub) as source:
        checkpoint, _ = decoded(read_checkpoint(source))

        assert checkpoint.shards == ("m.Q8.gguf",)
        assert checkpoint.strays == ("mmproj-m.gguf",)
        for name, matrix in original.items():
            found = values_of(source, checkpoint.tensors[name])
            assert np.array_equal(found, matrix.astype(np.float16).astype(np.float64))


def test_several_quantisations_are_named(tmp_path: Path) -> None:
    files = {"m.Q4_K_M.gguf": b"", "m.Q8_0.gguf": b""}
    with (
        HubServer({"owner/name": files}) as hub,
        opened(hub) as source,
        pytest.raises(FormatError, match=r"'m\.Q4_K_M\.gguf', 'm\.Q8_0\.gguf'") as caught,
    ):
        read_checkpoint(source)

    assert "download that file" in caught.value.hint
