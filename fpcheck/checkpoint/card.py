"""The model card's front matter: which bases the release itself names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fpcheck.source import Source, read
from fpcheck.source.hub import FORBIDDEN, REPOSITORY

if TYPE_CHECKING:
    from yaml import NodeEvent

CARD = "README.md"
# Cards run to megabytes of prose; the front matter stands first and is small.
MAX_FRONT_MATTER_BYTES = 256 * 1024
MAX_BASES = 64
MAX_DEPTH = 20

# Lines as the Hub and every editor see them: str.splitlines knows many more ends of lines, which
# could hide a declaration from those who review it.
_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?\n)---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
# The same for what PyYAML, of YAML 1.1, takes for ends of lines; to YAML 1.2 they are text.
_OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")


def declared_bases(source: Source) -> tuple[str, ...]:
    """The ids owner/name under `base_model` of README.md, () when there are none.

    A card that cannot be understood declares nothing: fewer declarations can only make the
    verdict stricter.
    """
    if CARD not in source.files():
        return ()
    size = min(source.files()[CARD].size, MAX_FRONT_MATTER_BYTES)
    text = bytes(read(source, CARD, 0, size)).decode("utf-8", errors="replace")
    matter = _FRONT_MATTER.match(text)
    found = _texts(_OTHER_BREAKS.sub(" ", matter[1]), "base_model") if matter else ()
    return tuple(item for item in found if _is_id(item))[:MAX_BASES]


def _is_id(text: str) -> bool:
    return bool(REPOSITORY.fullmatch(text)) and not FORBIDDEN.search(text)


def _texts(matter: str, key: str) -> Sequence[str]:
    """The text or the list of texts under a key; () for a card that is not so plain."""
    try:
        children = _children(matter)
    except Exception:  # PyYAML lets errors of many kinds through, and all mean the same here
        return ()
    keys = [child for child in children[0::2] if isinstance(child, str)]
    if len(set(keys)) < len(keys) or key not in keys:
        return ()
    value = children[2 * children[0::2].index(key) + 1]
    return (value,) if isinstance(value, str) else value


def _children(matter: str) -> list[str | list[str]]:
    """Keys and values of the outermost mapping in turn: a scalar's text, a list of scalars' texts.

    A mapping counts as "". Only the parser's events are looked at: no value is made, whatever its
    tag says. Raises ValueError for what is not plain, and whatever PyYAML raises.
    """
    import yaml

    found: list[str | list[str]] = []
    depth = 0
    for event in yaml.parse(matter, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.NodeEvent):
            _refuse_fancy(event, depth)
            _collect(event, depth, found)
        elif isinstance(event, yaml.DocumentStartEvent) and event.explicit:
            raise ValueError("a document of its own, or a second one")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
    return found


def _refuse_fancy(event: NodeEvent, depth: int) -> None:
    """Refuse aliases, anchors, tags, deep nesting, and anything but a mapping around it all."""
    import yaml

    plain = not event.anchor and not getattr(event, "tag", None)
    if not plain or isinstance(event, yaml.AliasEvent) or depth > MAX_DEPTH:
        raise ValueError("more than the front matter of a card needs")
    if not depth and not isinstance(event, yaml.MappingStartEvent):
        raise ValueError("no mapping")


def _collect(event: NodeEvent, depth: int, found: list[str | list[str]]) -> None:
    import yaml

    text = event.value if isinstance(event, yaml.ScalarEvent) else ""
    if depth == 1:
        found.append([] if isinstance(event, yaml.SequenceStartEvent) else text)
    elif depth == 2 and isinstance(found[-1], list):
        found[-1].append(text)
