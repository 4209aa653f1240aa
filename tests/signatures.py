"""Signatures and references made of plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fpcheck.layouts import Kind, Role
from fpcheck.reference import How, Obtained, Reference
from fpcheck.references import Library
from fpcheck.signature import RECIPE, Moments, Signature, TowerProfile
from fpcheck.source import Origin, SourceFile

QKVO = (Role.Q, Role.K, Role.V, Role.O)


def a_tower(
    curves: Mapping[Role, Sequence[float]], name: str = "model.layers", cross: bool = False
) -> TowerProfile:
    """A tower with these standard deviations a layer."""
    depth = len(next(iter(curves.values())))
    moments = {
        role: tuple(Moments(256, 0.0, std) for std in curve) for role, curve in curves.items()
    }
    kind = Kind.CROSS if cross else Kind.SELF
    return TowerProfile(name, "llama", kind, tuple(range(depth)), moments)


def random_curves(seed: int, depth: int = 12) -> dict[Role, list[float]]:
    """Four curves that nothing else has."""
    random = np.random.default_rng(seed)
    return {role: list(random.uniform(0.01, 0.1, depth)) for role in QKVO}


def a_signature(*towers: TowerProfile, digest: str | None = None) -> Signature:
    """A signature of these towers, of a checkpoint with one weight file."""
    files = (SourceFile("model.safetensors", 1000, digest),)
    return Signature(RECIPE, Origin("a/checkpoint"), "llama", files, towers)


def a_reference(
    identity: str,
    *towers: TowerProfile,
    parents: tuple[str, ...] = (),
    digits: int | None = None,
    complete: bool = True,
    digest: str | None = None,
) -> Reference:
    """A reference of these towers: computed, or published when it has `digits`."""
    how = How.COMPUTED if digits is None else How.PUBLISHED
    obtained = Obtained(how, "a test", digits=digits, complete=complete)
    return Reference(identity, None, parents, obtained, a_signature(*towers, digest=digest))


def a_library(*references: Reference) -> Library:
    """A library of these references."""
    return Library(tuple(sorted(references, key=lambda r: r.path)), "sha256:" + "0" * 64)
