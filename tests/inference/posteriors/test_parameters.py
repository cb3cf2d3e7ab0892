"""Mass and coupling from counts and event masses."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm, poisson

import bsmfit
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.inference.posteriors.parameters import (
    EventMasses,
    ParameterLikelihood,
    expected_counts,
    profile_parameters,
    sample_parameters,
)

MUONS, ELECTRONS = "na62-dump-mumu", "na62-dump-ee"
POINT = {"mass": 0.3, "coupling": 6e-7}


@pytest.fixture(scope="module")
def photon():
    return bsmfit.load_model("dark-photon")


@pytest.fixture(scope="module")
def searches():
    return [bsmfit.load_channel(MUONS), bsmfit.load_channel(ELECTRONS)]


@pytest.fixture(scope="module")
def expected(photon, searches):
    return expected_counts(photon, searches, **POINT)


@pytest.fixture(scope="module")
def likelihood(photon, searches):
    masses = jnp.array([0.299, 0.3005, 0.302])
    spectrum = EventMasses(masses, jnp.array(0.001), 0.2, 1.0)
    return ParameterLikelihood.of(
        photon, searches, counts={MUONS: 3, ELECTRONS: 2}, spectra={MUONS: spectrum}
    )


def at(likelihood, mass, coupling, theta):
    return eqx.filter_jit(likelihood)(jnp.asarray(mass), jnp.asarray(coupling), theta)


def test_expected_counts_are_those_of_the_map(photon, searches, expected):
    point = bsmfit.ExclusionPoint.from_model(photon, [searches[0]])
    log_signal = point.log_signal(jnp.array(0.3), jnp.array(6e-7))
    total = float(jnp.exp(jax.nn.logsumexp(log_signal)))
    assert expected[MUONS][0] == pytest.approx(total, rel=1e-10)
    assert expected[MUONS][1] == pytest.approx(0.016)


def test_likelihood_is_poisson_times_densities(likelihood, expected):
    # with the nuisances at 0, from scipy: counts, and one density for every event
    zero = jnp.zeros(len(likelihood.nuisance_names))
    ours = float(at(likelihood, **POINT, theta=zero))
    (s, b), (s2, b2) = expected[MUONS], expected[ELECTRONS]
    masses = np.asarray(likelihood.spectra[0].masses)
    share = (s * norm.pdf(masses, 0.3, 0.001) + b / 0.8) / (s + b)
    known = poisson.logpmf(3, s + b) + np.log(share).sum() + np.log(6.0)
    known += poisson.logpmf(2, s2 + b2) + np.log(2.0)
    assert ours == pytest.approx(known, rel=1e-9)


def test_a_shared_nuisance_moves_both_signals(likelihood, expected):
    names = list(likelihood.nuisance_names)
    theta = np.zeros(len(names))
    theta[names.index("na62_dump_pot")] = 1.0
    ours = float(at(likelihood, **POINT, theta=jnp.asarray(theta)))
    ours -= float(at(likelihood, **POINT, theta=jnp.zeros(len(names))))
    (s, b), (s2, b2) = expected[MUONS], expected[ELECTRONS]
    masses = np.asarray(likelihood.spectra[0].masses)
    peak = norm.pdf(masses, 0.3, 0.001)
    known = -0.5 - 0.2 * (s + s2) + 2 * np.log((1.2 * s2 + b2) / (s2 + b2))
    known += np.log((1.2 * s * peak + b / 0.8) / (s * peak + b / 0.8)).sum()
    assert ours == pytest.approx(known, rel=1e-8)


@pytest.mark.slow
def test_profile_is_the_maximum_over_nuisances(likelihood):
    masses, couplings = jnp.array([0.3, 0.3008]), jnp.array([3e-7, 6e-7])
    profile = np.asarray(profile_parameters(likelihood, masses, couplings))
    assert np.all(np.isfinite(profile))
    n = len(likelihood.nuisance_names)
    key = jax.random.key(3)
    random = 0.5 * jax.random.normal(key, (200, n))
    several = jax.jit(jax.vmap(likelihood, in_axes=(None, None, 0)))
    for i, mass in enumerate(masses):
        for j, coupling in enumerate(couplings):
            assert profile[i, j] >= float(several(mass, coupling, random).max())


@pytest.mark.slow
def test_gradients_are_those_of_differences(likelihood):
    zero = jnp.zeros(len(likelihood.nuisance_names))

    def of(logs):
        return likelihood(jnp.exp(logs[0]), jnp.exp(logs[1]), zero)

    logs = jnp.log(jnp.array([0.3002, 6e-7]))
    both = jax.jit(jax.value_and_grad(of))
    _, gradient = both(logs)
    for index, step in ((0, 1e-6), (1, 1e-4)):
        move = jnp.zeros(2).at[index].set(step)
        difference = (both(logs + move)[0] - both(logs - move)[0]) / (2 * step)
        assert float(gradient[index]) == pytest.approx(float(difference), rel=1e-4)


def test_bad_data_are_refused(photon, searches):
    of = ParameterLikelihood.of
    with pytest.raises(UnknownNameError, match=f"did you mean '{ELECTRONS}'"):
        of(photon, searches, counts={MUONS: 1, "na62-dump-e": 1})
    with pytest.raises(InputError, match="counts lacks the region"):
        of(photon, searches, counts={MUONS: 1})
    with pytest.raises(InputError, match="counts"):
        of(photon, searches, counts={MUONS: -1, ELECTRONS: 1})
    spectrum = EventMasses(jnp.array([0.3]), jnp.array(0.001), 0.2, 1.0)
    with pytest.raises(InputError, match="1 event masses for a count of 2"):
        of(
            photon,
            searches,
            counts={MUONS: 2, ELECTRONS: 1},
            spectra={MUONS: spectrum},
        )


def test_a_start_outside_the_prior_is_refused(likelihood):
    with pytest.raises(InputError, match="start of the coupling"):
        sample_parameters(
            likelihood,
            mass=(0.28, 0.32),
            coupling=(1e-7, 1e-6),
            start=(0.3, 2e-6),
            key=jax.random.key(1),
        )
