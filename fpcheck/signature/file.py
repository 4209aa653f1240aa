"""Signatures to and from JSON, byte for byte reproducible."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from fpcheck.errors import UsageError
from fpcheck.fields import Fields, parse_document
from fpcheck.layouts import Kind, Role
from fpcheck.signature import RECIPES, Moments, Signature, TowerProfile, arrays_file
from fpcheck.source import Origin, SourceFile

FORMAT = "fpcheck.signature/1"
# A signature of a thousand layers takes about 1 MB.
MAX_BYTES = 16_000_000
MAX_COUNT = 1 << 53  # more than any tensor holds; beyond it not every reader of JSON is exact

Beside = Callable[[], bytes]  # gives the content of the file of arrays beside a JSON file


def dump(signature: Signature, arrays: bytes | None = None) -> str:
    """The signature as JSON text: sorted keys, one line a leaf list, a newline at the end.

    `arrays` are the bytes of the file that is to stand beside it.
    """
    return canonical(to_json(signature, arrays))


def digest_of(arrays: bytes) -> str:
    """How a signature names the file of its arrays."""
    return f"sha256:{hashlib.sha256(arrays).hexdigest()}"


def canonical(value: Mapping[str, Any]) -> str:
    """JSON that is the same for the same value, with lists of numbers kept on one line.

    No CI runner takes any of it for a command: no line starts with `::`, because every text stands
    in quotes, and `##[`, which occurs in texts alone, is written so that only JSON reads it so.
    """
    text = _layout(json.loads(json.dumps(value, allow_nan=False)), "") + "\n"
    return text.replace("##[", "#\\u0023[")


def _layout(value: Any, indent: str) -> str:
    deeper = indent + " "
    if isinstance(value, dict) and value:
        items = (f"{deeper}{json.dumps(k)}: {_layout(v, deeper)}" for k, v in sorted(value.items()))
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        rows = (deeper + _layout(item, deeper) for item in value)
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return json.dumps(value)


def to_json(signature: Signature, arrays: bytes | None = None) -> dict[str, Any]:
    """The signature as plain JSON values, with the digest of its arrays' file if it has one."""
    beside = {} if arrays is None else {"arrays": digest_of(arrays)}
    return beside | {
        "format": FORMAT,
        "recipe": signature.recipe,
        "origin": {"name": signature.origin.name, "commit": signature.origin.commit},
        "model_type": signature.model_type,
        "files": [{"name": f.name, "size": f.size, "digest": f.digest} for f in signature.files],
        "towers": [_tower_to_json(tower) for tower in signature.towers],
        "unmeasured": list(signature.unmeasured),
        "notes": list(signature.notes),
    }


def _tower_to_json(tower: TowerProfile) -> dict[str, Any]:
    return {
        "name": tower.name,
        "layout": tower.layout,
        "cross": tower.kind is Kind.CROSS,
        "layers": list(tower.layers),
        "roles": {role: _columns(moments) for role, moments in tower.roles.items()},
    } | ({"linear": True} if tower.kind is Kind.LINEAR else {})


def _columns(moments: tuple[Moments | None, ...]) -> dict[str, list[Any]]:
    return {
        "count": [m.count if m else None for m in moments],
        "mean": [m.mean if m else None for m in moments],
        "std": [m.std if m else None for m in moments],
    }


def load(content: bytes, name: str, beside: Beside | None = None) -> Signature:
    """The signature in a file's bytes; `name` is for errors. Raises UsageError.

    `beside` is called for the arrays' file where the signature names one.
    """
    if len(content) > MAX_BYTES:
        raise UsageError(f"{name}: {len(content):,} bytes, more than {MAX_BYTES:,}")
    return from_json(parse_document(content, name), beside)


def from_json(fields: Fields, beside: Beside | None = None) -> Signature:
    """The signature in parsed JSON. Raises UsageError naming the file and the field."""
    fields.text("format", choices=(FORMAT,))
    recipe = fields.text("recipe", choices=RECIPES)
    origin = fields.mapping("origin")
    signature = Signature(
        recipe=recipe,
        origin=Origin(origin.text("name"), origin.optional_text("commit")),
        model_type=fields.text("model_type", empty=True),
        files=tuple(_file(item) for item in fields.mappings("files")),
        towers=tuple(_tower(item) for item in fields.mappings("towers")),
        unmeasured=fields.texts("unmeasured"),
        notes=fields.texts("notes"),
    )
    wanted = fields.text("arrays") if "arrays" in set(fields.names()) else None
    origin.close()
    fields.close()
    return signature if wanted is None else _with_arrays(signature, wanted, fields, beside)


def _with_arrays(
    signature: Signature, wanted: str, fields: Fields, beside: Beside | None
) -> Signature:
    """The signature with the arrays in the file beside it, which must be of that digest."""
    if beside is None:
        raise fields.fault("arrays", "there is no file of arrays beside it")
    content = beside()
    if digest_of(content) != wanted:
        raise fields.fault("arrays", f"the file beside it has the digest {digest_of(content)}")
    return replace(signature, towers=arrays_file.load(content, signature.towers, fields.file))


def _file(fields: Fields) -> SourceFile:
    file = SourceFile(fields.text("name"), fields.integer("size"), fields.optional_text("digest"))
    fields.close()
    return file


def _tower(fields: Fields) -> TowerProfile:
    layers = fields.integers("layers")
    if not layers or list(layers) != sorted(set(layers)):
        raise fields.fault("layers", "expected layer numbers, each once, in order")
    roles = fields.mapping("roles")
    profile = TowerProfile(
        name=fields.text("name", empty=True),
        layout=fields.text("layout"),
        kind=_kind(fields),
        layers=layers,
        roles={
            _role(roles, key): _moments(roles.mapping(key), len(layers)) for key in roles.names()
        },
    )
    roles.close()
    fields.close()
    return profile


def _kind(fields: Fields) -> Kind:
    """`linear` came later than `cross`, so files of old have no such field."""
    cross = fields.flag("cross")
    if "linear" not in set(fields.names()) or not fields.flag("linear"):
        return Kind.CROSS if cross else Kind.SELF
    if cross:
        raise fields.fault("linear", "a tower is of one kind: cross or linear attention")
    return Kind.LINEAR


def _role(fields: Fields, key: str) -> Role:
    if key not in set(Role):
        raise fields.fault(key, f"not a role; roles are {', '.join(Role)}")
    return Role(key)


def _moments(fields: Fields, layers: int) -> tuple[Moments | None, ...]:
    columns = (fields.numbers(key, layers) for key in ("count", "mean", "std"))
    found = tuple(_moment(fields, *row) for row in zip(*columns, strict=True))
    fields.close()
    return found


def _moment(
    fields: Fields, count: float | None, mean: float | None, std: float | None
) -> Moments | None:
    if count is None and mean is None and std is None:
        return None
    if count is None or std is None:
        raise fields.fault("count", "a layer has a count and a std, or neither")
    if count != int(count) or not 1 <= count <= MAX_COUNT:
        raise fields.fault("count", f"expected a whole number of weights, got {count}")
    if std < 0:
        raise fields.fault("std", f"expected no negative number, got {std}")
    return Moments(int(count), None if mean is None else float(mean), float(std))
