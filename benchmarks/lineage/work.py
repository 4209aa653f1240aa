"""Jobs side by side in processes of one thread each."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed

import torch

MOST = 4  # processes


def one_thread() -> None:
    """Small matrices gain nothing from a second thread."""
    torch.set_num_threads(1)


def side_by_side(jobs: Iterable[tuple[Callable[..., str], tuple[object, ...]]]) -> int:
    """Do jobs in about the order given, print what each says, and count those that failed."""
    begun, failed = time.monotonic(), 0
    context = multiprocessing.get_context("spawn")
    processes = min(MOST, os.cpu_count() or 1)
    with ProcessPoolExecutor(processes, context, initializer=one_thread) as pool:
        for done in as_completed([pool.submit(work, *given) for work, given in jobs]):
            try:
                print(f"{done.result()}  ({time.monotonic() - begun:.0f} s)", flush=True)
            except Exception as error:  # of whatever kind: the others go on
                failed += 1
                print(f"FAILED: {type(error).__name__}: {error}", flush=True)
    return failed
