"""Goodness of fit: closed form, chi-square and toys where chi-square holds."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy.stats import chi2

from bsmfit.errors import InputError
from bsmfit.inference.fits.goodness_of_fit import goodness_of_fit, toy_goodness_of_fit
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import Gamma, LogNormal


def arrays(counts, responses=()):
    background = [Term("b", [100.0, 80.0, 120.0], responses)]
    region = Region(
        "a", counts, signal=[Term("s", [5.0, 20.0, 5.0])], background=background
    )
    return Likelihood.from_regions([region]).arrays()


def test_statistic_of_known_background_is_the_closed_form():
    n, b = np.array([120.0, 70.0, 130.0]), np.array([100.0, 80.0, 120.0])
    result = goodness_of_fit(arrays(n), is_background_only=True)
    expected = 2 * np.sum(b - n + n * np.log(n / b))
    np.testing.assert_allclose(result.statistic, expected, rtol=1e-12)
    np.testing.assert_allclose(result.p_value, chi2.sf(expected, 3), rtol=1e-10)
    assert result.n_degrees_of_freedom == 3


def test_toys_agree_with_chi_square_at_large_counts():
    model = arrays([125.0, 92.0, 118.0], [LogNormal("norm", 1.1), Gamma("other", 0.1)])
    toys = jax.jit(lambda key: toy_goodness_of_fit(model, key, n_toy=1500))(
        jax.random.key(3)
    )
    assert toys.n_degrees_of_freedom == 2
    difference = abs(float(toys.p_value) - chi2.sf(float(toys.statistic), 2))
    assert difference < 4.0 * float(toys.p_value_error) + 0.01


def test_models_without_a_degree_of_freedom_are_refused():
    region = Region("a", 3, signal=[Term("s", 1.0)], background=[Term("b", 1.0)])
    with pytest.raises(InputError, match="is_background_only=True"):
        goodness_of_fit(Likelihood.from_regions([region]).arrays())
