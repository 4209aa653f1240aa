"""`derive`: every derivation of the table, written as a checkpoint and checked."""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.lineage.canonical import Model, read_model, stored
from benchmarks.lineage.files import Facts, add_files, finished, replaced, save_state
from benchmarks.lineage.rows import DERIVATIONS, Derivation
from benchmarks.lineage.verify import TOLERANCE, difference, logits, sample
from benchmarks.lineage.work import side_by_side

NAMES = {torch.bfloat16: "bfloat16", torch.float32: "float32"}
ROW = {row.name: row for row in DERIVATIONS}
Job = tuple[str, str]  # a base, and the name of a derivation


def options(parser: argparse.ArgumentParser) -> None:
    """What `derive` takes."""
    parser.add_argument("out", type=Path, help="where `train` has put the bases")
    parser.add_argument("--only", help="names of derivations or ids, with commas between them")


def run(arguments: argparse.Namespace) -> int:
    """Make what is not there yet: first of the bases, then of derivatives."""
    out, failed = arguments.out, 0
    only = set(arguments.only.split(",")) if arguments.only else set()
    jobs = [job for job in every_job() if not only or only & {*job, "-".join(job)}]
    for later in (False, True):
        ready = list[Job]()
        for base, name in jobs:
            parents = ROW[name].parents_of(base)
            if any("-" in parent for parent in parents) != later:
                continue
            missing = [parent for parent in parents if not finished(out / parent)]
            if missing:
                failed += 1
                print(f"{base}-{name} waits for {', '.join(missing)}", flush=True)
            elif not finished(out / f"{base}-{name}"):
                ready.append((base, name))
        failed += side_by_side((derive, (*job, out)) for job in ready)
    return failed


def every_job() -> Iterator[Job]:
    """Each derivation of each base, in the table's order."""
    for row in DERIVATIONS:
        for base in row.bases:
            yield base, row.name


def derive(base: str, name: str, out: Path) -> str:
    """Make one derivative, and write it if it passes its check."""
    row, id_ = ROW[name], f"{base}-{name}"
    parents = [out / parent for parent in row.parents_of(base)]
    random = torch.Generator().manual_seed(zlib.crc32(id_.encode()))
    model = row.make(*map(read_model, parents), random)
    facts = lineage(model, row, id_, [parent.name for parent in parents])
    with replaced(out / id_) as partial:
        dtype, error = write_checked(partial, model, row, parents[0])
        facts |= {"dtype": dtype}
        if error is not None:
            facts |= {"logit_error": float(f"{error:.1e}"), "logit_tolerance": TOLERANCE}
        add_files(partial, model.tokenizer, facts)
    told = "" if error is None else f"  {dtype}, logits differ by {error:.0e}"
    return f"{id_:<28}{told}"


def lineage(model: Model, row: Derivation, id_: str, parents: list[str]) -> Facts:
    """Where a derivative comes from, and what it is."""
    known = {
        "id": id_,
        "parents": parents,
        "relation": row.name,
        "preserves": row.preserves,
        "expected": row.expected,
        "initialised_as": None,
        "layers": len(model.layers),
        "width": model.width,
        "tied": model.tied,
    }
    return model.lineage | known


def write_checked(
    folder: Path, model: Model, row: Derivation, parent: Path
) -> tuple[str, float | None]:
    """Write in bfloat16; in float32 if a function is to be preserved and rounding is felt."""
    error = None
    for dtype, name in NAMES.items():
        state, config = stored(model)
        state = {role: tensor.to(dtype) for role, tensor in state.items()}
        config["dtype"] = name
        if row.pack:
            state, config = row.pack(state, config)
        save_state(folder, state, config)
        if not row.preserves:
            logits(folder, sample(parent))
            return config.get("quantization_config", {}).get("fmt", name), None
        error = difference(folder, parent)
        if error < TOLERANCE:
            return name, error
    raise ValueError(f"{row.name} is to preserve what the model computes; logits differ: {error}")
