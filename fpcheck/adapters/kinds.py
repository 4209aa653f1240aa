"""Which adapters can be merged: what else PEFT knows is refused, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fpcheck.checkpoint.adapter_config import ADAPTER_CONFIG, MERGE, shown
from fpcheck.errors import CheckError

# Settings that change what is merged, unless they are empty, and what each does.
UNKNOWN_MERGE: Mapping[str, str] = {
    "alora_invocation_tokens": "the adapter is active for some tokens only, and cannot be merged",
    "arrow_config": "it chooses among several adapters, token by token",
    "kasa_config": "it changes the base's weights first",
    "layer_replication": "it builds another model of the base's layers",
    "lora_bias": "it adds to biases, too",
    "monteclora_config": "it draws the adapter at random",
    "target_parameters": "it adapts parameters that are not matrices of a module",
    "trainable_token_indices": "it replaces single rows of the embedding",
    "use_bdlora": "its factors are made of blocks",
    "use_qalora": "its factors are pooled over groups",
}
# How factors were drawn at first; other ways change the base's own weights, on loading too.
DRAWN = (True, False, None, "gaussian", "eva", "orthogonal", "mica", "lora_ga")
# Settings that are followed, or that change nothing of what is merged.
KNOWN = (
    "alpha_pattern auto_mapping base_model_name_or_path bias corda_config ensure_weight_tying "
    "eva_config exclude_modules fan_in_fan_out inference_mode init_lora_weights layers_pattern "
    "layers_to_transform loftq_config lora_alpha lora_dropout lora_ga_config megatron_config "
    "megatron_core modules_to_save peft_type peft_version qalora_group_size r rank_pattern "
    "revision runtime_config target_modules task_type use_dora use_rslora velora_config"
)
MAX_NAMED = 5  # unknown settings that are told


def refuse_unknown_merges(config: Mapping[str, Any]) -> None:
    """Raise CheckError for a LoRA whose merging is not known here."""
    for key, reason in UNKNOWN_MERGE.items():
        if config.get(key):
            raise CheckError(f"{ADAPTER_CONFIG}: {key}: not merged here: {reason}", hint=MERGE)
    drawn = config.get("init_lora_weights", True)
    if not any(drawn is own or (isinstance(drawn, str) and drawn == own) for own in DRAWN):
        raise CheckError(
            f"{ADAPTER_CONFIG}: init_lora_weights: {shown(drawn)} has PEFT change the base's "
            "weights when it loads the adapter",
            hint="save it with path_initial_model_for_weight_conversion; or " + MERGE,
        )


def unfollowed(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Settings that say what is merged in a way that is not followed, in words."""
    unknown = [key for key, value in config.items() if value and key not in KNOWN.split()]
    found = [f"{shown(key)}: not known to this version: ignored" for key in unknown[:MAX_NAMED]]
    return tuple(f"{ADAPTER_CONFIG}: {text}" for text in found)
