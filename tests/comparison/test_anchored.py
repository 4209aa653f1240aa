"""Anchored forms compared: correlations, what is missing, and shuffled labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpcheck.comparison.anchored import SHUFFLES, Forms, FormTable, form_table, mantel
from fpcheck.signature.arrays import FORM, QK, VO, Arrays
from fpcheck.signature.forms import order, packed
from tests.weights import correlation, picked, random_arrays, trained


def tables(one: Arrays, other: Arrays) -> FormTable:
    found = form_table(Forms(one), Forms(other))
    assert found is not None
    return found


def test_entries_of_the_table_are_correlations() -> None:
    one, other = random_arrays(1, 3), random_arrays(2, 5)

    found = tables(one, other)

    for name, table in ((QK, found.qk), (VO, found.vo)):
        assert table.shape == (3, 5)
        for i in range(3):
            for j in range(5):
                expected = correlation(one.forms[name][i], other.forms[name][j])
                assert table[i, j] == pytest.approx(expected, abs=2e-3)
    assert np.allclose(found.mean, (found.qk + found.vo) / 2)


def test_a_model_correlates_with_itself_alone() -> None:
    one = random_arrays(1, 6)
    found = tables(one, trained(one, 0.7)).mean

    assert np.diag(found) == pytest.approx(0.7, abs=0.05)
    assert np.abs(found[~np.eye(6, dtype=bool)]).max() < 0.1


def test_a_part_of_the_entries_is_a_fair_sample() -> None:
    one = random_arrays(1, 6)
    part = replace(one, forms={name: form[:, :500] for name, form in one.forms.items()})
    other = trained(one, 0.6)

    whole, cut = tables(other, one).mean, tables(other, part).mean

    assert np.diag(cut) == pytest.approx(np.diag(whole), abs=0.12)
    assert tables(part, other).qk == pytest.approx(tables(other, part).qk.T, abs=1e-6)


def test_anchors_that_one_of_them_lacks_take_no_part() -> None:
    random = np.random.default_rng(0)
    raw = random.normal(size=(64, 64))
    every, some = np.ones(64, np.bool_), np.ones(64, np.bool_)
    some[random.permutation(64)[:20]] = False

    def arrays(known: np.ndarray, entries: int) -> Arrays:
        form = packed(raw, known)[None, :entries]
        return replace(random_arrays(0, 1), forms={QK: form, VO: form}, anchors=known)

    for entries in (FORM, 1000):
        assert tables(arrays(some, FORM), arrays(every, entries)).qk[0, 0] > 0.85
    few = np.arange(64) < 31
    assert form_table(Forms(arrays(few, FORM)), Forms(arrays(every, FORM))) is None
    disjoint = np.arange(64) >= 33
    assert form_table(Forms(arrays(disjoint, FORM)), Forms(arrays(some, FORM))) is None


def test_layers_without_a_form_have_no_number() -> None:
    one, other = random_arrays(1, 4), random_arrays(1, 4)
    for name in (QK, VO):
        one.forms[name][1] = 0
    other.forms[QK][2] = 0

    found = tables(one, other)

    assert np.isnan(found.mean[1]).all()
    assert np.isnan(found.qk[:, 2]).all()
    assert found.vo[2, 2] == pytest.approx(1)
    assert np.isnan(found.mean[2, 2])  # v·o alone was not calibrated
    assert not np.isnan(found.mean[[0, 2, 3]][:, [0, 1, 3]]).any()
    assert found.measured == (3, 3)


def test_towers_without_forms_are_not_compared() -> None:
    one, other = random_arrays(1, 3), random_arrays(1, 3, forms=False)

    assert form_table(Forms(one), Forms(other)) is None
    assert form_table(Forms(other), Forms(one)) is None


def test_labels_matter_for_what_descends_and_for_nothing_else() -> None:
    one, stranger = random_arrays(1, 3), random_arrays(2, 3)
    part = replace(one, forms={name: form[:, :400] for name, form in one.forms.items()})
    other = trained(one, 0.5)

    assert mantel(other, one, 1, 1) == pytest.approx(1 / (SHUFFLES + 1))
    assert mantel(other, part, 1, 1) == pytest.approx(1 / (SHUFFLES + 1))
    assert mantel(part, other, 1, 1) == pytest.approx(1 / (SHUFFLES + 1))
    assert mantel(part, part, 1, 1) is None
    values = [mantel(one, stranger, i, j) for i in range(3) for j in range(3)]
    assert None not in values
    assert 0.1 < sum(filter(None, values)) / 9 < 0.9
    assert mantel(other, one, 1, 1) == mantel(other, one, 1, 1)


def test_a_part_is_compared_in_the_order_of_entries() -> None:
    """Shuffling nothing scores what the table says."""
    one = random_arrays(1, 1)
    square = np.empty(FORM)
    square[order()] = one.forms[QK][0]

    again = square.reshape(64, 64).reshape(-1)[order()]

    assert np.array_equal(again, one.forms[QK][0])


def test_rows_are_kept_for_the_next_reference() -> None:
    forms = Forms(random_arrays(1, 4))
    known = np.ones(64, np.bool_)

    assert forms.rows(QK, FORM, known) is forms.rows(QK, FORM, known)
    assert forms.rows(QK, 100, known)[0].shape == (4, 100)
    assert picked(forms.arrays, [0]).forms[QK].shape == (1, FORM)
