"""Gathering what a scheme recognises, matrix by matrix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from fpcheck.checkpoint import Tensor
from fpcheck.checkpoint.coding import Coding
from fpcheck.encodings.found import Found

TWICE = "it is stored twice: as codes, and as weights that no loader would read"


@dataclass
class Collection:
    """What was recognised so far."""

    _decoded: dict[str, Tensor] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _faults: dict[str, str] = field(default_factory=dict)

    def add(
        self, name: str, coding: Coding, shape: tuple[int, ...], others: Iterable[Tensor] = ()
    ) -> None:
        """A matrix that can be decoded; its codes are the first of what is stored."""
        codes = coding.stored[0]
        place = codes.file, codes.start, codes.stop
        self._decoded[name] = Tensor(name, coding.scheme, shape, *place, coding)
        self._used.update(tensor.name for tensor in (*coding.stored, *others))

    def refuse(
        self, codes: Tensor, fault: str, others: Iterable[Tensor] = (), name: str = ""
    ) -> None:
        """A matrix that cannot: it stays, as what nobody can take for values."""
        name = name or codes.name
        self._decoded[name] = replace(codes, name=name, dtype=f"codes in {codes.dtype}")
        self._used.update(tensor.name for tensor in (codes, *others))
        self._faults[name] = fault

    def found(self) -> Found:
        """All of it; a fault that many matrices share stands with the first of them."""
        names: dict[str, list[str]] = defaultdict(list)
        for name, fault in self._faults.items():
            names[fault].append(name)
        faults = {alike[0]: counted(fault, len(alike)) for fault, alike in names.items()}
        return Found(self._decoded, frozenset(self._used), faults)


def counted(fault: str, matrices: int) -> str:
    """A fault, and of how many more matrices it is."""
    return fault if matrices == 1 else f"{fault} (and so for {matrices - 1} more)"
