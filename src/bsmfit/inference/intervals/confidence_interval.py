r"""Two-sided intervals and significances of any likelihood, on a grid of points.

| method | what it is | for |
|---|---|---|
| ``feldman-cousins`` | exact belt; profiled by toys with nuisances | one count |
| ``profile`` | $t_\mu$ at its $\chi^2$ quantile | ten events or more |

| significance | what it is | for |
|---|---|---|
| ``exact`` | $p_0 = E_\theta[P(N\ge n;\, b(\theta))]$ | one count |
| ``asymptotic`` | $\sqrt{q_0}$ | ten events or more, several bins |

``"auto"`` chooses by the counts, as for limits.
"""

from __future__ import annotations

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammainc, ndtri
from jaxtyping import Array, Bool, Float

from bsmfit.core.argument import choice, instance, level
from bsmfit.errors import InputError, LowCountWarning
from bsmfit.inference.asymptotics.counting import in_chunks
from bsmfit.inference.fits.separable import counting_point, is_separable
from bsmfit.inference.intervals.feldman_cousins import feldman_cousins_belt
from bsmfit.inference.intervals.profile_interval import discovery, profile_interval
from bsmfit.inference.intervals.profiled_feldman_cousins import profiled_feldman_cousins
from bsmfit.inference.intervals.significance import Significance
from bsmfit.inference.limits.method import ENOUGH_EVENTS
from bsmfit.inference.limits.points import Points, point_status
from bsmfit.inference.limits.result import Interval, Status
from bsmfit.inference.toys.limits import Toys
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.nodes import FactorisedNodes, factorised_nodes

__all__ = ["confidence_interval", "discovery_significance"]

_INTERVALS = ("auto", "feldman-cousins", "profile")
_SIGNIFICANCES = ("auto", "exact", "asymptotic")
_N_CHUNK_FITS = 32
_N_STRENGTH = 161
_SMALLEST_P_VALUE = 1e-300


def confidence_interval(
    likelihood: Likelihood, *, cl: float, method: str = "auto", toys: Toys | None = None
) -> Interval:
    """Interval of the signal strength, one-sided or two-sided as the data decide.

    Args:
        likelihood: The likelihood; leading axes of its arrays are points of a grid.
        cl: Confidence level, for example 0.90.
        method: ``"auto"``, ``"feldman-cousins"`` or ``"profile"``.
        toys: For Feldman-Cousins intervals with nuisances: number, key and ensemble
            (``"unconditional"`` or ``"conditional"``).

    Returns:
        The interval; nan and a status where there is none.

    Raises:
        InputError: A level or method that does not exist, or one that the likelihood
            does not allow.

    Examples:
        >>> from bsmfit.likelihood.region import Region, Term
        >>> region = Region("r", 1, [Term("s", 1.0)], [Term("b", 0.5)])
        >>> found = confidence_interval(Likelihood.from_regions([region]), cl=0.90)
        >>> round(float(found.low), 3), round(float(found.high), 3), found.method
        (0.0, 3.857, 'feldman-cousins')
    """
    cl = level(cl)
    if toys is not None:
        instance("toys", toys, Toys, hint="write bsmfit.Toys(jax.random.key(0))")
    points = Points.from_likelihood(likelihood, "confidence_interval")
    method, reason = _choose(points, method, _INTERVALS, low_counts="feldman-cousins")
    if method == "profile":
        low, high, is_converged = _profiled(points, cl=cl)
        ensemble = "asymptotic"
    elif points.n_bin == 1 and not points.arrays.structure.parameter_names:
        low, high, is_converged = _belt(points, _largest_count(points), cl=cl)
        ensemble = "known-background"
    else:
        low, high, is_converged = _profiled_belt(points, _needed(points, toys), cl=cl)
        ensemble = toys.ensemble if toys is not None else ""
    status = point_status(points, is_converged)
    is_right = status == Status.OK
    return Interval(
        low=points.reshape(jnp.where(is_right, low, jnp.nan)),
        high=points.reshape(jnp.where(is_right, high, jnp.nan)),
        status=points.reshape(status),
        cl=cl,
        method=method,
        ensemble=ensemble,
        reason=reason,
    )


def discovery_significance(
    likelihood: Likelihood, *, method: str = "auto"
) -> Significance:
    r"""Significance of an excess over background alone.

    Args:
        likelihood: The likelihood; leading axes of its arrays are points of a grid.
        method: ``"auto"``, ``"exact"`` (one count) or ``"asymptotic"``.

    Returns:
        $p_0$ and Z, one-sided and two-sided; nan where a fit did not converge.

    Raises:
        InputError: A method that does not exist, or one that the likelihood does not
            allow.

    Examples:
        >>> from bsmfit.likelihood.region import Region, Term
        >>> region = Region("r", 1, [Term("s", 1.0)], [Term("b", 0.016)])
        >>> found = discovery_significance(Likelihood.from_regions([region]))
        >>> round(float(found.z_one_sided), 3), round(float(found.z_two_sided), 3)
        (2.148, 2.412)
    """
    points = Points.from_likelihood(likelihood, "discovery_significance")
    _refuse_without_background(points)
    method, _ = _choose(points, method, _SIGNIFICANCES, low_counts="exact")
    if method == "asymptotic":
        p_value, one_sided, two_sided = _asymptotic_significance(points)
        ensemble = "asymptotic"
    else:
        if points.n_bin > 1:
            msg = (
                f"an exact significance is that of one count, not of {points.n_bin} "
                "bins; use method='asymptotic', or add the bins up"
            )
            raise InputError(msg)
        nodes = factorised_nodes(points.arrays)
        p_value = _exact_p_value(points, nodes)
        floored = jnp.maximum(p_value, _SMALLEST_P_VALUE)
        one_sided = -ndtri(jnp.minimum(floored, 0.5))
        two_sided = -ndtri(0.5 * floored)
        is_known = not points.arrays.structure.parameter_names
        ensemble = "known-background" if is_known else "marginal"
    return Significance(
        p_value=points.reshape(p_value),
        z_one_sided=points.reshape(one_sided),
        z_two_sided=points.reshape(two_sided),
        method=method,
        ensemble=ensemble,
    )


def _refuse_without_background(points: Points) -> None:
    """Refuse a significance where background alone cannot have made the data."""
    if not points.is_concrete:
        return
    observed, background = (
        np.asarray(points.arrays.observed),
        np.asarray(points.background),
    )
    is_impossible = (observed > 0.0) & (background <= 0.0)
    if np.any(is_impossible):
        msg = (
            f"{observed[is_impossible][0]:g} events were observed where no background "
            "is expected: no background explains them, so that a significance does not "
            "exist; give the background that you cannot exclude, or ask for a limit "
            "(upper_limit), which exists"
        )
        raise InputError(msg)


def _choose(
    points: Points, method: str, allowed: tuple[str, ...], *, low_counts: str
) -> tuple[str, str]:
    """The method, and why."""
    choice("method", method, allowed)
    if not points.is_concrete:
        if method == "auto":
            msg = "method='auto' looks at the counts, which are traced; name the method"
            raise InputError(msg)
        return method, "asked for; counts are traced"
    n_event = float(np.min(points.n_event))
    is_low = n_event < ENOUGH_EVENTS
    few = f"a point has {n_event:.3g} events (observed or expected, the smaller)"
    if method == "auto":
        return (low_counts, few) if is_low else (allowed[2], "ten events or more")
    if method in ("profile", "asymptotic") and is_low:
        msg = f"{few}: asymptotic formulae do not hold; use method={low_counts!r}"
        warnings.warn(msg, LowCountWarning, stacklevel=3)
    return method, "asked for"


@eqx.filter_jit
def _profiled(
    points: Points, *, cl: float
) -> tuple[Float[Array, " n_point"], Float[Array, " n_point"], Bool[Array, " n_point"]]:
    found = in_chunks(
        lambda arrays: profile_interval(arrays, cl=cl),
        points.arrays,
        n_chunk=_N_CHUNK_FITS,
    )
    return found.low, found.high, found.is_converged


@eqx.filter_jit
def _belt(
    points: Points, n_max: int, *, cl: float
) -> tuple[Float[Array, " n_point"], Float[Array, " n_point"], Bool[Array, " n_point"]]:
    def interval(arrays: LikelihoodArrays, signal, background):
        belt = feldman_cousins_belt(background[0], cl=cl, n_max=n_max)
        n = jnp.clip(arrays.observed[0].astype(int), 0, n_max)
        scale = jnp.where(signal[0] > 0.0, signal[0], 1.0)
        return belt.low[n] / scale, belt.high[n] / scale, belt.is_converged[n]

    return in_chunks(
        interval, points.arrays, points.signal, points.background, n_chunk=64
    )


def _profiled_belt(
    points: Points, toys: Toys, *, cl: float
) -> tuple[Float[Array, " n_point"], Float[Array, " n_point"], Bool[Array, " n_point"]]:
    n = _largest_count(points)
    rate = 2.0 * n + 6.0 * np.sqrt(n + 1.0) + 4.0
    n_max = int(np.ceil(rate + 8.0 * np.sqrt(rate) + 10.0))

    @eqx.filter_jit
    def run(arrays: LikelihoodArrays, key):
        def interval(one: LikelihoodArrays):
            point = counting_point(one)
            n = point.n_observed
            most = (n + 4.0 * jnp.sqrt(n + 1.0) + 4.0) * (
                1.0 + 3.0 * point.signal_log_kappa
            )
            has_signal = point.signal > 0.0
            top = most / jnp.where(has_signal, point.signal, 1.0)
            found = profiled_feldman_cousins(
                point,
                top * jnp.linspace(0.0, 1.0, _N_STRENGTH),
                cl=cl,
                key=key,
                ensemble=toys.ensemble,
                n_toy=toys.n_toy,
                n_max=n_max,
            )
            return found.low, found.high, found.is_converged

        return in_chunks(interval, arrays, n_chunk=1)

    return run(points.arrays, toys.key)


@eqx.filter_jit
def _asymptotic_significance(
    points: Points,
) -> tuple[
    Float[Array, " n_point"], Float[Array, " n_point"], Float[Array, " n_point"]
]:
    found = in_chunks(discovery, points.arrays, n_chunk=_N_CHUNK_FITS)

    def right(values: Float[Array, " n_point"]) -> Float[Array, " n_point"]:
        return jnp.where(found.is_converged, values, jnp.nan)

    return right(found.p_value), right(found.z_one_sided), right(found.z_two_sided)


@eqx.filter_jit
def _exact_p_value(points: Points, nodes: FactorisedNodes) -> Float[Array, " n_point"]:
    """Probability of the observed count or more, nuisances averaged."""
    shared, private = jnp.asarray(nodes.shared), jnp.asarray(nodes.private)
    sums = private[:, None, :] + shared[None, :, :]

    def p_value(arrays: LikelihoodArrays) -> Float[Array, ""]:
        def excess(normal: Float[Array, " n_parameter"]) -> Float[Array, ""]:
            _, background = arrays.expected(arrays.parameters_from_normal(normal))
            n = jnp.maximum(arrays.observed[0], 1.0)
            return gammainc(n, background[0])

        by_node = jax.vmap(jax.vmap(excess))(sums)
        weights = jnp.asarray(nodes.private_weights[:, 0])
        average = weights @ by_node @ jnp.asarray(nodes.shared_weights)
        return jnp.where(arrays.observed[0] > 0.0, average, 1.0)

    return in_chunks(p_value, points.arrays, n_chunk=64)


def _largest_count(points: Points) -> int:
    """Counts that belts must reach."""
    if not points.is_concrete:
        msg = "belts reach up to the observed counts, which are traced here"
        raise InputError(msg)
    observed = np.asarray(points.arrays.observed)
    fractional = observed[observed != np.rint(observed)]
    if fractional.size:
        msg = (
            f"a region has {fractional[0]:.4g} observed events: a Feldman-Cousins belt "
            "is made of whole counts; use method='profile'"
        )
        raise InputError(msg)
    largest = observed.max()
    return int(max(largest, np.asarray(points.background).max(), 5.0)) + 5


def _needed(points: Points, toys: Toys | None) -> Toys:
    """Toys for a Feldman-Cousins interval with nuisances."""
    if not is_separable(points.arrays.structure):
        msg = (
            "Feldman-Cousins intervals are those of one count whose log-normal "
            "nuisances act on one term each; use method='profile'"
        )
        raise InputError(msg)
    if toys is None or toys.ensemble == "marginal":
        msg = (
            "Feldman-Cousins intervals with nuisances need "
            "toys=Toys(jax.random.key(seed)), unconditional or conditional"
        )
        raise InputError(msg)
    return toys
