"""Whether long content is UTF-8, without a copy of it as text: that can take four times as much."""

from __future__ import annotations

import codecs

from fpcheck.errors import FormatError

STEP = 1 << 20  # bytes that are decoded at a time


def refuse_other_than_utf8(content: bytearray, file: str) -> None:
    """Raise FormatError for content that no reader of text takes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(content), STEP):
        try:
            decoder.decode(content[at : at + STEP], final=at + STEP >= len(content))
        except UnicodeDecodeError as error:
            raise FormatError(
                f"{file}: not UTF-8 near byte {at + error.start:,}: {error.reason}"
            ) from error
