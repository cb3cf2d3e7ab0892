"""Impacts of one count are closed forms, correlated nuisances included."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from bsmfit.errors import UnknownNameError
from bsmfit.inference.fits.impacts import nuisance_impacts
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import Gamma, LogNormal


@pytest.fixture(scope="module")
def impacts():
    region = Region(
        "a",
        60,
        signal=[Term("s", 4.0)],
        background=[
            Term("a", 10.0, [LogNormal("a", 1.2)]),
            Term("b", 20.0, [LogNormal("b", 1.1)]),
            Term("c", 5.0, [Gamma("c", 0.2)]),
        ],
    )
    arrays = Likelihood.from_regions([region], {("a", "b"): 0.5}).arrays()
    return jax.jit(nuisance_impacts)(arrays)


def test_one_count_neither_pulls_nor_constrains(impacts):
    np.testing.assert_allclose(impacts.strength, 25.0 / 4.0, rtol=1e-9)
    assert impacts.nuisances.is_converged.all()
    np.testing.assert_allclose(impacts.nuisances.pull, 0.0, atol=1e-9)
    np.testing.assert_allclose(impacts.nuisances.constraint, 1.0, rtol=1e-9)


def test_impact_of_a_nuisance_is_the_background_it_moves(impacts):
    up, down = impacts["c"].impact_up, impacts["c"].impact_down
    np.testing.assert_allclose(up, -5.0 * (np.exp(0.2) - 1) / 4, rtol=1e-8)
    np.testing.assert_allclose(down, -5.0 * (np.exp(-0.2) - 1) / 4, rtol=1e-8)


def test_correlated_nuisances_move_together(impacts):
    # the other one follows to its conditional mean, half a standard deviation
    moved = 10.0 * (1.2 - 1.0) + 20.0 * (1.1**0.5 - 1.0)
    np.testing.assert_allclose(impacts["a"].impact_up, -moved / 4.0, rtol=1e-8)


def test_impacts_are_a_mapping_that_names_what_exists(impacts):
    assert list(impacts) == ["a", "b", "c"]
    with pytest.raises(UnknownNameError, match="nuisance 'd'"):
        impacts["d"]
