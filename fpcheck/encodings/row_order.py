"""Rows of q and k that llama.cpp's conversion has reordered, and where each of the original is.

Where an architecture rotates pairs of neighbouring channels, while the original checkpoint keeps
the halves of a head apart, conversion interleaves each head's halves: row 2j + p of a GGUF head is
row p · half + j of the original.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# general.architecture of every conversion that does so, and where llama.cpp says it:
# `LlamaModel.permute` in conversion/llama.py, under `undo_permute`, or called by the class itself.
REORDERED: Mapping[str, str] = {
    "llama": "llama.py, internlm.py: InternLM3, januspro.py, sarashina2.py",
    "mistral3": "mistral3.py: Ministral3",
    "arcee": "llama.py: Arcee",
    "eagle3": "llama.py: drafts of LlamaModel",
    "llama-embed": "llama.py: LlamaEmbedNemotron",
    "smollm3": "llama.py: SmolLM3",
    "nanbeige": "nanbeige.py",
    "granite": "granite.py: GraniteModel",
    "granitemoe": "granite.py: GraniteMoe",
    "granitehybrid": "granite.py: GraniteHybrid",
    "granite_swa": "granite.py: GraniteSWA",
    "nemotron_h": "nemotron.py: NemotronH, by way of GraniteHybrid",
    "nemotron_h_moe": "nemotron.py: NemotronH, by way of GraniteHybrid",
    "arctic": "arctic.py",
    "baichuan": "baichuan.py",
    "bailingmoe": "bailingmoe.py: the first version",
    "chameleon": "chameleon.py",
    "deci": "deci.py",
    "deepseek": "deepseek.py: the first version",
    "internlm2": "internlm.py: InternLM2",
    "llada": "llada.py: LLaDA",
    "minicpm": "minicpm.py: the first versions",
    "olmo": "olmo.py: the first version",
    "xverse": "xverse.py",
}
QUERY_OR_KEY = re.compile(r"blk\.(?P<layer>\d{1,5})\.attn_(?P<role>[qk])\.weight")


def heads_of(name: str, rows: int, config: Mapping[str, Any]) -> int:
    """How many heads of a tensor have had their rows interleaved; 0 for one that is as it was."""
    found = QUERY_OR_KEY.fullmatch(name)
    if not found or config.get("model_type") not in REORDERED:
        return 0
    heads = config.get("num_attention_heads")
    if found["role"] == "k":
        heads = config.get("num_key_value_heads", heads)
    if isinstance(heads, list):
        layer = int(found["layer"])
        heads = heads[layer] if layer < len(heads) else 0
    return heads if isinstance(heads, int) and heads > 0 and rows % (2 * heads) == 0 else 0


def stored_rows(first: int, count: int, head: int) -> NDArray[np.int64]:
    """Where so many rows of the original lie, when heads are of `head` rows each."""
    rows = np.arange(first, first + count)
    place, half = rows % head, head // 2
    return rows - place + 2 * (place % half) + place // half
