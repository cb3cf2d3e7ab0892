"""The dark scalar in kaon decays, and in the dump to muons, pions and kaons."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm, qmc

import bsmfit
from bsmfit.channels.combination import Combination

pytestmark = pytest.mark.slow  # three kinds in one program

CHANNELS = ("na62-pi-invisible-2016-2022", "na62-dump-mumu", "na62-dump-hadrons")
MASSES = [0.23, 0.285, 0.32]
MIXINGS = [3.4e-8, 2e-6, 1e-4]


@pytest.fixture(scope="module")
def searches():
    return [bsmfit.load_channel(name) for name in CHANNELS]


@pytest.fixture(scope="module")
def joint(searches):
    scalar = bsmfit.load_model("dark-scalar")
    return bsmfit.scan_plane(scalar, searches, mass=MASSES, coupling=MIXINGS, cl=0.9)


def test_each_search_has_its_own_part_of_the_plane(joint):
    alone = joint["cls_obs_single"].values < 0.1
    kaons, muons, hadrons = alone
    np.testing.assert_array_equal(kaons[0], [True, True, False])
    np.testing.assert_array_equal(muons[0], [False, True, True])
    assert not kaons[1:].any()
    assert not hadrons[0].any()
    assert hadrons[1, 1]
    assert not hadrons[1, 2]


def test_together_they_exclude_what_none_does_alone(joint):
    single = joint["cls_obs_single"].values[:, 1, 0]
    assert single.min() > 0.1 > float(joint["cls_obs"].values[1, 0])


def test_without_events_cls_is_the_mean_probability_of_none(joint, searches):
    """Kaons are closed at 0.285 GeV, and the dump saw nothing there."""
    scalar = bsmfit.load_model("dark-scalar")
    point = scalar(jnp.array(0.285), jnp.array(3.4e-8))
    regions = [r for r in Combination.of(scalar, searches).regions(point) if r.is_open]
    assert [float(region.observed) for region in regions] == [0.0] * len(regions)
    terms = [
        (float(jnp.exp(term.log_events)), dict_of(term.responses))
        for region in regions
        for term in region.signal
    ]
    names = sorted({name for _, responses in terms for name in responses})
    points = qmc.Sobol(len(names), rng=3).random(2**14)
    theta = dict(zip(names, norm.ppf(points).T, strict=True))
    total = sum(
        events * np.exp(sum(size * theta[name] for name, size in responses.items()))
        for events, responses in terms
    )
    found = float(joint["cls_obs"].values[1, 0])
    assert found == pytest.approx(np.exp(-total).mean(), rel=0.01)


def dict_of(responses):
    return {one.name: float(one.log_kappa) for one in responses}
