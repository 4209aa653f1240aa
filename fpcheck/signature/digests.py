"""PROVISIONAL: to be replaced by the streaming engine."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from fpcheck.source import read


def digests(source, files, *, progress=None):
    return tuple(
        replace(f, digest="sha256:" + hashlib.sha256(read(source, f.name, 0, f.size)).hexdigest())
        for f in files
    )
