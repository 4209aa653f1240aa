"""What a checkpoint's files say of its quantisation: `quantization_config`, or a file beside it.

transformers writes `quantization_config` into config.json. Older tools wrote a file of their own:
AutoGPTQ quantize_config.json, AutoAWQ quant_config.json, ModelOpt hf_quant_config.json. All of it
is untrusted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fpcheck.checkpoint import Checkpoint
from fpcheck.checkpoint.config import model_types, views
from fpcheck.checkpoint.pointers import refuse_pointer
from fpcheck.checkpoint.strict_json import parse_object
from fpcheck.encodings.modules import UndecodableError
from fpcheck.source import read_small

# The keys of config.json; compressed-tensors wrote the second one once.
KEYS = ("quantization_config", "compression_config")
# Files of older tools, and the method that each belongs to.
FILES = {
    "quantize_config.json": "gptq",
    "quant_config.json": "awq",
    "hf_quant_config.json": "modelopt",
}
MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class Settings:
    """Every place that says how the checkpoint is quantised, config.json first."""

    places: tuple[Mapping[str, Any], ...]

    def __bool__(self) -> bool:
        return bool(self.places)

    def stated(self, *keys: str) -> object:
        """The value that all places agree on, under any of `keys`; None when none says.

        Texts in lower case. Raises UndecodableError when two differ: choosing one would choose how
        the weights are read.
        """
        found = [_plain(place.get(key)) for place in self.places for key in keys]
        said = [value for value in found if value is not None]
        if any(type(value) is not type(said[0]) or value != said[0] for value in said):
            raise UndecodableError(
                f"the quantisation settings say different things under {keys[0]}"
            )
        return said[0] if said else None

    def text(self, *keys: str) -> str:
        """A text in lower case, "" when none says. Raises UndecodableError for anything else."""
        value = self.stated(*keys)
        if not isinstance(value, str | None):
            raise UndecodableError(f"the quantisation settings have no text under {keys[0]}")
        return value or ""

    def integer(self, *keys: str) -> int | None:
        """An integer, None when none says. Raises UndecodableError for anything else."""
        value = self.stated(*keys)
        if value is not None and type(value) is not int:
            raise UndecodableError(f"the quantisation settings have no integer under {keys[0]}")
        return value

    @property
    def method(self) -> str:
        """The name of the method in lower case, "" when none says. Raises UndecodableError."""
        return self.text("quant_method").replace("_", "-")


def settings(checkpoint: Checkpoint) -> Settings:
    """What config.json says of quantisation, and what a file beside it adds.

    Raises FormatError for a file that is not JSON.
    """
    places = [
        view[key]
        for view in views(checkpoint.config)
        for key in KEYS
        if isinstance(view.get(key), dict)
    ]
    return Settings((*places, *_beside(checkpoint, any("quant_method" in p for p in places))))


def no_method(checkpoint: Checkpoint, methods: Collection[str], *flags: str) -> str:
    """Why no loader decodes a matrix: the method is none of these. "" when one does.

    A flag, where it is true, names the method too. Without config.json there is no loader that
    would read the method in it, and nothing is asked for. Raises FormatError.
    """
    if not model_types(checkpoint.config):
        return ""
    said = settings(checkpoint)
    try:
        method = said.method
    except UndecodableError as error:
        return str(error)
    if method in methods or any(p.get(f) is True for p in said.places for f in flags):
        return ""
    named = f"is {method[:40]!r}" if method else "names no method"
    return f"it looks quantised, but quantization_config {named} by which a loader would decode it"


def weights_of_groups(place: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What one place says, as compressed-tensors does, of the weights of each group of modules."""
    groups = place.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        if isinstance(weights, dict):
            yield weights


def _beside(checkpoint: Checkpoint, named: bool) -> Iterator[Mapping[str, Any]]:
    """What the files of older tools say; their method follows from the tool unless it is named."""
    for file, method in FILES.items():
        if file in checkpoint.source.files():
            implied = {} if named else {"quant_method": method}
            yield {**implied, **_parsed(checkpoint, file)}


def _parsed(checkpoint: Checkpoint, name: str) -> Mapping[str, Any]:
    refuse_pointer(checkpoint.source, name)
    content = read_small(checkpoint.source, name, MAX_BYTES)
    return parse_object(content, name, constants=True)


def _plain(value: object) -> object:
    return value.lower() if isinstance(value, str) else value
