"""Adapters whose merged matrices PEFT has computed: what `record_merges` runs and tests compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.adapters.samples import (
    ATTENTION,
    PREFIX,
    Tensors,
    a_gpt2,
    a_llama,
    factors,
    modules_of,
    write_adapter,
    write_base,
)


@dataclass(frozen=True)
class Case:
    """A base, the modules that are adapted and their ranks, settings, and whole tensors."""

    base: Callable[[], Tensors] = a_llama
    ends: tuple[str, ...] = ATTENTION
    ranks: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    whole: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()

    def write(self, folder: Path) -> tuple[Path, Path]:
        """The folders of the base and the adapter."""
        base = self.base()
        modules = modules_of(base, *self.ends)
        if self.layers:
            modules = {m: r for m, r in modules.items() if int(m.split(".")[2]) in self.layers}
        modules |= {m: r for m in modules for end, r in self.ranks.items() if m.endswith(end)}
        tensors = factors(
            base,
            modules,
            turned=self.base is a_gpt2,
            dora=bool(self.settings.get("use_dora")),
        )
        for name in self.whole:
            tensors[PREFIX + name] = np.flip(base[name]).copy() * np.float32(1.5)
        settings = {"target_modules": list(self.ends), **self.settings}
        return write_base(folder / "base", base), write_adapter(
            folder / "adapter", tensors, **settings
        )


CASES: Mapping[str, Case] = {
    "LoRA": Case(),
    "LoRA on square matrices alone": Case(ends=("q_proj", "o_proj")),
    "rank-stabilised LoRA": Case(settings={"use_rslora": True}),
    "DoRA": Case(settings={"use_dora": True}),
    "rank-stabilised DoRA": Case(settings={"use_dora": True, "use_rslora": True}),
    "ranks and alphas by module": Case(
        ranks={"q_proj": 2, "model.layers.2.self_attn.v_proj": 6},
        settings={
            "rank_pattern": {"q_proj": 2, "^model.layers.2.self_attn.v_proj": 6},
            "alpha_pattern": {"k_proj": 3.5, "layers.1.self_attn.o_proj": 20},
        },
    ),
    "GPT-2's matrices, inputs first": Case(
        base=a_gpt2, ends=("c_attn", "c_proj"), settings={"fan_in_fan_out": True}
    ),
    "GPT-2's square matrices, whatever the adapter says": Case(
        base=a_gpt2, ends=("attn.c_proj",), settings={"fan_in_fan_out": False}
    ),
    "some layers": Case(layers=(1, 3), settings={"layers_to_transform": [1, 3]}),
    "matrices saved whole": Case(
        ends=("q_proj",),
        settings={"modules_to_save": ["v_proj", "lm_head"]},
        whole=(
            "lm_head.weight",
            *(f"model.layers.{layer}.self_attn.v_proj.weight" for layer in range(4)),
        ),
    ),
}
