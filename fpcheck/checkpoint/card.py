"""The model card's front matter: which bases the release itself names."""

from __future__ import annotations

from typing import Any

from fpcheck.source import Source, read

CARD = "README.md"
# Cards run to megabytes of prose; the front matter stands first and is small.
MAX_FRONT_MATTER_BYTES = 256 * 1024
MAX_BASES = 64
MAX_DEPTH = 20


def declared_bases(source: Source) -> tuple[str, ...]:
    """The ids under `base_model` of README.md, () when there are none.

    A card that cannot be understood declares nothing: fewer declarations can only make the
    verdict stricter.
    """
    if CARD not in source.files():
        return ()
    size = min(source.files()[CARD].size, MAX_FRONT_MATTER_BYTES)
    text = bytes(read(source, CARD, 0, size)).decode("utf-8", errors="replace")
    value = _front_matter(text).get("base_model")
    found = value if isinstance(value, list) else [value]
    return tuple(item for item in found[:MAX_BASES] if isinstance(item, str) and item)


def _front_matter(text: str) -> dict[str, Any]:
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].rstrip() != "---":
        return {}
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    return _safe_yaml("\n".join(lines[1:end])) if end else {}


def _safe_yaml(text: str) -> dict[str, Any]:
    """The mapping that `text` holds; {} for anything else, aliases and deep nesting included."""
    import yaml

    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > MAX_DEPTH:
                return {}
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
