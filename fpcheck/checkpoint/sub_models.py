"""Releases whose models are in sub-folders, as their tables say: each has to be checked by itself.

diffusers' `model_index.json` names the models of a pipeline, sentence-transformers' `modules.json`
the steps from a text to its embedding: the first is the model, later ones may be small heads.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable
from typing import Any

from fpcheck.checkpoint.pointers import refuse_pointer
from fpcheck.checkpoint.strays import stray_weights
from fpcheck.checkpoint.strict_json import HINT, REFUSALS, STRICT, refusal
from fpcheck.checkpoint.weight_sets import listed
from fpcheck.errors import CheckError, FormatError
from fpcheck.source import Source, read_small

PIPELINE = "model_index.json"
MODULES = "modules.json"
MAX_FOLDERS = 8  # that a message names
MAX_BYTES = 1_000_000
MAX_MODULES = 1_000
# The classes of modules that are small heads on a model, whoever wrote them.
HEADS = frozenset(
    {"BoW", "CNN", "Dense", "Dropout", "LSTM", "LayerNorm", "Normalize", "Pooling"}
    | {"SpladePooling", "WeightedLayerPooling", "WordWeights"}
)


def refuse_pipeline(source: Source) -> None:
    """A pipeline is several models, and each may descend from another one. Raises CheckError."""
    weights = stray_weights(source.files(), ()) if PIPELINE in source.files() else ()
    folders = dict.fromkeys(name.rpartition("/")[0] for name in weights if "/" in name)
    if folders:
        raise _to_check(source, f"{PIPELINE}: a pipeline of several models", folders)


def refuse_modules(source: Source, *, heads: bool) -> None:
    """Raise CheckError where modules.json has the model loaded from a sub-folder.

    Small heads may be there beside a model at the top; `heads` is whether even these are refused.
    """
    weights = stray_weights(source.files(), ()) if MODULES in source.files() else ()
    if not any("/" in name for name in weights):
        return
    folders = {
        folder: None
        for folder, is_head in _folders(source)
        if (heads or not is_head) and any(name.startswith(folder + "/") for name in weights)
    }
    if folders:
        what = f"{MODULES}: sentence-transformers loads the model from a sub-folder"
        raise _to_check(source, what, folders)


def _folders(source: Source) -> list[tuple[str, bool]]:
    """The sub-folders that modules are loaded from, and whether each is that of a mere head."""
    modules = _modules(source)
    found = []
    for place, module in enumerate(modules):
        path = module.get("path") if isinstance(module, dict) else None
        kind = module.get("type") if isinstance(module, dict) else None
        if not isinstance(path, str) or not isinstance(kind, str):
            raise _wrong(f"entry {place}: expected an object with a path and a type, both texts")
        folder = posixpath.normpath(path or ".")
        if folder.startswith(("/", "..")) or set(path) & set("\\:\0"):
            raise _wrong(f"entry {place}: path: {path[:80]!r} is no folder of the checkpoint")
        found.append((folder, place > 0 and kind.rpartition(".")[2] in HEADS))
    return [item for item in found if item[0] != "."]


def _modules(source: Source) -> list[Any]:
    refuse_pointer(source, MODULES)
    try:
        found = STRICT.decode(read_small(source, MODULES, MAX_BYTES).decode())
    except REFUSALS as error:
        raise refusal(error, MODULES) from error
    if not isinstance(found, list) or len(found) > MAX_MODULES:
        raise _wrong(f"expected a list of at most {MAX_MODULES:,} modules")
    return found


def _wrong(message: str) -> FormatError:
    return FormatError(f"{MODULES}: {message}", hint=HINT)


def _to_check(source: Source, what: str, folders: Iterable[str]) -> CheckError:
    names = list(folders)
    first = shlex.quote(f"{source.origin.name}/{names[0]}")
    fetch = "download it, and " if source.origin.commit else ""
    return CheckError(
        f"{what}: {listed(names, MAX_FOLDERS)}",
        hint=f"{fetch}check each one of them: fpcheck check {first}",
    )
