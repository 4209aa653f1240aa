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
MAX_SHOWN = 120  # characters of a value in a message
MERGE = (
    "merge it with PEFT, and check the merged model: "
    "AutoPeftModelForCausalLM.from_pretrained('FOLDER').merge_and_unload()"
    ".save_pretrained('NEW_FOLDER')"
)
# Kinds of adapters that leave every weight as it is.
NO_WEIGHTS = frozenset(
    {"PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "ADAPTION_PROMPT"}
    | {"CPT", "CARTRIDGE"}
)


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


def shown(value: Any) -> str:
    """A value for a message."""
    return repr(value[:MAX_SHOWN]) if isinstance(value, str) else repr(value)[:MAX_SHOWN]


def refuse_other_kinds(config: Mapping[str, Any]) -> None:
    """Raise CheckError for an adapter that is no LoRA: with its base it cannot be merged either."""
    kind = config.get("peft_type")
    if isinstance(kind, str) and kind in NO_WEIGHTS:
        raise CheckError(
            f"{ADAPTER_CONFIG}: peft_type: {kind} adds tokens and changes no weight of its base",
            hint="check the base itself: its weights are what is released with this adapter",
        )
    if kind != "LORA":
        raise CheckError(
            f"{ADAPTER_CONFIG}: peft_type: {shown(kind)} is not one that fpcheck can merge; that "
            "is LORA alone",
            hint=MERGE,
        )


def refuse_alone(source: Source) -> NoReturn:
    """Raise CheckError: an adapter without its base has no attention matrices."""
    config = read_adapter_config(source)
    refuse_other_kinds(config)
    base = base_name(config)
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
