"""Finished checks of every outcome, from real little checkpoints and hostile words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fpcheck.check import Check, check
from fpcheck.policy import Policy, ProfileThreshold, Threshold, Unmeasured
from fpcheck.policy.load import default_policy
from fpcheck.source.local import LocalSource
from tests.checkpoints import llama, write
from tests.signatures import a_library, a_reference, a_tower, random_curves

HOSTILE = (
    "</code>|\n# x <img src=x onerror=alert(1)> [a](https://evil.example) @octocat #1 "
    "`x` ##[set-output name=verdict]pass \n::error::x\x1b[31m\u202e www.evil.example"
)


def strangers() -> list:
    """References that have nothing to do with anything."""
    return [a_reference(f"s/stranger-{n}", a_tower(random_curves(n, 10))) for n in range(8)]


def run(folder: Path, library: object, policy: Policy) -> Check:
    """A check whose origin is the folder's name, so that reports do not depend on where it is."""
    with LocalSource(str(folder)) as source:
        source.origin = replace(source.origin, name=folder.name)
        return check(source, library, policy)  # type: ignore[arg-type]  # a library


def a_passing_check(tmp_path: Path) -> Check:
    """A checkpoint that resembles no reference."""
    return run(write(tmp_path / "release", llama()), a_library(*strangers()), default_policy())


def a_bare_check(tmp_path: Path) -> Check:
    """The same under a policy of the bare threshold."""
    bare = replace(default_policy(), fail=Threshold(None, ProfileThreshold(0.90)))
    return run(write(tmp_path / "release", llama()), a_library(*strangers()), bare)


def a_failing_check(tmp_path: Path) -> Check:
    """A checkpoint identical to an undeclared reference, with a declared parent."""
    first = a_passing_check(tmp_path).signature
    known = replace(a_reference("known/model", *first.towers, parents=("known/base",)))
    near = {
        role: tuple(replace(m, std=m.std * (1 + 0.01 * (n % 3))) for n, m in enumerate(ms) if m)
        for role, ms in first.towers[0].roles.items()
    }
    base = a_reference("known/base", replace(first.towers[0], roles=near, arrays=None), digits=3)
    policy = replace(default_policy(), declared=("known/base",))
    library = a_library(known, base, *strangers())
    return run(write(tmp_path / "release", llama()), library, policy)


def an_unmeasured_check(tmp_path: Path) -> Check:
    """A checkpoint without attention, under a policy that only warns of it."""
    tensors = {n: t for n, t in llama().items() if "self_attn" not in n}
    policy = replace(default_policy(), unmeasured=Unmeasured.WARN)
    return run(write(tmp_path / "release", tensors), a_library(*strangers()), policy)


def a_hostile_check(tmp_path: Path) -> Check:
    """A check in which every word that came from outside is an attack."""
    found = a_failing_check(tmp_path)
    signature = replace(
        found.signature,
        origin=replace(found.signature.origin, name=HOSTILE),
        model_type=HOSTILE,
        files=tuple(replace(f, name=HOSTILE) for f in found.signature.files),
        unmeasured=(HOSTILE,),
        notes=(HOSTILE,),
    )
    findings = tuple(replace(f, detail=HOSTILE) for f in found.verdict.findings)
    notes = tuple(replace(f, detail=HOSTILE) for f in found.verdict.notes)
    verdict = replace(found.verdict, findings=findings, notes=notes)
    policy = replace(found.policy, source=HOSTILE, declared=(HOSTILE,))
    return replace(
        found, signature=signature, verdict=verdict, policy=policy, card_bases=(HOSTILE,)
    )


CHECKS = {
    "pass": a_passing_check,
    "fail": a_failing_check,
    "unmeasured": an_unmeasured_check,
}
