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


def test_states_without_background_are_counted_as_the_sum(channel):
    point = particle(**dict.fromkeys(STATES, 0.2))
    regions = channel.regions(point)
    backgrounds = [float(region.total_background) for region in regions]
    assert backgrounds == pytest.approx([0.007, 5.975e-7 + 1e-13], rel=2e-3)
    parts = [channel.only([s]).regions(point)[0] for s in STATES]
    events = [float(jnp.exp(one.signal[0].log_events)) for one in parts]
    ours = [float(jnp.exp(one.signal[0].log_events)) for one in regions]
    assert ours == pytest.approx([events[0], sum(events[1:])], rel=1e-9)
    assert len(channel.largest_counts()) == 2


def test_a_model_with_none_of_the_final_states_is_refused(channel):
    (pions, others) = channel.regions(particle(**{"k+k-": 1.0}))
    assert pions.signal[0].log_events < -50.0 < others.signal[0].log_events
    with pytest.raises(InputError, match=r"one of 'pi\+pi-', .* has 'mumu'"):
        channel.regions(particle(mumu=1.0))
    with pytest.raises(UnknownNameError, match=r"'k\+K-'; did you mean 'k\+k-'"):
        channel.regions(particle(**{"pi+pi-": 0.5, "k+K-": 0.5}))


def test_the_limit_of_no_event_is_exact():
    """-ln 0.1 = 2.303 events, 1.396 by asymptotic formulae, which are wrong here."""
    regions = bsmfit.load_channel("na62-dump-hadrons")
    from bsmfit.channels.search_region import likelihood_of_regions

    found = bsmfit.upper_limit(
        likelihood_of_regions(regions.unit_regions(None, jnp.zeros(()))), cl=0.9
    )
    assert 2.25 < float(found.value) < 2.45


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
