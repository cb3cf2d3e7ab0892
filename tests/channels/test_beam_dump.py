from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from bsmfit.channels.beam_dump import BeamDumpChannel, MassWindow
from bsmfit.channels.channel import ChannelNuisance, DefaultAxis
from bsmfit.channels.search_region import LOG_CLOSED
from bsmfit.core.interpolation import MonotoneTable
from bsmfit.detector.yields import YieldTable
from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator, lifetime_length

DISTANCE, BEAM = 80.0, 400.0
NODES_U = jnp.linspace(-6.0, 10.0, 161)
MASSES = jnp.array([0.2, 0.3, 0.5, 0.8])


def monochromatic_table() -> YieldTable:
    """Yields of two processes that make particles of 100 and 400 GeV, everything after
    the distance accepted: G is known in closed form."""
    shares = jnp.array([100.0, 400.0]) / BEAM
    decay = jnp.exp(-NODES_U)[:, None]
    reduced = decay * (1.0 - 1.0 / shares)[None, :]
    log_yield = jnp.broadcast_to(reduced[None, :, :], (4, 161, 2))
    return YieldTable(
        processes=("soft", "hard"),
        table=MonotoneTable.from_nodes(MASSES, NODES_U, log_yield),
        distance=jnp.array(DISTANCE),
        beam_momentum=jnp.array(BEAM),
    )


@pytest.fixture
def channel() -> BeamDumpChannel:
    return BeamDumpChannel(
        name="toy",
        final_state="mumu",
        mass_range=(0.2, 0.8),
        datasets=("toy",),
        changes=(),
        fingerprint="",
        default_plane=(DefaultAxis(0.2, 0.8, 10), DefaultAxis(1e-7, 1e-5, 10)),
        efficiency_preset="toy",
        nuisances=(ChannelNuisance("pot", 1.2, "signal"),),
        inputs=(),
        protons_on_target=jnp.array(1e17),
        efficiency=jnp.array(0.5),
        background=jnp.array(0.016),
        yields=monochromatic_table(),
        window=MassWindow(
            event_masses=jnp.array([0.411]),
            masses=jnp.array([0.3, 0.5]),
            resolutions=jnp.array([0.001, 0.003]),
            half_width=jnp.array(2.0),
        ),
    ).as_published()


def mediator(mass=0.3, width=1e-16, fraction=0.4, **production) -> Mediator:
    return Mediator(
        mass=jnp.array(mass),
        decay_width=jnp.array(width),
        branching_ratios={"mumu": jnp.array(fraction)},
        production={k: jnp.array(v) for k, v in production.items()},
    )


@pytest.mark.parametrize("width", [1e-15, 1e-16, 1e-17])
def test_events_are_the_formula_for_one_momentum(channel, width):
    particle = mediator(width=width, soft=3e-13, hard=1e-13)
    events = np.exp(channel.log_signal(particle))
    c_tau = 1.973269804e-16 / width
    for k, (momentum, strength) in enumerate(((100.0, 3e-13), (400.0, 1e-13))):
        survival = np.exp(-DISTANCE * 0.3 / (momentum * c_tau))
        expected = 1e17 * 0.5 * 0.4 * strength * survival
        np.testing.assert_allclose(events[k], expected, rtol=2e-3)


def test_long_lived_yield_continues_as_one_over_lifetime(channel):
    """Beyond the table Y is proportional to 1/(c tau): slope -1 of the log exactly."""
    slope = jax.grad(
        lambda log_length: channel.yields(jnp.array(0.3), jnp.exp(log_length))[0]
    )(jnp.array(40.0))
    np.testing.assert_allclose(slope, -1.0, atol=1e-9)


def test_short_lived_yield_is_finite_however_small(channel):
    value, slope = jax.value_and_grad(
        lambda log_length: channel.yields(jnp.array(0.3), jnp.exp(log_length))[0]
    )(jnp.array(-30.0))
    assert np.isfinite(value)
    assert np.isfinite(slope)
    assert value < -1e6


@pytest.mark.parametrize(
    "particle",
    [
        mediator(soft=0.0),
        mediator(hard=1e-13, fraction=0.0),
        mediator(mass=0.15, soft=1e-13),
        mediator(mass=0.9, soft=1e-13),
    ],
    ids=["no production", "closed decay", "below the table", "above the table"],
)
def test_closed_is_closed_with_finite_gradient(channel, particle):
    value = channel.log_signal(particle)
    assert np.all(np.asarray(value) == LOG_CLOSED)
    gradient = jax.grad(lambda p: jnp.sum(channel.log_signal(p)))(particle)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


def test_count_is_that_of_the_mass_window(channel):
    # sigma = 2.11 MeV at 0.411 GeV, window of two
    masses = jnp.array([0.30, 0.4066, 0.4072, 0.411, 0.4150, 0.4157, 0.5])
    counts = jax.vmap(channel.observed_count)(masses)
    assert counts.tolist() == [0, 0, 1, 1, 1, 0, 0]


def test_the_ends_of_the_mass_window_are_known(channel):
    """|m_event - m| = 2 sigma(m), the resolution 1 MeV + 10 MeV/GeV (m - 0.3 GeV)."""
    low, high = channel.mass_nodes
    assert low == pytest.approx((0.411 - 2 * (0.001 - 0.003)) / 1.02, rel=1e-9)
    assert high == pytest.approx((0.411 + 2 * (0.001 - 0.003)) / 0.98, rel=1e-9)
    counts = [
        float(channel.observed_count(jnp.array(end * (1.0 + side))))
        for end in (low, high)
        for side in (-1e-9, 1e-9)
    ]
    assert counts == [0.0, 1.0, 1.0, 0.0]


def test_processes_of_other_searches_add_nothing(channel):
    alone = channel.log_signal(mediator(hard=1e-13))
    more = channel.log_signal(mediator(hard=1e-13, elsewhere=1.0))
    np.testing.assert_array_equal(alone, more)


def test_unknown_final_state_is_named(channel):
    odd = dataclasses.replace(channel, final_state="ee")
    with pytest.raises(InputError, match="needs the branching ratio into 'ee'"):
        odd.log_signal(mediator(hard=1.0))


def test_selected_processes_keep_their_yields(channel):
    both = channel.log_signal(mediator(hard=2e-13, soft=1e-13))
    one = channel.select(["hard"]).log_signal(mediator(hard=2e-13))
    np.testing.assert_allclose(one[0], both[1], rtol=1e-12)
    assert channel.select(["hard", "kaon-to-pion"]).processes == ("hard",)


def test_a_stable_particle_leaves_no_event(channel):
    particle = mediator(hard=1.0, width=0.0)
    assert np.all(np.asarray(channel.log_signal(particle)) == LOG_CLOSED)
    slope = jax.grad(lambda p: jnp.sum(channel.log_signal(p)))(particle)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slope))


def test_the_region_has_the_window_count_and_named_uncertainties(channel):
    (region,) = channel.regions(mediator(hard=1e-13, mass=0.411))
    assert float(region.observed) == 1.0
    assert [term.process for term in region.signal] == ["soft", "hard"]
    assert [r.name for r in region.signal[1].responses] == ["pot"]
    assert float(region.total_background) == 0.016
    assert bool(region.is_open)
    (closed,) = channel.regions(mediator(hard=1e-13, mass=0.9))
    assert not bool(closed.is_open)


def test_changed_numbers_change_the_events_and_the_name(channel):
    """Ten times the protons are ten times the events, and not published data."""
    more = channel.with_exposure(1e18)
    particle = mediator(hard=1e-13)
    gain = more.log_signal(particle)[1] - channel.log_signal(particle)[1]
    assert float(gain) == pytest.approx(np.log(10.0), rel=1e-12)
    assert more.name == "toy+1e+18-protons"
    assert channel.is_published
    assert not more.is_published
    half = channel.with_efficiency(0.25).log_signal(particle)[1]
    assert float(half - channel.log_signal(particle)[1]) == pytest.approx(-np.log(2.0))
    assert float(channel.with_background(2.0).background) == 2.0


def test_a_changed_count_is_the_count_that_counts(channel):
    at = jnp.array(0.3)
    assert float(channel.observed_count(at)) == 0.0
    assert float(channel.with_observed(3).observed_count(at)) == 3.0
    assert float(channel.with_observed(0).observed_count(jnp.array(0.411))) == 0.0
    events = channel.with_observed(event_masses=[0.3, 0.5])
    assert float(events.observed_count(at)) == 1.0
    assert events.n_observed == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.with_exposure(-1.0), "protons_on_target"),
        (lambda c: c.with_exposure([1e17, 2e17]), "protons_on_target"),
        (lambda c: c.with_efficiency(np.full(60, 0.5)), "efficiency"),
        (lambda c: c.with_efficiency(1.5), "at or below 1"),
        (lambda c: c.with_background(float("nan")), "background"),
        (lambda c: c.with_observed(1.5), "n_observed"),
        (lambda c: c.with_observed(61), "n_observed"),
        (lambda c: c.with_observed(), "give one of the two"),
        (lambda c: c.with_observed(event_masses=[9.0]), "event mass"),
    ],
)
def test_changes_that_cannot_be_meant_are_refused(channel, change, words, monkeypatch):
    # the types are checked by the tests alone; a user has the messages
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(InputError, match=words):
        change(channel)


def test_lifetime_length_is_hbar_c_over_the_width():
    assert float(lifetime_length(mediator(width=1.973269804e-16))) == 1.0
