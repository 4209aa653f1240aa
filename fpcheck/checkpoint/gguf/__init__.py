"""GGUF: one file, or the parts of a split one, as a table of tensors and a config.

The format's constants are the `gguf` package's own. Its GGUFReader is not used: it maps a local
file as a whole, so that one which is cut while it is read ends the process, and nothing on the Hub
can be read; and it keeps every value of every list as objects of its own, which takes 1.4 GB for
the 262,144 words of an honest Gemma, and whatever there is for a hostile file. Here a header is
walked in pieces, and of its values only what a check needs is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fpcheck.errors import CheckError
from fpcheck.source import Source

if TYPE_CHECKING:
    from fpcheck.checkpoint.header import Tensor


@dataclass(frozen=True)
class Model:
    """The tensors of a GGUF model by name, sorted, and its metadata under config.json's keys."""

    tensors: Mapping[str, Tensor]
    config: Mapping[str, Any]


def read_gguf(source: Source, names: tuple[str, ...]) -> Model:
    """Read and check the headers of a GGUF model, whose parts are `names` in order.

    Raises FormatError for anything malformed, CheckError without the `gguf` package, SourceError
    when bytes cannot be had.
    """
    try:
        from fpcheck.checkpoint.gguf.parts import join_parts
    except ImportError as error:
        raise CheckError(
            f"{names[0]}: reading GGUF needs the package gguf: {error}",
            hint="pip install 'fpcheck[gguf]'",
        ) from error
    return join_parts(source, names)
