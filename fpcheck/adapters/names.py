"""What the tensors of an adapter are called, and which matrices of the base they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fpcheck.checkpoint import Tensor
from fpcheck.errors import FormatError

PREFIX = "base_model.model."
WRAPPED = ".base_layer."  # stands before what an adapted module was made of
# PEFT drops the adapter's own name; other tools leave it in.
_PART = re.compile(
    r"(?P<module>.+)\.lora_(?P<part>A|B|embedding_A|embedding_B|magnitude_vector)"
    r"(?P<adapter>\.(?!weight$|bias$)[^.]+)?(?P<tail>\.weight|\.bias)?",
    re.DOTALL,
)
# Of embeddings, PEFT keeps the two factors as parameters, which have no tail.
_PARTS = {
    ("A", ".weight"): "a",
    ("B", ".weight"): "b",
    ("embedding_A", None): "a",
    ("embedding_B", None): "b",
    ("magnitude_vector", None): "magnitude",
    ("magnitude_vector", ".weight"): "magnitude",
}
_NUMBER = re.compile(r"\d+")
MAX_SEARCHES = 1_000  # names without a counterpart; each costs a look at every tensor
HINT = "save the adapter again with PEFT; or merge it with PEFT, and check the merged model"


@dataclass
class Parts:
    """The tensors of one adapted module, by what they are: a, b, magnitude."""

    module: str
    embedding: bool
    found: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Named:
    """An adapter's tensors: the parts of each adapted module, and whole tensors by base name."""

    modules: Mapping[str, Parts]
    whole: Mapping[str, Tensor]


def by_module(tensors: Iterable[Tensor]) -> Named:
    """The tensors of an adapter, sorted by what they belong to. Raises FormatError."""
    modules: dict[str, Parts] = {}
    whole: dict[str, Tensor] = {}
    for tensor in tensors:
        name = tensor.name.removeprefix(PREFIX)
        match = _PART.fullmatch(name)
        if match:
            _add(modules, match, tensor)
        elif "lora_" in name or name.removesuffix(".weight").endswith("trainable_tokens_delta"):
            raise _unknown(tensor)
        else:
            name = _without_wrapper(name)
            if name in whole:
                raise FormatError(f"{tensor.file}: {tensor.name!r}: stands twice", hint=HINT)
            whole[name] = tensor
    return Named(modules, whole)


def _add(modules: dict[str, Parts], match: re.Match[str], tensor: Tensor) -> None:
    part = _PARTS.get((match["part"], match["tail"]))
    if part is None:
        raise _unknown(tensor)
    own = modules.setdefault(
        match["module"], Parts(match["module"], match["part"].startswith("embedding"))
    )
    if part in own.found:
        raise FormatError(
            f"{tensor.file}: {tensor.name!r}: a second adapter of one module", hint=HINT
        )
    own.found[part] = tensor


def _unknown(tensor: Tensor) -> FormatError:
    return FormatError(
        f"{tensor.file}: {tensor.name!r}: not a part of a LoRA that fpcheck can merge", hint=HINT
    )


def _without_wrapper(name: str) -> str:
    """The name that a module of the base has where no adapter wraps it."""
    name = name.replace(WRAPPED, ".")
    return re.sub(r"\.modules_to_save\.(?:[^.]+\.(?=weight$|bias$))?", ".", name)


class Base:
    """The names of a base's tensors, found by what an adapter calls them.

    A base is saved with or without the prefix of the class that it was loaded into.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors
        self._prefixes: dict[tuple[str, str], None] = {}  # the adapter's, the base's; as they came
        self._searches = 0

    def find(self, name: str) -> Tensor | None:
        """The tensor of that name; else the only one whose name ends so, or that the name ends in.

        Raises FormatError when several could be meant.
        """
        for theirs, ours in (("", ""), *self._prefixes):
            known = ours + name.removeprefix(theirs) if name.startswith(theirs) else ""
            if known in self._tensors:
                return self._tensors[known]
        found = self._longer(name) or self._shorter(name)
        if found:
            short, long = sorted((name, found), key=len)
            prefix = long.removesuffix(short)
            self._prefixes[(prefix, "") if long == name else ("", prefix)] = None
        return self._tensors.get(found)

    def _longer(self, name: str) -> str:
        self._searches += 1
        if self._searches > MAX_SEARCHES:
            raise FormatError(
                f"the adapter has more than {MAX_SEARCHES:,} unknown names", hint=HINT
            )
        found = [own for own in self._tensors if own.endswith("." + name)]
        if len(found) > 1:
            raise FormatError(
                f"the adapter's {name!r} may mean {found[0]!r} or {found[1]!r} of the base",
                hint="name the base that the adapter was trained on",
            )
        return found[0] if found else ""

    def _shorter(self, name: str) -> str:
        parts = name.split(".")
        layered = _is_layered(parts)
        ends = (parts[place:] for place in range(1, len(parts)))
        kept = (".".join(end) for end in ends if _is_layered(end) or not layered)
        return next((end for end in kept if end in self._tensors), "")


def _is_layered(parts: list[str]) -> bool:
    """Whether a name has a layer's number in it: what is left of a name must not lose it."""
    return any(_NUMBER.fullmatch(part) for part in parts)
