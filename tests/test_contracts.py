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
from bsmfit.scan.invisible_point import InvisiblePoint

DUMP_CHANNELS = ("na62-dump-mumu", "na62-dump-ee")
PAIRS = [
    ("dark-photon", preset, channel)
    for preset, channel in product(bsmfit.preset_names("dark-photon"), DUMP_CHANNELS)
    if preset != "kaon-decay"
]
MASS, COUPLING = jnp.array(0.3), jnp.array(1.0e-6)

# model, preset, a coupling within reach, and the power of it in the signal
KAON_MODELS = {
    "dark-scalar": (None, 1e-8, 1),
    "dark-photon-invisible": (None, 1e-3, 2),
    "fv-axion": (None, 1e11, -2),
    "dark-photon": ("kaon-decay", 1e-6, 2),
}
KAON_CHANNELS = {
    "na62-pi-invisible-2017": 0.2,
    "na62-pi-invisible-run1": 0.2,
    "na62-pi-invisible-2016-2022": 0.2,
    "na62-pi-invisible-run1-count": 0.2,
    "na62-pi-invisible-2016-2022-count": 0.2,
    "na62-pi0-invisible": 0.13,
}


@pytest.fixture(scope="module")
def channels():
    return {name: bsmfit.load_channel(name) for name in DUMP_CHANNELS}


def test_every_model_and_channel_is_under_test():
    assert {*DUMP_CHANNELS, *KAON_CHANNELS} == set(bsmfit.channel_names())
    assert set(KAON_MODELS) == set(bsmfit.model_names())


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


@pytest.fixture(scope="module")
def kaon_models():
    return {
        name: bsmfit.load_model(name, preset)
        for name, (preset, _, _) in KAON_MODELS.items()
    }


@pytest.fixture(scope="module")
def searches():
    return {name: bsmfit.load_channel(name) for name in KAON_CHANNELS}


@pytest.fixture(scope="module")
def kaon_mediators(kaon_models):
    """Compiled models: mediators, and the change of the first in mass and coupling."""

    def compiled(model):
        def at(mass, couplings):
            point = mass, couplings[0]
            change = jax.jvp(model, point, (jnp.ones_like(mass), couplings[0]))[1]
            return jax.vmap(model, (None, 0))(mass, couplings), change

        return jax.jit(at)

    return {name: compiled(model) for name, model in kaon_models.items()}


@pytest.fixture(
    scope="module", params=list(product(KAON_MODELS, KAON_CHANNELS)), ids="-".join
)
def pair(request, kaon_mediators, searches):
    """A search, mediators and the change of the first.

    One coupling is within reach; the next have 6 and 12 powers of ten less signal.
    """
    model, channel = request.param
    _, coupling, power = KAON_MODELS[model]
    couplings = coupling * 10.0 ** (-6.0 / power * jnp.arange(3.0))
    mass = jnp.array(KAON_CHANNELS[channel])
    return searches[channel], *kaon_mediators[model](mass, couplings)


def first(tree):
    return jax.tree.map(lambda leaf: leaf[0], tree)


def test_kaon_signal_is_differentiable_and_maps(pair):
    search, mediators, change = pair
    one = first(mediators)
    value, slope = jax.jvp(search.log_signal, (one,), (change,))
    assert np.isfinite(value).all()
    assert np.isfinite(slope).all()
    mapped = jax.vmap(search.log_signal)(mediators)[0]
    assert float(mapped[0]) == pytest.approx(float(value[0]), rel=1e-12)


def test_kaon_signal_vanishes_with_the_coupling(pair):
    """As its power, six powers of ten: the particle is then as good as stable."""
    search, mediators, _ = pair
    _, weak, weaker = jax.vmap(search.log_signal)(mediators)[0]
    assert float(weaker) < np.log(1e-8)
    assert float(weak - weaker) == pytest.approx(6.0 * np.log(10.0), rel=1e-5)


def test_kaon_signal_scales_with_one_over_the_sensitivity(pair):
    search, mediators, _ = pair
    halved = dataclasses.replace(
        search, single_event_sensitivity=0.5 * search.single_event_sensitivity
    )
    one = first(mediators)
    ratio = halved.log_signal(one)[0] - search.log_signal(one)[0]
    assert float(ratio) == pytest.approx(np.log(2.0), rel=1e-10)
    shares = np.array(list(one.branching_ratios.values()))
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("channel", list(KAON_CHANNELS))
@pytest.mark.parametrize("model", list(KAON_MODELS))
def test_kaon_point_is_a_pytree(model, channel, kaon_models, searches):
    point = InvisiblePoint.from_model(kaon_models[model], [searches[channel]])
    leaves, structure = jax.tree.flatten(eqx.filter(point, eqx.is_array))
    assert all(np.isfinite(leaf).all() for leaf in leaves)
    assert jax.tree.structure(jax.tree.unflatten(structure, leaves)) == structure


@pytest.mark.parametrize("model", ["dark-scalar", "dark-photon"])
def test_kaon_scan_kernel_lowers_for_a_gpu_without_one(model, kaon_models, searches):
    name = "na62-pi-invisible-run1"
    point = InvisiblePoint.from_model(kaon_models[model], [searches[name]])
    arrays, structure = eqx.partition(point, eqx.is_array)

    def kernel(arrays, mass, coupling):
        return eqx.combine(arrays, structure)(mass, coupling).n_up_obs

    plane = jax.vmap(jax.vmap(kernel, (None, None, 0)), (None, 0, None))
    exported = jax.export.export(jax.jit(plane), platforms=("cuda",))(
        arrays, jnp.linspace(0.16, 0.25, 4), jnp.geomspace(1e-9, 1e-5, 8)
    )
    assert exported.platforms == ("cuda",)


def test_kaon_exclusion_by_limit_is_that_by_cls(kaon_models, searches):
    point = InvisiblePoint.from_model(
        kaon_models["dark-photon-invisible"], [searches["na62-pi-invisible-run1-count"]]
    )
    # fewer counts than the tails of the expected limits need compile faster
    few = dataclasses.replace(point, n_max=25)
    couplings = jnp.geomspace(1e-6, 1e-2, 9)
    at_mass = jax.jit(lambda g: jax.vmap(lambda one: few(jnp.array(0.2), one))(g))
    found = at_mass(couplings)
    excluded = np.asarray(found.n_signal > found.n_up_obs)
    np.testing.assert_array_equal(excluded, np.asarray(found.cls_obs) < 0.1)
    assert 0 < excluded.sum() < 9
    assert np.all(np.asarray(found.n_obs) == 20.0)
