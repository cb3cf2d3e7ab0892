"""From a branching ratio to expected events of a search made by hand."""

from __future__ import annotations

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.channels.channel import ChannelNuisance
from bsmfit.channels.rare_decay import RareDecayChannel, RareDecayRegion
from bsmfit.channels.search_region import LOG_CLOSED, BackgroundTerm, LogResponse
from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator

SES = 2e-11
PROCESS = "kaon-to-pi-minus-mu-mu"


def region(name, n, sources, *, has_signal=False):
    terms = tuple(
        BackgroundTerm(source, jnp.array(events), responses)
        for source, events, responses in sources
    )
    return RareDecayRegion(name, has_signal, jnp.array(float(n)), terms)


@pytest.fixture(scope="module")
def channel():
    shared = LogResponse("norm", math.log(1.3))
    fakes = ("fakes", 0.6, (LogResponse("mc", math.log(1.5)),))
    return RareDecayChannel(
        name="toy",
        decay="K+ -> pi- mu+ mu+",
        process=PROCESS,
        datasets=("toy",),
        nuisances=(ChannelNuisance("toy_sensitivity", 1.1, "signal"),),
        notes=("a toy",),
        is_count_known=True,
        is_independent=True,
        inputs=(),
        changes=(),
        fingerprint="",
        single_event_sensitivity=jnp.array(SES),
        counts=(
            region("low", 7, [("decays", 8.0, (shared,))]),
            region("peak", 1, [fakes, ("decays", 0.4, (shared,))], has_signal=True),
        ),
    ).as_published()


def mediator(strength):
    one = jnp.ones(())
    return Mediator(
        0.2 * one, 0.0 * one, {"visible": one}, {PROCESS: jnp.asarray(strength)}
    )


def test_a_branching_ratio_of_one_sensitivity_is_one_event(channel):
    low, peak = channel.regions(mediator(SES))
    assert low.signal == ()
    (signal,) = peak.signal
    assert signal.process == PROCESS
    assert float(signal.log_events) == pytest.approx(0.0, abs=1e-12)
    (same,) = [r for r in channel.unit_regions(None, jnp.zeros(())) if r.signal]
    assert float(same.signal[0].log_events) == pytest.approx(-math.log(SES))
    assert [float(r.total_background) for r in (low, peak)] == [8.0, 1.0]


@pytest.mark.parametrize("strength", [0.0, 1e-30, SES, 1.0])
def test_signal_is_finite_and_differentiable_at_any_strength(channel, strength):
    def log_events(value):
        return channel.regions(mediator(value))[1].signal[0].log_events

    value, slope = jax.value_and_grad(log_events)(jnp.array(strength))
    assert np.isfinite(value)
    assert np.isfinite(slope)
    if strength == 0.0:
        assert float(value) < 0.5 * LOG_CLOSED
        assert float(slope) == 0.0
    else:
        assert float(slope) == pytest.approx(1.0 / strength)


def test_a_model_without_the_decay_makes_no_event(channel):
    empty = dataclasses.replace(
        mediator(1.0), production={"kaon-to-pion": jnp.ones(())}
    )
    assert float(channel.regions(empty)[1].signal[0].log_events) < 0.5 * LOG_CLOSED


def test_errors_of_the_sum_add_in_quadrature_and_shared_ones_linearly(channel):
    count = channel.signal_count()
    # 50 % of 0.6 and 30 % of 0.4, over 1.0
    assert math.expm1(count.background_log_kappa) == pytest.approx(
        math.hypot(0.3, 0.12)
    )
    assert float(count.background) == pytest.approx(1.0)
    assert float(count.n_observed) == 1.0
    assert count.sensitivity_log_kappa == pytest.approx(math.log(1.1))
    both = eqx.tree_at(
        lambda c: c.counts[1].background[0].responses[0],
        channel,
        LogResponse("norm", math.log(1.5)),
    )
    summed = both.signal_count().background_log_kappa
    assert math.expm1(summed) == pytest.approx(0.3 + 0.12)


def test_another_count_is_that_of_the_signal_region(channel):
    changed = channel.with_observed(3)
    assert [float(r.n_observed) for r in changed.counts] == [7.0, 3.0]
    assert changed.name == "toy+3-observed"
    assert not changed.is_published
    assert channel.is_published
    assert [one.observed for one in changed.largest_counts()] == [7.0, 3.0]
    with pytest.raises(InputError, match="n_observed"):
        channel.with_observed(-1)


def test_what_has_no_meaning_is_refused(channel):
    with pytest.raises(InputError, match="--lifetime-ns has no meaning"):
        channel.check_unit(None, 2.0)
    with pytest.raises(InputError, match="--mass has no effect"):
        channel.unit_regions(jnp.array(0.2), jnp.zeros(()))
    with pytest.raises(InputError, match="0 regions have signal"):
        dataclasses.replace(channel, counts=channel.counts[:1])


def test_it_says_something_at_any_mass(channel):
    assert channel.processes == (PROCESS,)
    assert bool(channel.covers(jnp.array(0.3)))
    assert channel.select(["other"]) is channel
    assert channel.default_coupling("any") is None
    assert channel.caveats("") == ("a toy",)
    assert channel.unit == "BR(K+ -> pi- mu+ mu+)"
    assert channel.count_words == "observed"
    unknown = dataclasses.replace(channel, is_count_known=False)
    assert "assumed" in unknown.count_words
    facts = {fact.key: float(fact.value) for fact in channel.facts(mediator(SES))}
    assert facts == {"single_event_sensitivity": SES, "branching_ratio": SES}
