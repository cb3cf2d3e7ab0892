"""Limits of all rare decays at once, against closed forms and the one-search path."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import gamma, lognorm, norm, poisson

import bsmfit
from bsmfit.catalogue.kinds.rare_decay import rare_decay_names
from bsmfit.errors import InputError
from bsmfit.inference.limits.rare_decay_limits import rare_decay_limits

# limits with known numbers, computed independently (1e-11)
KNOWN = {
    "na62-pi-minus-mu-mu": 4.23,
    "na62-pi-minus-mu-e": 4.19,
    "na62-pi-plus-mu-minus-e-plus": 6.48,
    "na62-pi0-mu-minus-e-plus": 32.0,
    "na62-pi-minus-e-e-2017": 21.6,
    "na62-mu-minus-nu-e-e": 8.13,
}


@pytest.fixture(scope="module")
def channels():
    return [bsmfit.load_channel(name) for name in rare_decay_names()]


@pytest.fixture(scope="module")
def limits(channels):
    return rare_decay_limits(channels)


def at(limits, name):
    return limits.names.index(name)


def test_all_of_them_are_found(limits):
    assert np.all(np.asarray(limits.is_converged))
    assert np.all(np.isfinite(np.asarray(limits.observed)))
    known = [name for name in limits.names if "pi0-pi" not in name]
    rows = [at(limits, name) for name in known]
    assert np.all(np.diff(np.asarray(limits.expected)[rows], axis=1) >= 0.0)


@pytest.mark.parametrize("name", KNOWN)
def test_known_numbers_give_the_known_limits(limits, name):
    ours = 1e11 * float(limits.without_errors[at(limits, name)])
    # three digits are given, rounded
    assert ours == pytest.approx(KNOWN[name], abs=0.051 if KNOWN[name] > 10 else 0.0051)


def test_without_an_event_the_limit_is_the_logarithm_of_ten(channels, limits):
    for index, channel in enumerate(channels):
        if float(channel.signal_count().n_observed) == 0.0:
            expected = math.log(10.0) * float(channel.single_event_sensitivity)
            assert float(limits.without_errors[index]) == pytest.approx(expected)
            # whatever the background and its error are
            assert float(limits.without_sensitivity_error[index]) == pytest.approx(
                expected, rel=1e-6
            )


def averaged_limit(n, b, sensitivity, background):
    """CLs limit in events, averaged over two distributions on an even normal grid."""
    z = np.linspace(-7.0, 7.0, 201)
    weights = norm.pdf(z) * (z[1] - z[0])
    factors = [one.ppf(norm.cdf(z)) for one in (sensitivity, background)]

    def both(signal):
        rate = signal * factors[0][:, None] + b * factors[1][None, :]
        return weights @ poisson.cdf(n, rate) @ weights

    none = both(0.0)
    return brentq(lambda signal: both(signal) - 0.1 * none, 1.0, 12.0, xtol=1e-9)


def test_uncertainties_are_averaged_over(limits):
    """One event over 0.91 +- 0.41, and what another distribution would say."""
    sensitivity = lognorm(math.log1p(0.04 / 1.28))
    index = at(limits, "na62-pi-minus-mu-mu")
    expected = averaged_limit(1, 0.91, sensitivity, lognorm(math.log1p(0.41 / 0.91)))
    ours = float(limits.observed[index]) / 1.28e-11
    assert ours == pytest.approx(expected, rel=1e-5)
    # 4.31 for a gamma distribution of the background, and a known sensitivity
    shape = (0.91 / 0.41) ** 2
    wide = averaged_limit(1, 0.91, lognorm(1e-6), gamma(shape, scale=1.0 / shape))
    assert 1.28 * wide == pytest.approx(4.31, abs=0.005)
    assert ours < 1.02 * wide


def test_other_methods_know_their_closed_forms(limits):
    # no event, prior flat, sensitivity known: ln 10, as CLs
    index = at(limits, "na62-pi-minus-e-e")
    assert float(limits.bayesian[index]) == pytest.approx(math.log(10.0) * 2.30e-11)
    # Feldman and Cousins, table IV: no event over 0.5 is 1.94, over 1.0 is 1.61
    events = float(limits.feldman_cousins[index, 1]) / 2.30e-11
    assert 1.94 < events < 2.44
    low, high = limits.feldman_cousins[at(limits, "na62-pi-minus-mu-e")]
    assert float(low) == 0.0
    assert float(high) / 1.82e-11 == pytest.approx(1.57, abs=0.05)


def test_an_unknown_background_has_no_expected_limit(limits):
    index = at(limits, "na62-pi0-pi-minus-mu-e")
    assert np.all(np.isnan(np.asarray(limits.expected[index])))
    assert np.all(np.isnan(np.asarray(limits.feldman_cousins[index])))
    assert float(limits.observed[index]) == pytest.approx(2.9e-10, rel=1e-3)


def test_what_is_no_search_for_a_rare_decay_is_refused(channels):
    with pytest.raises(InputError, match="channels is empty"):
        rare_decay_limits([])
    with pytest.raises(InputError, match="61 observed events"):
        rare_decay_limits([channels[0].with_observed(61)])
    with pytest.raises(InputError, match="0\\.5"):
        rare_decay_limits(channels, cl=0.3)
