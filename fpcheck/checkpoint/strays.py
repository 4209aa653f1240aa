"""Weight files that are released with a checkpoint without being part of it."""

from __future__ import annotations

from collections.abc import Iterable

# How weights are stored by the frameworks that people release for.
SUFFIXES = (
    ".safetensors .bin .pt .pth .ckpt .gguf .ggml .onnx .onnx_data .h5 .keras .msgpack .npz .ot "
    ".pkl .pickle .tflite .mlmodel .pdparams"
)
# Beside the weights in most repositories, and never weights.
HARMLESS = frozenset({"training_args.bin"})


def stray_weights(files: Iterable[str], shards: Iterable[str]) -> tuple[str, ...]:
    """The names of weight files that no check of `shards` has looked into.

    Another file than the one that was checked may be the one that is loaded.
    """
    known = set(shards)
    suffixes = tuple(SUFFIXES.split())
    return tuple(
        name
        for name in files
        if name.lower().endswith(suffixes)
        and name not in known
        and name.rpartition("/")[2] not in HARMLESS
    )
