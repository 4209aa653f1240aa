"""Find the input embedding of a checkpoint's text: the table with a row for each token."""

from __future__ import annotations

from fpcheck.checkpoint import Checkpoint, Tensor
from fpcheck.checkpoint.config import flag
from fpcheck.stacks import is_text
from fpcheck.towers import main_stack

# The last parts of an embedding's name; the first that is there counts among those equally near.
LEAVES: tuple[str, ...] = (
    "embed_tokens.weight",
    "wte.weight",
    "wte.embedding",  # Molmo
    "word_embeddings.weight",
    "word_embedding.weight",  # XLNet
    "tok_embeddings.weight",  # Meta, InternLM 2, ModernBERT
    "token_embd.weight",  # llama.cpp
    "embed_in.weight",  # GPT-NeoX
    "tokens_embed.weight",  # OpenAI-GPT
    "token_embeddings.weight",
    "token_embedding.weight",
    "text_tokens_embed.weight",
    "input_embedding.weight",  # CPM-Ant
    "tok_embed.weight",
    "embed.weight",
    "shared.weight",  # T5, BART
    "embeddings.weight",  # XLM, Mamba
    "embedding.weight",
    "transformer.w.weight",  # CTRL
)
# The output's table, which is the input's too where the config says that they are tied.
TIED_LEAVES: tuple[str, ...] = ("lm_head.weight", "embed_out.weight", "output.weight")
TIED = "tie_word_embeddings"

AMBIGUOUS = "it is open which is meant: "  # how what is open begins, unlike what is missing


def embedding(checkpoint: Checkpoint, width: int, stack: str | None = None) -> Tensor | str:
    """The text's input embedding, tokens × `width`; or in words why there is none.

    Of several, that whose name is the nearest to the stack's, by default the main one. Its values
    may be coded.
    """
    near = (main_stack(checkpoint.tensors) if stack is None else stack).split(".")
    found = _named(checkpoint, LEAVES, near)
    if not found and flag(checkpoint.config, TIED):
        found = _named(checkpoint, TIED_LEAVES, near)
    if not found:
        return "no tensor has the name of an embedding of tokens"
    fitting = [(shared, tensor) for shared, tensor in found if tensor.shape[1] == width]
    if len(fitting) > 1 and fitting[0][0] == fitting[1][0]:
        names = " and ".join(tensor.name for _, tensor in fitting[:2])
        return f"{AMBIGUOUS}{names} could both be the embedding of tokens"
    if fitting:
        return fitting[0][1]
    other = found[0][1]
    return f"{other.name} has {other.shape[1]:,} columns, attention takes {width:,} inputs"


def _named(
    checkpoint: Checkpoint, leaves: tuple[str, ...], near: list[str]
) -> list[tuple[int, Tensor]]:
    """The text's matrices whose names end in one of some leaves, the best first.

    Each with how many parts of its name are the stack's. What lies in the stack is none: a loader
    that looks for it above the layers would pass it over.
    """
    found = []
    inside = ".".join(near) + "."
    for name, tensor in checkpoint.tensors.items():
        place = next((at for at, x in enumerate(leaves) if f".{name}".endswith(f".{x}")), None)
        if place is None or len(tensor.shape) != 2 or not tensor.is_measurable:
            continue
        if is_text(name) and tensor.count and not (near != [""] and name.startswith(inside)):
            found.append((-_shared(near, name.split(".")), place, -tensor.count, name, tensor))
    ordered = sorted(found, key=lambda one: one[:4])
    return [(-shared, tensor) for shared, *_, tensor in ordered]


def _shared(main: list[str], name: list[str]) -> int:
    """How many parts two names have in common before they part."""
    pairs = enumerate(zip(main, name, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(main), len(name)))
