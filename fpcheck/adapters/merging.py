"""The tensors of a base with an adapter's in their places; shapes and settings must fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fpcheck.adapters.lora import ITEM, MAX_RANK, Lora
from fpcheck.adapters.names import HINT, WRAPPED, Base, Named, Parts
from fpcheck.adapters.settings import Settings
from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.checkpoint.adapter_config import ADAPTER_CONFIG, MERGE
from fpcheck.checkpoint.coding import BLOCK
from fpcheck.checkpoint.config import model_types
from fpcheck.errors import CheckError, FormatError

# Modules that PEFT saves whole, unasked, once their vocabulary has another size.
VOCABULARIES = ("embed_tokens", "lm_head", "wte", "word_embeddings", "shared")
# Architectures whose matrices are transformers' Conv1D.
CONV1D = frozenset({"gpt2", "openai-gpt", "imagegpt", "decision_transformer"})


def merge(base: Checkpoint, adapter: Named, settings: Settings) -> dict[str, Tensor]:
    """The base's tensors with every one of the adapter's in its place. Raises FormatError."""
    tensors, names = dict(base.tensors), Base(base.tensors)
    whole = [(t, _replaced(name, t, names, settings)) for name, t in adapter.whole.items()]
    pairs = [(parts, _target(parts, names, settings)) for parts in adapter.modules.values()]
    _refuse_twice((t.name, place) for t, place in whole)
    # Beside factors, PEFT saves the embedding that they are added to: the base's, or a resized one.
    alone = [(t.name, place) for t, place in whole if WRAPPED not in t.name]
    _refuse_twice([*alone, *((parts.module, target.name) for parts, target in pairs)])
    tensors.update({place: replace(tensor, name=place) for tensor, place in whole})
    square = _square_is_turned(pairs, base, settings)
    for parts, target in pairs:
        lora = _lora(parts, tensors[target.name], settings, square)
        tensors[target.name] = replace(target, dtype=lora.scheme, coding=lora)
    return tensors


def _refuse_twice(places: Iterable[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for name, place in places:
        if place in seen:
            raise _refusal(f"{name!r} and {seen[place]!r} both mean the base's {place!r}")
        seen[place] = name


def _target(parts: Parts, names: Base, settings: Settings) -> Tensor:
    """The base's matrix that a module's factors are added to."""
    if not settings.adapts(parts.module):
        raise _refusal(
            f"{parts.module!r} has factors, but is not adapted by what {ADAPTER_CONFIG} says in "
            "target_modules, layers_to_transform, exclude_modules and modules_to_save: PEFT would "
            "ignore them"
        )
    missing = {"a", "b", *(["magnitude"] if settings.dora else [])} - set(parts.found)
    if missing or ("magnitude" in parts.found) != settings.dora:
        what = f"lacks lora_{min(missing).upper()}" if missing else "has a magnitude, without DoRA"
        raise _refusal(f"{parts.module!r} {what}")
    target = names.find(parts.module + ".weight")
    if target is None:
        raise _refusal(f"{parts.module!r}: the base has no matrix {parts.module + '.weight'!r}")
    return target


def _replaced(name: str, tensor: Tensor, names: Base, settings: Settings) -> str:
    """The name of the base's tensor that a whole tensor of the adapter stands for."""
    module, _, tail = name.rpartition(".")
    vocabulary = module.rpartition(".")[2] in VOCABULARIES
    if not (
        vocabulary or settings.replaces(module) or (tail == "bias" and settings.bias != "none")
    ):
        raise _refusal(
            f"{tensor.name!r} is no part of a LoRA, and {ADAPTER_CONFIG} does not name it in "
            "modules_to_save or bias"
        )
    target = names.find(name)
    if target is None:
        if any(part.isdecimal() for part in name.split(".")):
            raise _refusal(f"{tensor.name!r}: the base has no tensor {name!r}")
        return name  # a head that the base was not saved with
    same = target.shape[1:] == tensor.shape[1:] if vocabulary else target.shape == tensor.shape
    if not same:
        raise _misfit(tensor, target)
    return target.name


def _square_is_turned(
    pairs: Iterable[tuple[Parts, Tensor]], base: Checkpoint, settings: Settings
) -> bool:
    """Whether square matrices are stored inputs × outputs, as GPT-2's Conv1D are.

    PEFT goes by the class of the module, which no file names: what is not square tells, else the
    architecture, else the adapter.
    """
    found = {
        target.shape != _shape(parts)
        for parts, target in pairs
        if not parts.embedding and len(set(target.shape)) > 1
    }
    if len(found) == 1:
        return found.pop()
    types = model_types(base.config)
    return bool(types & CONV1D) if types else settings.transposed


def _shape(parts: Parts) -> tuple[int, int]:
    """Outputs and inputs, as the factors have them."""
    return parts.found["b"].shape[0], parts.found["a"].shape[-1]


def _lora(parts: Parts, target: Tensor, settings: Settings, square: bool) -> Lora:
    a, b, magnitude = parts.found["a"], parts.found["b"], parts.found.get("magnitude")
    if not target.is_measurable:
        raise CheckError(
            f"{target.name!r} of the base is stored as {target.dtype}, whose values are not known",
            hint="name the base in a precision that fpcheck reads",
        )
    _refuse_no_factors(parts, settings.rank_of(parts.module))
    shape = _shape(parts)
    turned = parts.embedding or (square if shape[0] == shape[1] else target.shape != shape)
    if target.shape != (shape[::-1] if turned else shape):
        raise _misfit(b, target, shape)
    if magnitude and magnitude.shape != shape[:1]:
        raise _misfit(magnitude, target)
    lora = Lora(target, a, b, settings.scale_of(parts.module), turned, magnitude)
    _refuse_dora_of_parts(lora)
    return lora


def _refuse_no_factors(parts: Parts, rank: int) -> None:
    """Refuse what is not two factors of that rank, in floating point."""
    for tensor in parts.found.values():
        if tensor.dtype not in ITEM:
            raise _refusal(f"{tensor.name!r} is stored as {tensor.dtype}, not in floating point")
    a, b = parts.found["a"], parts.found["b"]
    if (len(a.shape), len(b.shape)) != (2, 2) or (a.shape[0], b.shape[1]) != (rank, rank):
        raise _refusal(
            f"{a.name!r} and its lora_B have shapes {list(a.shape)} and {list(b.shape)}, which are "
            f"not factors of rank {rank}, as {ADAPTER_CONFIG} says"
        )
    if rank > MAX_RANK:
        raise _refusal(f"{a.name!r} is of rank {rank:,}, more than {MAX_RANK:,}")


def _refuse_dora_of_parts(lora: Lora) -> None:
    """Refuse DoRA where a block is less than whole rows of outputs: their lengths are not known."""
    coded = lora.base.coding is not None
    if lora.magnitude and (coded or lora.transposed or lora.base.shape[1] > BLOCK):
        why = "quantised" if coded else "stored inputs × outputs" if lora.transposed else "too wide"
        raise CheckError(
            f"{lora.a.name!r}: DoRA on a matrix that is {why} is not merged here", hint=MERGE
        )


def _misfit(tensor: Tensor, target: Tensor, shape: tuple[int, ...] = ()) -> FormatError:
    return _refusal(
        f"{tensor.name!r} is for shape {list(shape or tensor.shape)}, the base's {target.name!r} "
        f"has {list(target.shape)}"
    )


def _refusal(message: str) -> FormatError:
    return FormatError(f"the adapter does not fit the base: {message}", hint=HINT)
