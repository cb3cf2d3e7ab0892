"""From a mediator to expected events of a search made by hand."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.channels.channel import ChannelNuisance, DefaultAxis
from bsmfit.channels.pi_invisible import PROCESS, PiInvisibleChannel
from bsmfit.channels.search_region import LOG_CLOSED
from bsmfit.channels.stable_limit import StableLimit
from bsmfit.core.constants import HBAR_C
from bsmfit.core.interpolation import CubicCurve
from bsmfit.detector.escape import EscapeTable
from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator

MASSES = np.array([0.0, 0.1, 0.2, 0.3])
SENSITIVITY = 2e-11


def curve(values):
    return CubicCurve.monotone(MASSES, np.asarray(values, float))


@pytest.fixture(scope="module")
def channel():
    """Acceptance ratio 0.5, and an X that always flies 100 m at 50 GeV."""
    rates = np.linspace(-16.0, 4.0, 21)
    one = np.stack([rates + np.log(100.0 / 50.0), rates - np.log(50.0)], axis=-1)
    return PiInvisibleChannel(
        name="toy",
        datasets=("toy",),
        segments=((0.0, 0.11), (0.15, 0.26)),
        windows=((0.0, 0.01), (0.026, 0.068)),
        mass_axis=DefaultAxis(0.01, 0.25, 10, "lin"),
        coupling_axes=(),
        changes=(),
        fingerprint="",
        nuisances=(ChannelNuisance("acceptance", 1.1, "signal"),),
        veto_nuisance="veto_end",
        inputs=(),
        single_event_sensitivity=jnp.array(SENSITIVITY),
        veto_end_error=jnp.array(5.0),
        log_acceptance_ratio=curve(np.full(4, np.log(0.5))),
        resolution=curve(np.full(4, 1e-3)),
        log_background=curve(np.log([1.0, 2.0, 3.0, 4.0])),
        escape=EscapeTable.from_nodes(MASSES, rates, np.broadcast_to(one, (4, 21, 2))),
        published=StableLimit(
            jnp.array([0.0, 0.2]), jnp.log(jnp.array([4e-11, 1e-11])), 0.9
        ),
        n_observed=None,
    ).as_published()


def mediator(mass=0.2, width=0.0, invisible=None, strength=1e-10):
    shares = {"visible": jnp.array(1.0)}
    if invisible is not None:
        shares = {"invisible": jnp.array(invisible), "ee": jnp.array(1.0 - invisible)}
    return Mediator(
        jnp.array(mass), jnp.array(width), shares, {PROCESS: jnp.array(strength)}
    )


def width_of(rate, mass=0.2):
    """Width of an X with m / (c tau) of this rate [GeV/m]."""
    return rate * HBAR_C / mass


def test_stable_x_counts_as_the_ratio_to_the_sensitivity(channel):
    log_events, veto = channel.log_signal(mediator())
    assert float(jnp.exp(log_events)) == pytest.approx(1e-10 * 0.5 / SENSITIVITY)
    assert float(veto) == 0.0


def test_x_of_one_path_escapes_as_an_exponential(channel):
    rate = 0.7
    log_events, veto = channel.log_signal(mediator(width=width_of(rate)))
    expected = 2.5 * np.exp(-rate * 100.0 / 50.0)
    assert float(jnp.exp(log_events)) == pytest.approx(expected, rel=1e-9)
    assert float(veto) == pytest.approx(-5.0 * rate / 50.0, rel=1e-9)


@pytest.mark.parametrize("invisible", [0.0, 0.3, 1.0])
def test_invisible_decays_count_wherever_they_are(channel, invisible):
    rate = 1.1
    found = channel.log_invisible(mediator(width=width_of(rate), invisible=invisible))
    escape = np.exp(-2.0 * rate)
    share = invisible + (1.0 - invisible) * escape
    assert float(jnp.exp(found[0])) == pytest.approx(share, rel=1e-9)
    slope = -(1.0 - invisible) * escape / share * rate / 50.0
    assert float(found[1]) == pytest.approx(5.0 * slope, rel=1e-9, abs=1e-15)


def test_x_that_never_escapes_keeps_a_finite_logarithm(channel):
    log_share, _ = channel.log_invisible(mediator(width=width_of(400.0)))
    assert float(log_share) == pytest.approx(-800.0, rel=1e-9)
    log_events, _ = channel.log_signal(mediator(width=width_of(1e5)))
    assert float(log_events) == LOG_CLOSED


@pytest.mark.parametrize(
    "point", [{"strength": 0.0}, {"mass": 0.13}, {"mass": 0.27}, {"mass": 0.4}], ids=str
)
def test_closed_decay_and_masses_outside_have_no_signal(channel, point):
    log_events, veto = channel.log_signal(mediator(**point))
    assert float(log_events) == LOG_CLOSED
    assert float(veto) == 0.0


def test_segments_include_their_ends(channel):
    for mass, expected in (
        (0.0, True),
        (0.11, True),
        (0.12, False),
        (0.15, True),
        (0.2600001, False),
    ):
        assert bool(channel.covers(jnp.array(mass))) is expected
    assert channel.mass_range == (0.0, 0.26)


def test_limit_is_a_straight_line_in_the_logarithm(channel):
    middle = float(jnp.exp(channel.published(jnp.array(0.1))))
    assert middle == pytest.approx(2e-11)
    assert float(jnp.exp(channel.published(jnp.array(0.5)))) == pytest.approx(1e-11)
    assert float(channel.background(jnp.array(0.2))) == pytest.approx(3.0)


def test_a_particle_made_elsewhere_leaves_no_event(channel):
    strange = dataclasses.replace(mediator(), production={"pi0-decay": jnp.array(1.0)})
    assert float(channel.log_signal(strange)[0]) == LOG_CLOSED


def test_a_changed_count_and_sensitivity_change_the_name(channel):
    count = dataclasses.replace(channel, published=None, n_observed=jnp.array(3.0))
    changed = count.with_observed(5)
    assert float(changed.regions(mediator())[0].observed) == 5.0
    assert changed.name == "toy+5-observed"
    better = channel.with_sensitivity(1e-11)
    gain = better.log_signal(mediator())[0] - channel.log_signal(mediator())[0]
    assert float(gain) == pytest.approx(np.log(2.0))
    assert not better.is_published
    doubled = channel.with_background_factor(2.0)
    assert float(doubled.background(jnp.array(0.2))) == pytest.approx(6.0)
    with pytest.raises(InputError, match="counts are reconstructed"):
        channel.with_observed(3)


def test_the_region_is_an_effective_count_with_the_end_of_the_veto(channel):
    (region,) = channel.regions(mediator(width=1e-17))
    assert region.is_effective
    acceptance, veto = region.signal[0].responses
    assert (acceptance.name, veto.name) == ("acceptance", "veto_end")
    assert acceptance.size == pytest.approx(np.log(1.1))
    assert veto.size is None
    assert float(veto.log_kappa) < 0.0


def test_limit_of_ones_own_takes_the_place_of_the_published_one(channel):
    """On the masses given, inside the segments; the sensitivity stays."""
    own = channel.with_limit([0.05, 0.2], [3e-11, 6e-11], cl=0.95)
    assert own.segments == ((0.05, 0.11), (0.15, 0.2))
    assert own.published.cl == 0.95
    assert own.name == f"{channel.name}+own-limit"
    assert own.with_limit([0.06, 0.2], [1e-11] * 2, cl=0.9).name == own.name
    assert float(jnp.exp(own.published(jnp.array(0.05)))) == pytest.approx(3e-11)
    at = jnp.array(0.2)
    assert float(own.log_sensitivity(at)) == float(channel.log_sensitivity(at))


@pytest.mark.parametrize(
    ("masses", "limits", "cl", "words"),
    [
        ([0.2, 0.1], [1e-11, 1e-11], 0.9, "0.1 follows 0.2 GeV"),
        ([0.1, 0.2], [1e-11], 0.9, "lists of one length"),
        ([0.1, 0.2], [1e-11, 0.0], 0.9, "between 0 and 1; one is 0"),
        ([0.1, 0.2], [1e-11, 1e-11], 1.0, "between 0 and 1"),
        ([0.12, 0.14], [1e-11, 1e-11], 0.9, "outside the masses of toy"),
    ],
)
def test_faulty_limit_of_ones_own_is_refused(channel, masses, limits, cl, words):
    with pytest.raises(InputError, match=words):
        channel.with_limit(masses, limits, cl=cl)


def test_limit_of_ones_own_never_reaches_into_the_gap(channel):
    """Segments given are cut to those of the search."""
    own = channel.with_limit(
        [0.05, 0.2], [3e-11, 6e-11], cl=0.9, segments=((0.05, 0.2),)
    )
    assert own.segments == ((0.05, 0.11), (0.15, 0.2))


def test_a_count_takes_no_limit(channel):
    count = dataclasses.replace(channel, published=None, n_observed=jnp.array(3.0))
    with pytest.raises(InputError, match="a count of its own"):
        count.with_limit([0.05, 0.2], [3e-11, 6e-11], cl=0.9)


@pytest.mark.parametrize("both", [True, False])
def test_search_has_either_a_limit_or_a_count(channel, both):
    change = {"n_observed": jnp.array(3.0)} if both else {"published": None}
    with pytest.raises(InputError, match="channel toy: give either"):
        dataclasses.replace(channel, **change)
