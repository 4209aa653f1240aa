"""Record what PEFT makes of the adapters in `cases`: python -m tests.adapters.record_merges

Needs peft, torch and transformers, which the tests themselves do not.
"""

from __future__ import annotations

import json
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.adapters.cases import CASES, Case

RECORDED = Path(__file__).parent / "merged_by_peft.json"


def recorded(case: Case, folder: Path) -> dict[str, float]:
    """The standard deviation of every attention matrix of the merged model."""
    base, adapter = case.write(folder)
    transformers: Any = import_module("transformers")
    peft: Any = import_module("peft")
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    merged = peft.PeftModel.from_pretrained(model, adapter).merge_and_unload()
    state = merged.state_dict()
    return {
        name: float(f"{state[name].double().numpy().std():.9g}")
        for name in sorted(state)
        if "attn" in name and state[name].ndim == 2
    }


def main() -> None:
    """Write the file that the tests read."""
    found = {}
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            found[name] = recorded(case, Path(folder))
    versions = {name: import_module(name).__version__ for name in ("peft", "torch", "transformers")}
    RECORDED.write_text(json.dumps({"versions": versions, "std": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
