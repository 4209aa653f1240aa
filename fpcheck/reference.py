"""One known checkpoint: its signature, licence and lineage, and how the signature was obtained."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fpcheck.errors import UsageError
from fpcheck.fields import Fields, parse_document
from fpcheck.signature import Signature, arrays_file
from fpcheck.signature.file import Beside, canonical, from_json, to_json

FORMAT = "fpcheck.reference/1"
ARRAYS = ".safetensors"
FULL_DIGITS = 6  # fewer printed digits support a resemblance, never more
# owner/name as the Hub writes it. No part begins with a dot, so none of them is "..".
ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}")


class How(StrEnum):
    """How a reference's statistics were obtained."""

    COMPUTED = "computed"  # by fpcheck, from the weights
    PUBLISHED = "published"  # read from somebody's table


@dataclass(frozen=True)
class Obtained:
    """Where the numbers come from and how exact they are.

    `source` cites it; `statistic` is "std", or "rms" (equal to it where the mean is near zero);
    `digits` are the significant digits printed, None for computed ones; `complete` is False when
    layers are missing.
    """

    how: How
    source: str
    statistic: str = "std"
    digits: int | None = None
    complete: bool = True
    note: str = ""

    @property
    def full_precision(self) -> bool:
        """Whether the numbers may support more than a warning."""
        return self.complete and (self.digits is None or self.digits >= FULL_DIGITS)


@dataclass(frozen=True)
class Reference:
    """A known checkpoint. `parents` are the ids that it was derived from, where known."""

    id: str
    licence: str | None
    parents: tuple[str, ...]
    obtained: Obtained
    signature: Signature

    @property
    def path(self) -> str:
        """Its file within a library's folder."""
        return self.id + (".json" if self.obtained.how is How.COMPUTED else ".figures.json")

    @property
    def arrays_path(self) -> str:
        """The file of its arrays, beside it."""
        return self.path.removesuffix(".json") + ARRAYS


def dump(reference: Reference) -> str:
    """The reference as JSON text, the same bytes for the same value."""
    return canonical(_to_json(reference))


def arrays(reference: Reference) -> bytes | None:
    """The bytes of the file of arrays that stands beside it; None when it has none."""
    return arrays_file.dump(reference.signature.towers)


def _to_json(reference: Reference) -> dict[str, Any]:
    obtained = reference.obtained
    return {
        "format": FORMAT,
        "id": reference.id,
        "licence": reference.licence,
        "parents": list(reference.parents),
        "obtained": {
            "how": obtained.how,
            "source": obtained.source,
            "statistic": obtained.statistic,
            "digits": obtained.digits,
            "complete": obtained.complete,
            "note": obtained.note,
        },
        "signature": to_json(reference.signature, arrays(reference)),
    }


def load(content: bytes, name: str, beside: Beside | None = None) -> Reference:
    """The reference in a file's bytes; `name` is for errors. Raises UsageError.

    `beside` is called for the arrays' file where the signature names one.
    """
    fields = parse_document(content, name)
    fields.text("format", choices=(FORMAT,))
    reference = Reference(
        id=_id(fields, "id", fields.text("id")),
        licence=fields.optional_text("licence"),
        parents=tuple(_id(fields, "parents", parent) for parent in fields.texts("parents")),
        obtained=_obtained(fields.mapping("obtained")),
        signature=from_json(fields.mapping("signature"), beside),
    )
    fields.close()
    if not reference.signature.towers:
        raise UsageError(f"{name}: signature.towers: a reference needs at least one measured tower")
    if reference.id in reference.parents:
        raise UsageError(f"{name}: parents: {reference.id} cannot be its own parent")
    return reference


def _id(fields: Fields, key: str, value: str) -> str:
    if not ID.fullmatch(value) or value.endswith(".figures"):
        raise fields.fault(key, f"expected owner/name, got {value[:80]!r}")
    return value


def _obtained(fields: Fields) -> Obtained:
    digits = fields.take("digits")
    obtained = Obtained(
        how=How(fields.text("how", choices=tuple(How))),
        source=fields.text("source"),
        statistic=fields.text("statistic", choices=("std", "rms")),
        digits=None if digits is None else fields.integer("digits"),
        complete=fields.flag("complete"),
        note=fields.text("note", empty=True),
    )
    if (obtained.how is How.PUBLISHED) == (obtained.digits is None):
        raise fields.fault("digits", "a number for published figures, null for computed ones")
    fields.close()
    return obtained
