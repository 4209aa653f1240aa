"""Which files make up a GGUF model: one, or all the parts of a split one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fpcheck.checkpoint.weight_sets import listed
from fpcheck.errors import FormatError
from fpcheck.source.split import SUFFIX, first_part, parts

SAFETENSORS = (".safetensors", ".safetensors.index.json")
# GGUF files beside a model that are no model: vision projectors, and statistics for quantising.
COMPANIONS = re.compile(r"mmproj|imatrix", re.IGNORECASE)
MAX_NAMED = 8  # models, or parts, that a message names


def find_gguf(files: Iterable[str]) -> tuple[str, ...]:
    """The parts, in order, of a checkpoint's only GGUF model; () when it has other weights or none.

    Models at the top come before those in folders. Raises FormatError when there are several, or
    when parts are missing.
    """
    names = list(files)
    if any(name.endswith(SAFETENSORS) and "/" not in name for name in names):
        return ()
    found = [name for name in names if _is_model(name)]
    at_top = [name for name in found if "/" not in name]
    models = sorted({first_part(name) for name in at_top or found})
    if len(models) > 1:
        raise _several(models)
    model = tuple(part for name in models for part in parts(name))
    _refuse_missing(model, set(names))
    return model


def _is_model(name: str) -> bool:
    return name.endswith(SUFFIX) and not COMPANIONS.search(name.rpartition("/")[2])


def _several(models: list[str]) -> FormatError:
    names = listed(models, MAX_NAMED)
    return FormatError(
        f"{len(models):,} GGUF models, of which one can be checked at a time: {names}",
        hint="name the file of one of them; of a model on the Hub, download that file first",
    )


def _refuse_missing(model: tuple[str, ...], there: set[str]) -> None:
    missing = [name for name in model if name not in there]
    if missing:
        names = listed(missing, MAX_NAMED)
        raise FormatError(
            f"{len(missing)} of {len(model)} parts of a split GGUF are missing: {names}",
            hint="put all parts into one folder; an upload or download may be incomplete",
        )
