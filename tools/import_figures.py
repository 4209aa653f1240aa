"""Turn a file of published per-layer figures into references: one record a line, one file each.

    python tools/import_figures.py figures.jsonl reference_signatures

Anything that a record should not hold stops the import: nothing is guessed, nothing skipped
silently. What the figures do not say about their models stands in figure_lineage.py.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from figure_lineage import DERIVED, EXCLUDED, IDS, LICENCES, NOTES, ROOTS, SOURCES

from fpcheck.errors import FpcheckError, UsageError
from fpcheck.fields import Fields, parse_document
from fpcheck.layouts import Kind, Role
from fpcheck.reference import How, Obtained, Reference
from fpcheck.references import add_reference
from fpcheck.signature import RECIPES, Moments, Signature, TowerProfile
from fpcheck.source import Origin

PADDLE = re.compile(r"PaddleNLP/(?:[^/]+/shape_patches_)?([^/]+)")
# The roles a record has figures of: all four matrices, or the three fused and the output.
ROLES = ({Role.Q, Role.K, Role.V, Role.O}, {Role.QKV, Role.O})
MODALITIES = ("text-encoder", "text-encdec", "text-decoder")
NAMED_ROOT = ("documented", "probable")  # the other bases name the record itself
NO_MEAN = "count from the tensor shapes; mean not published"


def read(figures: Path) -> Iterator[Reference]:
    """The references that a file of figures holds, in its order."""
    seen: dict[str, str] = {}
    for number, line in enumerate(figures.read_bytes().splitlines(), 1):
        fields = parse_document(line, f"{figures}:{number}")
        published_as = fields.text("published_as")
        if published_as in EXCLUDED:
            continue
        item = _reference(fields, published_as)
        if item.id in seen:
            raise fields.fault("published_as", f"{item.id} is also the id of {seen[item.id]!r}")
        seen[item.id] = published_as
        yield item


def _reference(fields: Fields, published_as: str) -> Reference:
    identity = _identity(fields, published_as)
    fields.text("organisation")
    fields.text("modality", choices=MODALITIES)
    note, complete = NOTES[fields.text("notes", choices=tuple(NOTES), empty=True)]
    item = Reference(
        id=identity,
        licence=_licence(fields, identity),
        parents=_parents(fields, identity),
        obtained=Obtained(
            how=How.PUBLISHED,
            source=SOURCES[fields.text("source", choices=tuple(SOURCES))],
            statistic=fields.text("statistic", choices=("std", "rms")),
            digits=fields.integer("significant_digits"),
            complete=complete,
            note="; ".join(filter(None, (note, NO_MEAN))),
        ),
        signature=Signature(RECIPES[0], Origin(identity), "", (), (_tower(fields),)),
    )
    fields.close()
    return item


def _identity(fields: Fields, published_as: str) -> str:
    hub_id = fields.optional_text("hub_id_inferred")
    if published_as in IDS:
        return IDS[published_as]
    if hub_id:
        return hub_id
    if match := PADDLE.fullmatch(published_as):
        return f"PaddleNLP/{match[1]}"
    raise fields.fault("hub_id_inferred", f"no id is known for {published_as!r}")


def _parents(fields: Fields, identity: str) -> tuple[str, ...]:
    basis = fields.text("root_basis", choices=(*NAMED_ROOT, "self", "unique"))
    root = fields.text("root", choices=tuple(ROOTS) if basis in NAMED_ROOT else ())
    if identity in DERIVED:
        return (DERIVED[identity][0],)
    named = basis in NAMED_ROOT and ROOTS[root] != identity
    return (ROOTS[root],) if named else ()


def _licence(fields: Fields, identity: str) -> str | None:
    found = {
        licence
        for licence, patterns in LICENCES.items()
        if any(fnmatchcase(identity, pattern) for pattern in patterns)
    }
    if len(found) != 1:
        raise fields.fault("published_as", f"{identity} needs one row in LICENCES")
    return found.pop()


def _tower(fields: Fields) -> TowerProfile:
    layers = fields.integer("n_layers")
    shapes, values = fields.mapping("tensor_shapes"), fields.mapping("values")
    if set(values.names()) not in ROLES or set(shapes.names()) != set(values.names()):
        raise fields.fault("values", "expected q, k, v, o or qkv, o, each with its shape")
    return TowerProfile(
        name=fields.text("tower", empty=True),
        layout="published figures",
        kind=Kind.SELF,
        layers=tuple(range(layers)),
        roles={Role(key): _moments(shapes, values, key, layers) for key in values.names()},
    )


def _moments(shapes: Fields, values: Fields, key: str, layers: int) -> tuple[Moments, ...]:
    shape = shapes.integers(key)
    if len(shape) != 2 or 0 in shape:
        raise shapes.fault(key, f"expected rows and columns, got {shape}")
    stds = [std for std in values.numbers(key, layers) if std is not None and std > 0]
    if len(stds) != layers:
        raise values.fault(key, "expected positive numbers")
    return tuple(Moments(shape[0] * shape[1], None, std) for std in stds)


def main(arguments: list[str]) -> int:
    """Import the figures named on the command line into the folder named after them."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return UsageError.exit_code
    try:
        for item in list(read(Path(arguments[0]))):
            add_reference(Path(arguments[1]), item, replace=True)
    except FpcheckError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
