"""PEFT adapters: told by their files, and by what adapter_config.json says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from fpcheck.checkpoint.pointers import refuse_pointer
from fpcheck.checkpoint.strict_json import parse_object
from fpcheck.errors import CheckError, FormatError
from fpcheck.source import Source, read_small

ADAPTER_CONFIG = "adapter_config.json"
MAX_BYTES = 1_000_000
MAX_SHOWN = 120  # characters of a base's name in a message


def read_adapter_config(source: Source) -> Mapping[str, Any]:
    """The parsed adapter_config.json. Raises FormatError when there is none, or a bad one."""
    if ADAPTER_CONFIG not in source.files():
        raise FormatError(
            f"no {ADAPTER_CONFIG} beside the adapter's weights: how they are merged is not known",
            hint="name the folder that holds both; PEFT writes them together",
        )
    refuse_pointer(source, ADAPTER_CONFIG)
    return parse_object(
        read_small(source, ADAPTER_CONFIG, MAX_BYTES), ADAPTER_CONFIG, constants=True
    )


def base_name(config: Mapping[str, Any]) -> str:
    """What the adapter calls its base, quoted, for a message (untrusted text)."""
    name = config.get("base_model_name_or_path")
    return repr(name[:MAX_SHOWN]) if isinstance(name, str) and name else "a base it does not name"


def refuse_alone(source: Source) -> NoReturn:
    """Raise CheckError: an adapter without its base has no attention matrices."""
    base = base_name(read_adapter_config(source))
    raise CheckError(
        f"{source.origin}: an adapter of {base}: its own weights are no attention matrices, only "
        "what is added to those of its base",
        hint="name its base, and what both make is read: fpcheck check, fingerprint or layouts "
        "explain, with --base PATH_OR_ID",
    )


def refuse_embedded(source: Source, weights: str) -> NoReturn:
    """Raise FormatError: which weights a loader ends up with depends on what it has installed."""
    raise FormatError(
        f"{ADAPTER_CONFIG} is there beside {weights}: transformers loads these weights and adds "
        "the adapter to them where PEFT is installed, other loaders load the weights alone",
        hint="release the one or the other; or check both: the file by its name, then the folder "
        "with --base FILE",
    )
