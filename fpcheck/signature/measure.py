"""PROVISIONAL: to be replaced by the streaming engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fpcheck.attention import Attention
from fpcheck.checkpoint import Checkpoint
from fpcheck.errors import NonFiniteError
from fpcheck.signature import Moments, TowerProfile
from fpcheck.source import read

C = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}


def measure(
    checkpoint: Checkpoint,
    attention: Attention,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[TowerProfile, ...]:
    towers = []
    for t in attention.towers:
        roles = {}
        for place, (n, ps) in enumerate(t.layers.items()):
            for p in ps:
                raw = read(checkpoint.source, p.tensor.file, p.tensor.start, p.tensor.stop)
                if p.tensor.dtype == "BF16":
                    x = (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4").astype(float)
                else:
                    x = np.frombuffer(raw, C[p.tensor.dtype]).astype(float)
                if not np.isfinite(x).all():
                    raise NonFiniteError(
                        f"{p.tensor.file}: {p.tensor.name} has a weight that is not finite"
                    )
                x = x.reshape(p.pattern.repeats, -1)
                o = 0
                for r, length in p.pattern.sequence:
                    y = x[:, o : o + length]
                    o += length
                    roles.setdefault(r, [None] * len(t.layers))[place] = Moments(
                        y.size, float(f"{y.mean():.10g}"), float(f"{y.std():.10g}")
                    )
        towers.append(
            TowerProfile(
                t.name, t.layout, t.cross, tuple(t.layers), {r: tuple(v) for r, v in roles.items()}
            )
        )
    return tuple(towers)
