"""What is done to each matrix alone: quantisation, pruning, noise."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.lineage.canonical import Model
from benchmarks.lineage.files import Facts, State

GROUP = 32  # weights that share a scale
BLOCK = 128  # rows and columns that share one, in FP8 files
F8 = torch.float8_e4m3fn
F8_MOST = torch.finfo(F8).max

Change = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def each_matrix(change: Change) -> Callable[[Model, torch.Generator], Model]:
    """A derivation that changes every matrix of every layer."""

    def derive(model: Model, random: torch.Generator) -> Model:
        model = model.copy()
        for layer, role in model.matrices():
            layer[role] = change(layer[role], random)
        return model

    return derive


def rounded(bits: int) -> Change:
    """To integers of so many bits and back, a scale and a least value for each group."""

    def change(matrix: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        size = GROUP if matrix.shape[1] % GROUP == 0 else matrix.shape[1]
        groups = matrix.unflatten(1, (-1, size))
        least = groups.amin(-1, keepdim=True)
        scale = (groups.amax(-1, keepdim=True) - least).clamp_min(1e-8) / (2**bits - 1)
        return (((groups - least) / scale).round() * scale + least).flatten(1)

    return change


def fp8(matrix: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """To E4M3 and back, one scale a matrix."""
    scale = matrix.abs().max() / F8_MOST
    return (matrix / scale).to(F8).float() * scale


def pruned(share: float) -> Change:
    """Without so many of the weights, the smallest."""

    def change(matrix: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        return matrix.where(matrix.abs() > matrix.abs().quantile(share), 0.0)

    return change


def noisy(share: float) -> Change:
    """With normal noise of so large a part of the weights' own deviation."""

    def change(matrix: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        noise = torch.randn(matrix.shape, generator=random)
        return matrix + share * matrix.std() * noise

    return change


def stored_as_fp8(state: State, config: Facts) -> tuple[State, Facts]:
    """A checkpoint's files in E4M3 with a scale for each block, as DeepSeek's are."""
    packed: State = {}
    for name, tensor in state.items():
        if "_proj." not in name:
            packed[name] = tensor.to(torch.bfloat16)
            continue
        values, scales = blockwise(tensor)
        packed[name] = values
        packed[f"{name}_scale_inv"] = scales
    how = {
        "quant_method": "fp8",
        "fmt": "e4m3",
        "activation_scheme": "dynamic",
        "weight_block_size": [BLOCK, BLOCK],
        "modules_to_not_convert": ["lm_head"],
    }
    return packed, config | {"quantization_config": how}


def blockwise(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """E4M3 values, and what each block of them is to be multiplied with."""
    rows, columns = (-(-size // BLOCK) for size in matrix.shape)
    values = torch.empty(matrix.shape, dtype=F8)
    scales = torch.empty(rows, columns)
    for row in range(rows):
        for column in range(columns):
            place = (
                slice(row * BLOCK, (row + 1) * BLOCK),
                slice(column * BLOCK, (column + 1) * BLOCK),
            )
            scales[row, column] = matrix[place].abs().max() / F8_MOST
            values[place] = (matrix[place] / scales[row, column]).to(F8)
    return values, scales
