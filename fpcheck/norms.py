"""The norms around an attention block, by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fpcheck.checkpoint import Tensor
from fpcheck.layouts import HEAD_NORMS, NORMS, OWN_NORMS, Kind, Role


def norms_of(
    module: str, layer: str, kind: Kind, tensors: Mapping[str, Tensor]
) -> Iterator[tuple[Role, Tensor]]:
    """The gains of the norm that feeds attention, or follows it, and of those of each head.

    `module` is the full name of the attention's module, `layer` that of the layer it is in.
    """
    own = () if kind is Kind.CROSS else tuple(f"{layer}.{tail}" for tail in OWN_NORMS)
    feeding = (*(_filled(pattern, module) for pattern in NORMS), *own)
    wanted = {
        Role.NORM: feeding,
        **{
            role: tuple(_filled(p, module) if "{" in p else f"{layer}.{p}" for p in patterns)
            for role, patterns in HEAD_NORMS.items()
        },
    }
    for role, names in wanted.items():
        name = next((name for name in names if name in tensors), None)
        if name:
            yield role, tensors[name]


def _filled(pattern: str, module: str) -> str:
    return pattern.replace("{^}", module.rpartition(".")[0]).replace("{}", module)
