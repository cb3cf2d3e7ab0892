from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.errors import DataFileError, InputError, UnknownNameError
from bsmfit.physics.mediator import Mediator

STATES = ("pi+pi-", "pi+pi-pi0", "pi+pi-2pi0", "k+k-", "k+k-pi0")


@pytest.fixture(scope="module")
def channel():
    return bsmfit.load_channel("na62-dump-hadrons").select(["proton-bremsstrahlung"])


def particle(mass=1.2, **ratios):
    return Mediator(
        mass=jnp.array(mass),
        decay_width=jnp.array(1e-15),
        branching_ratios={k: jnp.array(v) for k, v in ratios.items()},
        production={"proton-bremsstrahlung": jnp.array(1e-13)},
    )


def test_every_final_state_is_a_region_with_its_background(channel):
    regions = channel.regions(particle(**dict.fromkeys(STATES, 0.2)))
    backgrounds = [float(region.total_background) for region in regions]
    assert backgrounds == [0.007, 1.2e-7, 1.6e-8, 4.6e-7, 1.5e-9]
    assert len({region.name for region in regions}) == 5
    assert all(region.signal[0].log_events > -50.0 for region in regions)
    shared = [{r.name for r in region.signal[0].responses} for region in regions]
    assert set.intersection(*shared) == {"na62_dump_pot"}


def test_a_final_state_that_a_model_has_not_is_a_region_without_signal(channel):
    regions = channel.regions(particle(**{"k+k-": 1.0}))
    assert [bool(r.signal[0].log_events > -50.0) for r in regions] == [
        state == "k+k-" for state in STATES
    ]
    with pytest.raises(InputError, match=r"one of 'pi\+pi-', .* has 'mumu'"):
        channel.regions(particle(mumu=1.0))


def test_some_final_states_alone_are_no_published_search(channel):
    only = channel.only(["k+k-", "pi+pi-"])
    assert only.final_states == ("pi+pi-", "k+k-")
    assert not only.is_published
    with pytest.raises(UnknownNameError, match=r"'k\+k'; did you mean 'k\+k-'"):
        channel.only(["k+k"])
    with pytest.raises(InputError, match="one or more final states"):
        channel.only([])


def test_protons_scale_all_final_states(channel):
    point = particle(**dict.fromkeys(STATES, 0.2))
    more = channel.with_exposure(1.4e18)
    for one, other in zip(channel.regions(point), more.regions(point), strict=True):
        gain = other.signal[0].log_events - one.signal[0].log_events
        assert float(gain) == pytest.approx(np.log(10.0), rel=1e-9)


def test_gradients_are_finite_across_every_threshold(channel):
    photon = bsmfit.load_model("dark-photon")

    @jax.jit
    def slope(mass):
        def total(m):
            regions = channel.regions(photon.function(m, jnp.array(3e-7)))
            return sum(jnp.exp(r.signal[0].log_events) for r in regions)

        return jax.grad(total)(mass)

    for search in channel.searches:
        low = search.mass_range[0]
        for mass in (low - 2e-4, low - 1e-4, low, low + 1e-6, low + 0.01):
            assert np.isfinite(slope(jnp.array(mass)))


def test_a_final_state_that_is_not_known_is_answered_with_those_that_are(tmp_path):
    from bsmfit.catalogue.records import locate_channel

    text = locate_channel("na62-dump-hadrons").read_text()
    path = tmp_path / "record.yaml"
    path.write_text(text.replace("final_state: k+k-\n", "final_state: k0k0\n"))
    with pytest.raises(DataFileError, match=r"k0k0.*'pi\+pi-pi0'.*'k\+k-pi0'"):
        bsmfit.load_channel(path)
    path.write_text(text)
    with pytest.raises(DataFileError, match="no yield table of pi-pi"):
        bsmfit.load_channel(path)
