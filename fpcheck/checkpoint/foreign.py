"""Weights in forms that fpcheck does not read: what each is, why not, and how to convert it.

Files are told by their names alone: none of these is ever opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

# Beside the weights in most repositories, and never weights.
HARMLESS = frozenset({"training_args.bin"})

PICKLE = "opening a pickle runs whatever code its author put into it"
ONE_WAY = "there is no way back to the matrices: check the safetensors that it was exported from"
COMPILED = "its weights are compiled for one engine, fused and rearranged"
_AUTO = "python -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('FOLDER'"
_SAVE = ").save_pretrained('NEW_FOLDER')\""
_TORCH = (
    "python -c \"import torch; from safetensors.torch import save_file; s = torch.load('FILE', "
    "map_location='cpu', weights_only=True); s = s.get('state_dict', s); save_file({k: "
    "v.detach().clone().contiguous() for k, v in s.items() if torch.is_tensor(v)}, "
    "'model.safetensors', {'format': 'pt'})\""
)


@dataclass(frozen=True)
class Foreign:
    """One form: patterns of file names in lower case, what it is, why it is refused, what to do."""

    patterns: str
    what: str
    why: str
    how: str


# The first row with a pattern that fits a name is its own.
FOREIGN: tuple[Foreign, ...] = (
    Foreign(
        "pytorch_model*.bin",
        "PyTorch weights in a pickle",
        PICKLE,
        "convert with PyTorch ≥ 2.6, which refuses code, and the class that config.json names: "
        f"{_AUTO}{_SAVE}, or let huggingface.co/spaces/safetensors/convert do it",
    ),
    Foreign(
        "adapter_model*.bin",
        "a PEFT adapter in a pickle",
        PICKLE,
        "convert with PyTorch: " + _TORCH.replace("model.safetensors", "adapter_model.safetensors"),
    ),
    Foreign(
        "consolidated*.pth",
        "Meta's weights in pickles",
        PICKLE,
        "convert all parts at once with transformers 4 (pip install 'transformers<5'): python -m "
        "transformers.models.llama.convert_llama_weights_to_hf --input_dir FOLDER --model_size 8B "
        "--llama_version 3 --output_dir NEW_FOLDER, or check the safetensors beside them",
    ),
    Foreign(
        "openvino_*.bin *openvino*.xml",
        "an OpenVINO export",
        COMPILED,
        ONE_WAY,
    ),
    Foreign(
        "ggml-*.bin *.ggml *.ggmf *.ggjt *ggmlv3*.bin",
        "a ggml file from before GGUF",
        "its format changed with every version of its program",
        "convert it to GGUF: python convert_llama_ggml_to_gguf.py --input FILE --output "
        "model.gguf, which is part of llama.cpp; or check the safetensors it was made from",
    ),
    Foreign(
        "weight.bin *.mlmodel *.mlmodelc *.mlpackage coremldata.bin",
        "a Core ML export",
        COMPILED,
        ONE_WAY,
    ),
    Foreign(
        "*.bin *.pt *.pth *.ckpt *.pth.tar *.pt2",
        "a PyTorch file, which is a pickle",
        PICKLE,
        f"convert it with PyTorch, which refuses code when it is told weights_only: {_TORCH}",
    ),
    Foreign(
        "*.pkl *.pickle *.joblib *.dill",
        "a pickle",
        PICKLE,
        "write its arrays with safetensors where you trust it: safetensors.numpy.save_file(arrays, "
        "'model.safetensors'), arrays being a dict of names and numpy arrays",
    ),
    Foreign(
        "*.distcp",
        "a distributed PyTorch checkpoint, which holds pickles",
        PICKLE,
        "gather it: python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER "
        f"model.pt; then: {_TORCH.replace('FILE', 'model.pt')}",
    ),
    Foreign(
        "*.nemo",
        "a NeMo archive, which holds pickles",
        PICKLE,
        "export it to Hugging Face's format with NeMo, where you trust it",
    ),
    Foreign(
        "tf_model*.h5",
        "TensorFlow weights of transformers",
        "HDF5 is a file system of its own, with links and filters",
        "convert with transformers 4 and TensorFlow (pip install 'transformers<5' tensorflow): "
        f"{_AUTO}, from_tf=True{_SAVE}",
    ),
    Foreign(
        "flax_model*.msgpack *.msgpack",
        "Flax weights of transformers",
        "they are one structure that has to be taken into memory whole",
        "convert with transformers 4 and Flax (pip install 'transformers<5' flax): "
        f"{_AUTO}, from_flax=True{_SAVE}",
    ),
    Foreign(
        "*.h5 *.hdf5 *.keras",
        "a Keras model",
        "it may hold code, and HDF5 is a file system of its own",
        'convert with Keras: python -c "import keras, numpy; from safetensors.numpy import '
        "save_file; m = keras.saving.load_model('FILE', safe_mode=True); save_file({w.path: "
        "numpy.asarray(w) for w in m.weights}, 'model.safetensors')\"",
    ),
    Foreign("*.onnx *.onnx_data *.onnx.data *.ort", "an ONNX export", COMPILED, ONE_WAY),
    Foreign(
        "*.pb *.tflite *.data-*-of-* *.litertlm *.task",
        "a TensorFlow graph or its variables",
        "its weights are named for a graph, and what the graph makes of them is not known",
        "check the safetensors that it was made from, or write its variables with "
        "safetensors.tensorflow.save_file",
    ),
    Foreign("*.engine *.plan *.trt", "a TensorRT engine", COMPILED, ONE_WAY),
    Foreign(
        "*.npz *.npy",
        "numpy arrays, as MLX once kept weights",
        "they may hold pickled objects, which run code",
        'convert with numpy, which refuses objects: python -c "import numpy; from '
        "safetensors.numpy import save_file; save_file(dict(numpy.load('FILE', "
        "allow_pickle=False)), 'model.safetensors')\"",
    ),
    Foreign(
        "*.ot",
        "weights for Rust",
        "they are in an archive of PyTorch's own, which holds pickles",
        "check the safetensors or PyTorch weights that they were made from",
    ),
    Foreign(
        "*.pdparams *.pdiparams",
        "PaddlePaddle weights in a pickle",
        PICKLE,
        "load it with Paddle where you trust it, and write its arrays with "
        "safetensors.numpy.save_file(arrays, 'model.safetensors')",
    ),
    Foreign(
        "*.zip *.tar *.tar.* *.tgz *.7z *.rar",
        "an archive",
        "fpcheck unpacks nothing: an archive may be endless, or leave its folder",
        "unpack it, and check the folder; release weights as they are",
    ),
)


def foreign(name: str) -> Foreign | None:
    """The form of a weight file that is not read, by its name; None for any other file."""
    base = name.rpartition("/")[2].lower()
    if base in HARMLESS:
        return None
    return next((row for row in FOREIGN if _fits(base, row.patterns.split())), None)


def refused(names: Iterable[str]) -> tuple[str, Foreign] | None:
    """The file to name and its form, of what is there; of several, the row that stands first."""
    found = [(name, row) for name in names if (row := foreign(name))]
    return min(found, key=lambda item: FOREIGN.index(item[1]), default=None)


def _fits(base: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(base, pattern) for pattern in patterns)
