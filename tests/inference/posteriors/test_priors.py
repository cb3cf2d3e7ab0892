from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.errors import InputError
from bsmfit.inference.posteriors.priors import (
    FlatStrength,
    JeffreysStrength,
    LogFlatCoupling,
)
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term


@pytest.fixture(scope="module")
def arrays():
    region = Region(
        "search",
        [1, 0],
        signal=[Term("signal", [2.0, 1.0])],
        background=[Term("background", [0.5, 0.0])],
    )
    return Likelihood.from_regions([region]).arrays()


def test_densities_are_the_formulas(arrays):
    for strength in (0.1, 3.0):
        mu = jnp.array(strength)
        assert float(FlatStrength().log_density(mu, arrays)) == 0.0
        log_flat = LogFlatCoupling(0.1, 10.0, 4.0)
        density = jnp.exp(log_flat.log_density(mu, arrays))
        np.testing.assert_allclose(density, 1.0 / strength)
        expected = np.sqrt(4.0 / (2.0 * strength + 0.5) + 1.0 / strength)
        density = jnp.exp(JeffreysStrength().log_density(mu, arrays))
        np.testing.assert_allclose(density, expected, rtol=1e-12)


def test_coordinates_are_inverted(arrays):
    strength = jnp.array([1e-3, 0.5, 20.0])
    for prior in (FlatStrength(), LogFlatCoupling(0.1, 10.0, 4.0), JeffreysStrength()):
        again = prior.strength(prior.coordinate(strength))
        np.testing.assert_allclose(again, strength, rtol=1e-14)


def test_cuts_on_the_coupling_are_cuts_on_the_strength():
    prior = LogFlatCoupling(0.1, 2.0, 4.0)
    np.testing.assert_allclose([prior.lowest, prior.highest], [1e-4, 16.0])
    assert "depends on the lower cut" in prior.description
    assert "coupling**4" in prior.description


@pytest.mark.parametrize(
    "make",
    [
        lambda: FlatStrength(0.0),
        lambda: JeffreysStrength(float("nan")),
        lambda: LogFlatCoupling(0.0, 1.0, 4.0),
        lambda: LogFlatCoupling(2.0, 1.0, 4.0),
        lambda: LogFlatCoupling(0.1, float("inf"), 4.0),
        lambda: LogFlatCoupling(0.1, 1.0, 0.0),
    ],
)
def test_an_impossible_prior_is_refused(make):
    with pytest.raises(InputError, match=r"of a prior = .* is not a number"):
        make()
