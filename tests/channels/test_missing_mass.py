"""Likelihoods of K+ -> pi+ X: what they expect, and what they refuse."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.kinds.pi_invisible_channel import load_pi_invisible
from bsmfit.channels.missing_mass import BinnedBackground, missing_mass_likelihood
from bsmfit.errors import InputError, LowCountWarning
from bsmfit.inference.limits.upper_limit import expected_upper_limits

RUN1 = "na62-pi-invisible-run1"
STEP = 5e-4
LOW = np.concatenate([np.arange(0.0, 0.0099, STEP), np.arange(0.026, 0.0679, STEP)])
EDGES = np.stack([LOW, LOW + STEP], axis=1)
FLAT = np.full(LOW.size, 17.04 / LOW.size)


@pytest.fixture(scope="module")
def channel():
    return load_pi_invisible(RUN1)


def spectrum_likelihood(channel, mass, **changes):
    given = {
        "edges": EDGES,
        "n_observed": np.zeros(LOW.size),
        "background": {"all": BinnedBackground(FLAT)},
        "mass": mass,
    }
    return missing_mass_likelihood(channel, **(given | changes))


def test_bins_hold_the_whole_signal(channel):
    """Bins over all regions hold BR / SES events, the peak at the squared mass."""
    likelihood = spectrum_likelihood(channel, [0.2])
    (term,) = likelihood.regions[0].signal
    sensitivity = float(jnp.exp(channel.log_sensitivity(jnp.asarray(0.2))))
    assert float(term.yields.sum()) == pytest.approx(1e-11 / sensitivity, rel=1e-6)
    peak = EDGES.mean(axis=1)[int(np.argmax(term.yields[0]))]
    assert peak == pytest.approx(0.04, abs=STEP)


def test_a_spectrum_knows_what_the_count_of_the_same_information_does(channel):
    """Expected limits on a flat background: 3.54 sigma of it, without uncertainties.

    Both asymptotic; the median of a count of b is about 1.64 sqrt(b) + 1.35 events.
    """
    likelihood = spectrum_likelihood(channel, [0.2]).with_observed({RUN1: FLAT})
    # a narrow peak: few events of the whole spectrum stand behind the formulae
    with pytest.warns(LowCountWarning, match="events stand behind"):
        binned = expected_upper_limits(likelihood, cl=0.9, method="asymptotic")
    sigma = float(channel.resolution(jnp.asarray(0.2)))
    background = 2.0 * np.sqrt(np.pi) * sigma * 17.04 / 0.052
    events = 1.6449 * np.sqrt(background) + 1.6449**2 / 2.0
    sensitivity = float(jnp.exp(channel.log_sensitivity(jnp.asarray(0.2))))
    expected = events * sensitivity / 1e-11
    assert float(binned.value[0, 2]) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mass": [0.13]}, ["0.13 GeV", "0 to 0.11, 0.154 to 0.2595"]),
        ({"edges": EDGES * 1e6}, ["bins reach", "unit GeV^2?"]),
        ({"edges": LOW}, ["shape", "(n_bin, 2)"]),
        ({"decay_width": -1e-16}, ["decay_width", "0 (stable)"]),
        ({"decay_width": np.nan}, ["decay_width", "0 (stable)"]),
    ],
)
def test_bad_spectra_are_refused_in_words(channel, changes, words):
    with pytest.raises(InputError) as error:
        spectrum_likelihood(channel, **({"mass": [0.2]} | changes))
    assert all(word in str(error.value) for word in words)
