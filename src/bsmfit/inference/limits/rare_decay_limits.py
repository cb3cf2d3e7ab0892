r"""Limits of many searches for rare decays at once: one compiled program for all.

Each search is the count of its signal region (`RareDecayChannel.signal_count`); what
sidebands say is left out, which `bsmfit.upper_limit` of the whole likelihood does not.

| number | what it is |
|---|---|
| observed, expected | CLs, exact sums, both uncertainties averaged over |
| without one or both errors | the same with that uncertainty set to zero |
| Feldman-Cousins | interval of the count, background and sensitivity known |
| Bayesian | credible limit, prior flat in the branching ratio, uncertainties averaged |

With no event observed the CLs limit is 2.3026 sensitivities at 90 %, whatever the
background is: it then tests the sensitivity alone. A Feldman-Cousins limit falls with
the background instead, to 1.61 sensitivities at one event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from bsmfit._x64 import require_x64
from bsmfit.channels.rare_decay import RareDecayChannel
from bsmfit.core.argument import instances, level
from bsmfit.errors import InputError
from bsmfit.inference.counts.expected import count_ceiling
from bsmfit.inference.counts.marginal import LARGEST_COUNT
from bsmfit.inference.exclusion.one_count import exclusion
from bsmfit.inference.intervals.feldman_cousins import feldman_cousins_belt
from bsmfit.inference.posteriors.credible import credible_limits
from bsmfit.inference.posteriors.priors import FlatStrength
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.nodes import FactorisedNodes, factorised_nodes
from bsmfit.likelihood.quadrature import NuisanceQuadrature
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import LogNormal

__all__ = ["RareDecayLimits", "rare_decay_limits"]

_ERRORS = ("sensitivity", "background")
_STEP = 0.05
_WHICH = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
"""Which of the two uncertainties count: both, one, the other, none."""


class RareDecayLimits(eqx.Module):
    """Limits on branching ratios [1], one for each search, in the order they came in.

    Attributes:
        names: The searches.
        observed: CLs limits, uncertainties averaged over.
        expected: CLs limits that data without a signal would give, at -2, -1, 0, 1 and
            2 standard deviations; nan where the background is not known.
        without_background_error: CLs limits for a known background.
        without_sensitivity_error: CLs limits for a known sensitivity.
        without_errors: CLs limits for both known.
        feldman_cousins: Lower and upper ends of the intervals, both known; nan where
            the background is not known.
        bayesian: Credible limits, prior flat in the branching ratio.
        is_converged: Whether every number of a search is right; else they are nan.
        cl: Confidence level, and posterior probability.
    """

    names: tuple[str, ...] = eqx.field(static=True)
    observed: Float[Array, " n_search"]
    expected: Float[Array, "n_search 5"]
    without_background_error: Float[Array, " n_search"]
    without_sensitivity_error: Float[Array, " n_search"]
    without_errors: Float[Array, " n_search"]
    feldman_cousins: Float[Array, "n_search 2"]
    bayesian: Float[Array, " n_search"]
    is_converged: Bool[Array, " n_search"]
    cl: float = eqx.field(static=True)


class _Counts(NamedTuple):
    """Counts of all searches, and the log of one standard deviation of both errors."""

    n_observed: Float[Array, " n_search"]
    background: Float[Array, " n_search"]
    sensitivity: Float[Array, " n_search"]
    log_kappa: Float[Array, "n_search 2"]
    is_known: Bool[Array, " n_search"]


class _Plan(NamedTuple):
    """What the program depends on besides the values: rounded, so that few are made.

    Attributes:
        log_kappa: Largest responses, rounded up, that the nodes are chosen for.
        n_max: Largest count of the sums.
        n_belt: Largest count of the belts.
    """

    log_kappa: tuple[float, float]
    n_max: int
    n_belt: int


def rare_decay_limits(
    channels: Sequence[RareDecayChannel], *, cl: float = 0.90
) -> RareDecayLimits:
    """Compute the limits of searches for rare decays, all in one compiled program.

    Args:
        channels: The searches; they are not combined, so that they may share data.
        cl: Confidence level, 0.5 to 0.999.

    Returns:
        The limits, observed and expected, by three methods.

    Raises:
        InputError: No search, one of another kind, more than 60 observed events, or
            such a level.

    Examples:
        >>> import bsmfit
        >>> search = bsmfit.load_channel("na62-pi-minus-mu-mu")
        >>> found = rare_decay_limits([search])
        >>> print(f"{found.observed[0]:.2e} {found.without_errors[0]:.2e}")
        4.26e-11 4.23e-11
    """
    require_x64("rare_decay_limits")
    cl = level(cl, low=0.5, high=0.999)
    hint = 'load one with bsmfit.load_channel("na62-pi-minus-mu-mu")'
    searches = instances("channels", channels, RareDecayChannel, hint=hint)
    if not searches:
        msg = f"channels is empty; {hint}"
        raise InputError(msg)
    counts = _counts(searches)
    largest = float(counts.n_observed.max())
    if largest > LARGEST_COUNT:
        msg = (
            f"a search has {largest:g} observed events, beyond the exact sums "
            f"({LARGEST_COUNT}); use bsmfit.upper_limit"
        )
        raise InputError(msg)
    numbers = _all_limits(counts, cl, _planned(counts))
    return RareDecayLimits(
        names=tuple(search.name for search in searches), **numbers, cl=cl
    )


def _counts(searches: Sequence[RareDecayChannel]) -> _Counts:
    rows = [search.signal_count() for search in searches]

    def column(values: list) -> Float[Array, " n_search"]:
        return jnp.asarray(np.array([float(value) for value in values]))

    log_kappa = [[r.sensitivity_log_kappa, r.background_log_kappa] for r in rows]
    return _Counts(
        n_observed=column([row.n_observed for row in rows]),
        background=column([row.background for row in rows]),
        sensitivity=column([row.sensitivity for row in rows]),
        log_kappa=jnp.asarray(np.array(log_kappa)),
        is_known=jnp.asarray(np.array([one.is_count_known for one in searches])),
    )


def _planned(counts: _Counts) -> _Plan:
    """Nodes and largest counts that suit every search."""
    steps = np.ceil(np.asarray(counts.log_kappa).max(axis=0) / _STEP) * _STEP
    log_kappa = (float(steps[0]), float(steps[1]))
    background = float(counts.background.max())
    n_observed = int(counts.n_observed.max())
    model = _model(jnp.asarray(background), jnp.asarray(log_kappa))
    quadrature = NuisanceQuadrature.from_model(model)
    return _Plan(
        log_kappa=log_kappa,
        n_max=count_ceiling(model, quadrature, n_observed=n_observed),
        n_belt=int(max(n_observed, background, 5.0)) + 5,
    )


def _nodes(plan: _Plan) -> tuple[NuisanceQuadrature, FactorisedNodes]:
    """Nodes of the plan, constants of the program."""
    with jax.ensure_compile_time_eval():
        one, logs = jnp.ones(()), jnp.asarray(plan.log_kappa)
        arrays = _likelihood(one, one, logs).arrays()
        quadrature = NuisanceQuadrature.from_model(_model(one, logs))
        return quadrature, factorised_nodes(arrays)


def _model(
    background: Float[Array, ""], log_kappa: Float[Array, " 2"]
) -> CountingModel:
    """One count: a signal and a background, each with an uncertainty of its own."""
    zero = jnp.zeros(())
    return CountingModel(
        signal_log_kappa=jnp.stack([log_kappa[0], zero])[None],
        background=background[None],
        background_log_kappa=jnp.stack([zero, log_kappa[1]])[None],
        nuisance_names=_ERRORS,
    )


def _likelihood(
    n_observed: Float[Array, ""],
    background: Float[Array, ""],
    log_kappa: Float[Array, " 2"],
) -> Likelihood:
    """The same count as a likelihood; strength 1 is one event."""
    kappa = jnp.exp(log_kappa)
    signal, other = (
        [LogNormal(name, kappa[index])] for index, name in enumerate(_ERRORS)
    )
    region = Region(
        "signal",
        n_observed,
        [Term("decay", 1.0, signal)],
        [Term("background", background, other)],
    )
    return Likelihood.from_regions([region])


@eqx.filter_jit
def _all_limits(counts: _Counts, cl: float, plan: _Plan) -> dict[str, Array]:
    """All numbers of all searches."""
    n, background, sensitivity, log_kappa, is_known = counts
    quadrature, nodes = _nodes(plan)

    def events(
        n_one: Float[Array, ""], b: Float[Array, ""], logs: Float[Array, " 2"]
    ) -> tuple[Array, Array, Array]:
        found = exclusion(
            jnp.zeros(1),
            _model(b, logs),
            quadrature=quadrature,
            n_observed=n_one.astype(int),
            cl=jnp.asarray(cl),
            n_max=plan.n_max,
        )
        up, expected = found.n_up_obs, found.n_up_exp
        if up is None or expected is None:
            msg = "one count has limits of its own"
            raise InputError(msg)
        return up, expected, found.is_converged

    by_errors = jax.vmap(jax.vmap(events), (None, None, 0))
    observed, expected, is_cls = by_errors(
        n, background, jnp.asarray(_WHICH)[:, None] * log_kappa[None]
    )
    ends, is_belt = jax.vmap(
        lambda n_one, b: _feldman_cousins(n_one, b, cl=cl, n_max=plan.n_belt)
    )(n, background)
    bayesian, is_bayes = jax.vmap(
        lambda n_one, b, logs: _bayesian(n_one, b, logs, nodes=nodes, cl=cl)
    )(n, background, log_kappa)
    is_right = jnp.all(is_cls, axis=0) & is_belt & is_bayes
    needs_background = is_known[:, None]

    def limits(values: Array) -> Array:
        rank = (slice(None),) + (None,) * (values.ndim - 1)
        return jnp.where(is_right[rank], values * sensitivity[rank], jnp.nan)

    return {
        "observed": limits(observed[0]),
        "expected": jnp.where(needs_background, limits(expected[0]), jnp.nan),
        "without_background_error": limits(observed[1]),
        "without_sensitivity_error": limits(observed[2]),
        "without_errors": limits(observed[3]),
        "feldman_cousins": jnp.where(needs_background, limits(ends), jnp.nan),
        "bayesian": limits(bayesian),
        "is_converged": is_right,
    }


def _feldman_cousins(
    n: Float[Array, ""], background: Float[Array, ""], *, cl: float, n_max: int
) -> tuple[Float[Array, " 2"], Bool[Array, ""]]:
    """Interval of a count [events], and whether it is found."""
    belt = feldman_cousins_belt(background, cl=cl, n_max=n_max)
    at = n.astype(int)
    return jnp.stack([belt.low[at], belt.high[at]]), belt.is_converged[at]


def _bayesian(
    n: Float[Array, ""],
    background: Float[Array, ""],
    log_kappa: Float[Array, " 2"],
    *,
    nodes: FactorisedNodes,
    cl: float,
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """Credible limit of a count [events], and whether it is found."""
    arrays = _likelihood(n, background, log_kappa).arrays()
    found = credible_limits(arrays, prior=FlatStrength(), nodes=nodes, cl=cl)
    return found.upper_limit, found.is_converged
