"""The likelihood of the shipped data sets, written out a second time."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bsmfit.catalogue.pi_nunu import load_pi_nunu
from bsmfit.channels.pi_nunu_likelihood import UNIT, pi_nunu_likelihood
from bsmfit.errors import PrecisionError

# Talk of M. Soldani, Excited QCD 2024: backgrounds of 2018 by source, +u -d
S1 = [(0.23, 0.02, 0.02), (0.19, 0.06, 0.06), (0.10, 0.03, 0.03), (0.05, 0.02, 0.02)]
S2 = [(0.52, 0.05, 0.05), (0.45, 0.06, 0.06), (0.41, 0.10, 0.10), (0.17, 0.08, 0.08)]
UPSTREAM = [(0.54, 0.39, 0.21), (2.76, 0.90, 0.70)]
EARLY = [(0.152, 0.093, 0.035), (1.46, 0.33, 0.33)]


@pytest.fixture(scope="module")
def channel():
    return load_pi_nunu("na62-pi-nunu-run1")


def factor(events, up, down, pull):
    """At -1, 0 and 1 all interpolations agree."""
    if pull > 0.0:
        return 1.0 + up / events
    if pull < 0.0:
        return 1.0 - down / events if up != down else 1.0 / (1.0 + up / events)
    return 1.0


def log_likelihood(strength, pulls, shared):
    """Poisson terms and constraints with numpy; pulls: 2016, 2017, S1, S2."""
    signal = np.array([0.267, 2.16, 1.56 + 6.02]) / 8.4 * 1.0644**shared
    sources = [[EARLY[0]], [EARLY[1]], [*S1, UPSTREAM[0], *S2, UPSTREAM[1]]]
    background = [
        sum(
            b * factor(b, up, down, pull)
            for (b, up, down), pull in zip(group, these, strict=True)
        )
        for group, these in zip(sources, pulls, strict=True)
    ]
    rate = strength * signal + np.array(background)
    constraint = sum(stats.norm.logpdf(p) for group in pulls for p in group)
    return (
        stats.poisson.logpmf([1, 2, 17], rate).sum()
        + constraint
        + stats.norm.logpdf(shared)
    )


def test_likelihood_of_run1_is_the_one_written_out(channel):
    arrays = pi_nunu_likelihood(channel).arrays()
    order = [
        "na62_pi_nunu_2016_all",
        "na62_pi_nunu_2017_all",
        *(
            f"na62_pi_nunu_2018_{subset}_{source}"
            for subset in ("s1", "s2")
            for source in ("pi_pi0", "mu_nu", "pi_pi_e_nu", "three_pi", "upstream")
        ),
        "na62_pi_nunu_sensitivity_run1",
    ]
    assert set(order) == set(arrays.parameter_names)
    compiled = jax.jit(lambda mu, x: arrays.negative_log_likelihood(mu, x))
    differences = []
    for seed in range(4):
        pulls = np.random.default_rng(seed).integers(-1, 2, size=13).astype(float)
        pulls[0] = -1.0
        named = dict(zip(order, pulls, strict=True))
        ordered = jnp.asarray([named[name] for name in arrays.parameter_names])
        ours = float(compiled(jnp.asarray(10.0 + seed), ordered))
        groups = [pulls[:1], pulls[1:2], pulls[2:12]]
        differences.append(ours + log_likelihood(10.0 + seed, groups, pulls[12]))
    # up to one constant
    np.testing.assert_allclose(differences, differences[0], atol=1e-9)


def test_one_region_for_what_was_counted_together(channel):
    likelihood = pi_nunu_likelihood(channel)
    assert [region.name for region in likelihood.regions] == [
        "na62-pi-nunu-2016",
        "na62-pi-nunu-2017",
        "na62-pi-nunu-2018",
    ]
    last = likelihood.regions[-1]
    assert float(last.observed[0]) == 17.0
    assert [term.name for term in last.signal] == ["pi-nunu-2018_s1", "pi-nunu-2018_s2"]
    events = sum(float(term.yields[0]) for term in last.signal)
    # at the reference branching ratio 7.58 events
    assert events * 8.4e-11 / UNIT == pytest.approx(7.58, rel=1e-12)


def test_sensitivity_error_is_shared_or_each_subset_s_own(channel):
    def names(is_correlated):
        likelihood = pi_nunu_likelihood(channel, is_correlated=is_correlated)
        return [
            response.name
            for region in likelihood.regions
            for term in region.signal
            for response in term.responses
        ]

    assert names(True) == ["na62_pi_nunu_sensitivity_run1"] * 4
    assert names(False) == [
        f"na62_pi_nunu_{subset}_sensitivity"
        for subset in ("2016", "2017", "2018_s1", "2018_s2")
    ]


def test_error_of_the_prediction_takes_no_part(channel):
    other = dataclasses.replace(channel, reference_error=jnp.asarray(5e-11))
    for ours, theirs in zip(
        jax.tree.leaves(pi_nunu_likelihood(channel)),
        jax.tree.leaves(pi_nunu_likelihood(other)),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_unit_is_that_of_the_strength(channel):
    coarse = pi_nunu_likelihood(channel, unit=1e-10).regions[0].signal[0].yields
    fine = pi_nunu_likelihood(channel).regions[0].signal[0].yields
    np.testing.assert_allclose(coarse, 10.0 * fine, rtol=1e-14)


def test_float64_is_needed(channel):
    with (
        jax.enable_x64(False),
        pytest.raises(PrecisionError, match="enable_x64"),
    ):
        pi_nunu_likelihood(channel)
