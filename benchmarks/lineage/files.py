"""Checkpoints as folders: written whole or not at all, and read again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
LINEAGE = "lineage.json"
TOKENIZER_CONFIG = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"}

State = dict[str, torch.Tensor]
Facts = dict[str, Any]


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path` in one step when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    if partial.is_dir():
        shutil.rmtree(partial)
    yield partial
    if path.is_dir():
        shutil.rmtree(path)
    partial.replace(path)


def finished(folder: Path) -> bool:
    """Whether a checkpoint is there."""
    return (folder / LINEAGE).exists()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """A file of JSON for people to read too."""
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def read_json(path: Path) -> Facts:
    """An object that was written as JSON."""
    content: Facts = json.loads(path.read_text("utf-8"))
    return content


def save_model(folder: Path, model: hf.PreTrainedModel, dtype: torch.dtype) -> None:
    """Write what training holds, under the names that its architecture's files have."""
    hf.utils.logging.disable_progress_bar()
    model.to("cpu", dtype).save_pretrained(folder)


def save_state(folder: Path, state: State, config: Facts) -> None:
    """Write what arithmetic holds, as save_pretrained would."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}
    save_file(stored, folder / WEIGHTS, {"format": "pt"})
    write_json(folder / CONFIG, config)


def add_files(folder: Path, tokenizer: Tokenizer, lineage: Facts) -> None:
    """Write the tokenizer, and where the checkpoint comes from."""
    write_json(folder / "tokenizer_config.json", TOKENIZER_CONFIG)
    tokenizer.save(str(folder / TOKENIZER))
    write_json(folder / LINEAGE, lineage)


def load_model(folder: Path) -> hf.PreTrainedModel:
    """A checkpoint as transformers loads it, in float32; every tensor has to be in its place."""
    hf.utils.logging.disable_progress_bar()
    packed = "quantization_config" in read_json(folder / CONFIG)
    how = {"quantization_config": hf.FineGrainedFP8Config(dequantize=True)} if packed else {}
    model, report = hf.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True, **how
    )
    wrong = {words: names for words, names in report.items() if names}
    if wrong:
        raise ValueError(f"{folder.name} does not load whole: {wrong}")
    return model.float().eval()  # what was FP8 comes as bfloat16


def load_state(folder: Path) -> State:
    """The weights of a folder in float32."""
    return {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a folder."""
    return Tokenizer.from_file(str(folder / TOKENIZER))
