"""Merges are told from fine-tunes, with the share of each parent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from fpcheck.comparison import ProfileIndex, match
from fpcheck.comparison.evidence import Merge
from fpcheck.comparison.merges import merge_of
from tests.signatures import a_library, a_reference, a_signature
from tests.weights import Arrays, changed_samples, picked, random_arrays, tower_of, trained

STRANGERS = {f"acme/{name}": random_arrays(n, 8) for n, name in enumerate("abcdef")}


def blend(shares: Mapping[str, float], noise: float = 0.0) -> Arrays:
    random = np.random.default_rng(5)
    first, *_ = (STRANGERS[name] for name in shares)

    def own(role: str) -> np.ndarray:
        total = sum(w * STRANGERS[n].samples[role].astype(np.float64) for n, w in shares.items())
        return (total + random.normal(0, noise * 0.05, total.shape)).astype(np.float16)

    found = {role: own(role) for role in first.samples}
    made = changed_samples(random_arrays(77, 8), np.copy)
    made.samples.update(found)  # type: ignore[attr-defined]
    return made


def merged(one: Arrays, references: Mapping[str, Arrays] = STRANGERS) -> Merge | None:
    signature = a_signature(tower_of(one, seed=50))
    library = a_library(
        *(
            a_reference(name, tower_of(own, seed=n))
            for n, (name, own) in enumerate(references.items())
        )
    )
    return merge_of(signature, match(signature, ProfileIndex(library)))


@pytest.mark.parametrize(
    "shares",
    [
        {"acme/a": 0.5, "acme/b": 0.5},
        {"acme/c": 0.7, "acme/a": 0.3},
        {"acme/d": 0.4, "acme/b": 0.35, "acme/f": 0.25},
        {"acme/a": 0.8, "acme/e": 0.2},
    ],
)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_the_parents_of_a_merge_have_their_shares(shares: dict[str, float], noise: float) -> None:
    found = merged(blend(shares, noise))

    assert found is not None
    assert {parent.id for parent in found.parents} == set(shares)
    sizes = [parent.share for parent in found.parents]
    assert sizes == sorted(sizes, reverse=True)
    for parent in found.parents:
        assert parent.share == pytest.approx(shares[parent.id], abs=0.03)
        assert parent.rho > 0.2
    assert sum(parent.share for parent in found.parents) == pytest.approx(1)
    assert found.residual < 0.05 < found.alone


def test_spherical_merges_are_merges() -> None:
    """For vectors at right angles the weights of a half each are 0.71, not 0.5."""
    found = merged(blend({"acme/a": 0.7071, "acme/b": 0.7071}))

    assert found is not None
    assert {parent.id for parent in found.parents} == {"acme/a", "acme/b"}
    assert all(parent.share == pytest.approx(0.5, abs=0.05) for parent in found.parents)


@pytest.mark.parametrize("rho", [0.41, 0.9, 0.9999])
def test_a_fine_tune_is_no_merge(rho: float) -> None:
    assert merged(trained(STRANGERS["acme/a"], rho)) is None


def test_the_weights_themselves_are_no_merge() -> None:
    assert merged(STRANGERS["acme/a"]) is None
    assert merged(random_arrays(99, 8)) is None


def test_a_fine_tune_among_siblings_is_no_merge() -> None:
    base = STRANGERS["acme/a"]
    family = {f"acme/s{n}": trained(base, 0.95, seed=n) for n in range(3)}

    assert merged(trained(base, 0.95, seed=9), {"acme/a": base, **family}) is None


def test_siblings_averaged_are_a_merge() -> None:
    base = STRANGERS["acme/a"]
    one, other = (trained(base, 0.95, seed=n) for n in (1, 2))
    mean = changed_samples(base, np.copy)
    for role in mean.samples:
        both = one.samples[role].astype(np.float64) + other.samples[role]
        mean.samples[role][:] = both / 2

    found = merged(mean, {"acme/one": one, "acme/two": other})

    assert found is not None
    assert [p.share for p in found.parents] == [pytest.approx(0.5, abs=0.02)] * 2


def test_layers_that_only_one_parent_shares_are_left_out() -> None:
    made = blend({"acme/a": 0.5, "acme/b": 0.5})
    deeper = picked(made, [*range(8), *range(2, 8)])

    found = merged(deeper)

    assert found is not None
    assert {parent.id for parent in found.parents} == {"acme/a", "acme/b"}
