"""What every shipped model and channel promises, for all pairs of them."""

from __future__ import annotations

import dataclasses
from itertools import product

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit

PAIRS = [
    (model, preset, channel)
    for model in bsmfit.model_names()
    for preset, channel in product(
        bsmfit.preset_names(model), ("na62-dump-mumu", "na62-dump-ee")
    )
]
MASS, COUPLING = jnp.array(0.3), jnp.array(1.0e-6)


@pytest.fixture(scope="module")
def channels():
    return {name: bsmfit.load_channel(name) for name in bsmfit.channel_names()}


def test_every_channel_is_under_test():
    assert {channel for _, _, channel in PAIRS} == set(bsmfit.channel_names())


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def point(request, channels):
    model, preset, channel = request.param
    return bsmfit.ExclusionPoint.from_model(
        bsmfit.load_model(model, preset), [channels[channel]]
    )


def total(point, mass, coupling):
    return jnp.exp(jax.nn.logsumexp(point.log_signal(mass, coupling)))


def test_jit_vmap_and_grad(point):
    couplings = jnp.geomspace(1e-7, 1e-5, 4)
    mapped = jax.jit(jax.vmap(lambda e: total(point, MASS, e)))(couplings)
    single = [total(point, MASS, e) for e in couplings]
    np.testing.assert_allclose(mapped, jnp.stack(single), rtol=1e-10)
    gradient = jax.grad(lambda e: total(point, MASS, e))(COUPLING)
    assert np.isfinite(gradient)


def test_pytree_round_trip(point):
    leaves, structure = jax.tree.flatten(eqx.filter(point, eqx.is_array))
    assert all(np.isfinite(leaf).all() for leaf in leaves)
    assert jax.tree.structure(jax.tree.unflatten(structure, leaves)) == structure


def test_branching_ratios_are_shares(point):
    mediator = point.model(MASS, COUPLING)
    shares = np.array(list(mediator.branching_ratios.values()))
    assert np.all((shares >= 0) & (shares <= 1))
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)


def test_vanishing_coupling_has_no_signal(point):
    """At the long-lifetime end the events fall as the fourth power, at least."""
    low, lower = (float(total(point, MASS, jnp.array(e))) for e in (1e-9, 1e-10))
    assert low < 1e-4
    assert lower == pytest.approx(low * 1e-4, rel=1e-2)


def test_events_scale_with_exposure(point):
    doubled = tuple(
        dataclasses.replace(c, protons_on_target=2 * c.protons_on_target)
        for c in point.channels
    )
    more = dataclasses.replace(point, channels=doubled)
    ratio = total(more, MASS, COUPLING) / total(point, MASS, COUPLING)
    assert float(ratio) == pytest.approx(2.0, rel=1e-12)


def test_exclusion_is_consistent(point):
    result = point.exclusion(MASS, COUPLING)
    assert bool(result.is_converged)
    assert 0.0 <= float(result.cls_obs) <= 1.0
    excluded_by_limit = float(result.n_signal) > float(result.n_up_obs)
    assert excluded_by_limit == (float(result.cls_obs) < 0.1)
    bands = np.asarray(result.n_up_exp)
    assert np.all(np.diff(bands) > 0)


def test_two_channels_share_the_protons(channels):
    point = bsmfit.ExclusionPoint.from_model(
        bsmfit.load_model("dark-photon"), list(channels.values())
    )
    names = point.counting.nuisance_names
    assert names.count("na62_dump_pot") == 1
    assert len(names) == 5
    both = total(point, MASS, COUPLING)
    one = [
        total(bsmfit.ExclusionPoint.from_model(point.model, [channel]), MASS, COUPLING)
        for channel in channels.values()
    ]
    assert float(both) == pytest.approx(float(sum(one[1:], one[0])), rel=1e-10)


def test_scan_traces_the_chain_once(channels):
    n_traces = 0
    model = bsmfit.load_model("dark-photon")

    def counted(mass, coupling):
        nonlocal n_traces
        n_traces += 1
        return model.function(mass, coupling)

    own = bsmfit.Model(counted, name="counted", coupling="epsilon")
    channel = channels["na62-dump-mumu"]
    bsmfit.scan_plane(own, channel, mass=(0.22, 0.5, 250), coupling=(1e-7, 1e-5, 200))
    # once to find the processes, once in the compiled program
    assert n_traces == 2


def test_scan_kernel_lowers_for_a_gpu_without_one(channels):
    point = bsmfit.ExclusionPoint.from_model(
        bsmfit.load_model("dark-photon"), list(channels.values())
    )
    arrays, structure = eqx.partition(point, eqx.is_array)

    def kernel(arrays, mass, coupling):
        return eqx.combine(arrays, structure)(mass, coupling).n_up_obs

    plane = jax.vmap(jax.vmap(kernel, (None, None, 0)), (None, 0, None))
    exported = jax.export.export(jax.jit(plane), platforms=("cuda",))(
        arrays, jnp.linspace(0.25, 0.4, 4), jnp.geomspace(1e-7, 1e-5, 8)
    )
    assert exported.platforms == ("cuda",)


def test_significance_of_the_event_is_in_the_result(channels):
    point = bsmfit.ExclusionPoint.from_model(
        bsmfit.load_model("dark-photon"), [channels["na62-dump-mumu"]]
    )
    found = point.local_significance()
    assert found.n_observed == 1
    # known background: 1 - exp(-0.016) is 2.41 sigma two-sided, 2.15 one-sided
    assert found.z_two_sided == pytest.approx(2.41, abs=0.01)
    assert found.z_one_sided == pytest.approx(2.15, abs=0.01)
