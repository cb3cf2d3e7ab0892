r"""Credible limits by quadrature: posteriors of whole maps.

$$p(\mu\,|\,n) \propto \pi(\mu)\,E_z\Big[\prod_i\mathrm{Pois}(n_i\,|\,\mu s_i(z)
  + b_i(z))\Big]$$

The average over nuisances uses the constant nodes of `bsmfit.likelihood.nodes`,
everything in logarithms. In the strength:

1. a logarithmic grid in signal *events* finds where the posterior lies, a linear one
   inside refines the range: it ends where the density has fallen by e^-35;
2. Gauss-Legendre nodes on panels of that range, in the coordinate in which the prior
   is smooth;
3. the Legendre series of each panel gives the cumulative distribution between nodes,
   and quantiles solve it (`illinois_root`), differentiable through that equation.

A flat prior and known background reproduce CLs exactly. Coverage is not guaranteed:
results are labelled credible.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import gammaln, logsumexp
from jaxtyping import Array, Bool, Float

from bsmfit._x64 import require_x64
from bsmfit.core.argument import instance, level, whole_number
from bsmfit.core.illinois import illinois_root
from bsmfit.inference.posteriors.priors import Prior, check_prior
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.likelihood import Likelihood, broadcast_points
from bsmfit.likelihood.nodes import FactorisedNodes, factorised_nodes

__all__ = ["CREDIBLE_LABEL", "CredibleLimits", "credible_limits", "credible_map"]

CREDIBLE_LABEL = "credible, coverage not guaranteed"

_SMALLEST = 1e-300
_N_LEGENDRE = 16
# relative edges of the panels: finer where a limit's posterior usually bends
_PANELS = np.array([0.0, 0.03, 0.1, 0.2, 0.35, 0.55, 0.75, 1.0])
_N_SEARCH = 48
_DEPTH = 35.0
# the density at an open end must have fallen by e^-20: a tail of 1e-8
_TAIL_DEPTH = 20.0


class CredibleLimits(eqx.Module):
    """What the posterior says about the strength.

    Attributes:
        upper_limit: Upper end of the one-sided interval from the lowest strength [1].
        lower: Lower end of the central interval [1].
        upper: Upper end of the central interval [1].
        mean: Posterior mean [1].
        is_converged: Whether the range was found, the tail beyond it is below 1e-8 and
            all equations are solved.
        cl: Posterior probability of each interval.
        prior: Its description.
        method: ``"bayes"``.
        label: What to write beside the number.
    """

    upper_limit: Float[Array, "*point"]
    lower: Float[Array, "*point"]
    upper: Float[Array, "*point"]
    mean: Float[Array, "*point"]
    is_converged: Bool[Array, "*point"]
    cl: float = eqx.field(static=True)
    prior: str = eqx.field(static=True)
    method: str = eqx.field(static=True, default="bayes")
    label: str = eqx.field(static=True, default=CREDIBLE_LABEL)


class _Rates(eqx.Module):
    """Expected events at all nodes; densities times rates at each event."""

    signal: Float[Array, "*node n_bin"]
    background: Float[Array, "*node n_bin"]
    event_signal: Float[Array, "*node n_event"]
    event_background: Float[Array, "*node n_event"]


def credible_limits(
    arrays: LikelihoodArrays, *, prior: Prior, nodes: FactorisedNodes, cl: float
) -> CredibleLimits:
    """Credible limit and central interval of the strength, for one point.

    Everything but the prior, the nodes and `cl` may be traced, and is differentiable.

    Args:
        arrays: The likelihood of one point.
        prior: Prior on the strength.
        nodes: `bsmfit.likelihood.nodes.factorised_nodes` of this likelihood, or of the
            grid it belongs to.
        cl: Posterior probability, for example 0.90.

    Returns:
        The limits. Where `is_converged` is False they mean nothing.

    Examples:
        >>> from bsmfit.inference.posteriors.priors import FlatStrength
        >>> from bsmfit.likelihood.region import Region, Term
        >>> region = Region("dimuon", 0, signal=[Term("signal", 1.0)])
        >>> arrays = Likelihood.from_regions([region]).arrays()
        >>> nodes = factorised_nodes(arrays)
        >>> solve = jax.jit(
        ...     lambda a: credible_limits(a, prior=FlatStrength(), nodes=nodes, cl=0.9)
        ... )
        >>> found = solve(arrays)
        >>> round(float(found.upper_limit), 6)
        2.302585
    """
    require_x64("credible_limits")
    cl = level(cl)
    rates = _rates(arrays, nodes)

    def log_posterior(coordinates: Float[Array, " n"]) -> Float[Array, " n"]:
        return _log_posterior(coordinates, arrays, rates, prior=prior, nodes=nodes)

    edges, is_found = lax.stop_gradient(_panel_edges(arrays, log_posterior, prior))
    x, _ = np.polynomial.legendre.leggauss(_N_LEGENDRE)
    half = 0.5 * jnp.diff(edges)
    coordinates = half[:, None] * (x + 1.0)[None] + edges[:-1, None]
    log_density = lax.map(log_posterior, coordinates)
    log_density = log_density - lax.stop_gradient(jnp.max(log_density))
    density = jnp.exp(log_density) * half[:, None]
    weights = density * _legendre_weights()[None]
    total = jnp.sum(weights)
    quantiles, is_solved = _quantiles(
        density / total, weights / total, probabilities=(cl, (1 - cl) / 2, (1 + cl) / 2)
    )
    panel, position = quantiles
    strengths = prior.strength(edges[:-1][panel] + half[panel] * (position + 1.0))
    mean = jnp.sum(weights * prior.strength(coordinates)) / total
    return CredibleLimits(
        upper_limit=strengths[0],
        lower=strengths[1],
        upper=strengths[2],
        mean=mean,
        is_converged=is_found & is_solved & jnp.isfinite(mean),
        cl=cl,
        prior=prior.description,
    )


def credible_map(
    likelihood: Likelihood, *, prior: Prior, cl: float, batch_size: int = 64
) -> CredibleLimits:
    """Credible limits of all points of a grid, in chunks.

    Args:
        likelihood: The likelihood; leading axes of its arrays are the grid.
        prior: Prior on the strength, the same for all points.
        cl: Posterior probability.
        batch_size: Points per chunk, at most 256.

    Returns:
        Limits of shape (n_point,), in the order of `broadcast_points`.
    """
    hint = "make one with bsmfit.Likelihood.from_regions([...])"
    instance("likelihood", likelihood, Likelihood, hint=hint)
    check_prior(prior)
    cl = level(cl)
    batch_size = whole_number("batch_size", batch_size, low=1, high=256)
    points = broadcast_points(likelihood)
    nodes = factorised_nodes(jax.vmap(lambda point: point.arrays())(points))

    def at_point(point: Likelihood) -> CredibleLimits:
        return credible_limits(point.arrays(), prior=prior, nodes=nodes, cl=cl)

    n_point = jax.tree.leaves(points)[0].shape[0]
    n_chunk = -(-n_point // batch_size)
    batch_size = -(-n_point // n_chunk)
    # whole chunks: the last point again and again where one is not full
    index = np.minimum(np.arange(n_chunk * batch_size), n_point - 1)
    chunks = jax.tree.map(
        lambda leaf: leaf[index].reshape(n_chunk, batch_size, *leaf.shape[1:]), points
    )
    found = jax.jit(lambda all_: lax.map(jax.vmap(at_point), all_))(chunks)
    return jax.tree.map(lambda leaf: leaf.reshape(-1)[:n_point], found)


def _rates(arrays: LikelihoodArrays, nodes: FactorisedNodes) -> _Rates:
    n_signal = arrays.structure.n_signal
    bins = np.array(arrays.structure.event_bins, dtype=int)
    both = jnp.asarray(nodes.shared[:, None] + nodes.private[None])

    def at_node(normal: Float[Array, " n_parameter"]) -> _Rates:
        yields = arrays.term_yields(arrays.parameters_from_normal(normal))
        events = yields[:, bins] * arrays.event_densities
        return _Rates(
            signal=jnp.sum(yields[:n_signal], axis=0),
            background=jnp.sum(yields[n_signal:], axis=0),
            event_signal=jnp.sum(events[:n_signal], axis=0),
            event_background=jnp.sum(events[n_signal:], axis=0),
        )

    return jax.vmap(jax.vmap(at_node))(both)


def _log_posterior(
    coordinates: Float[Array, " n"],
    arrays: LikelihoodArrays,
    rates: _Rates,
    *,
    prior: Prior,
    nodes: FactorisedNodes,
) -> Float[Array, " n"]:
    """Log of the unnormalised density in the coordinate of the prior."""
    bins = np.array(arrays.structure.event_bins, dtype=int)
    has_events = np.isin(np.arange(arrays.observed.shape[0]), bins)
    counted = jnp.where(has_events, 0.0, arrays.observed)[None, None]
    constant = gammaln(counted + 1.0)
    with np.errstate(divide="ignore"):
        log_private = np.log(nodes.private_weights)
    log_shared = np.log(nodes.shared_weights)

    def at(coordinate: Float[Array, ""]) -> Float[Array, ""]:
        strength = prior.strength(coordinate)
        # moved shapes may go below zero
        rate = jnp.maximum(strength * rates.signal + rates.background, 0.0)
        log_rate = jnp.log(jnp.maximum(rate, _SMALLEST))
        log_bins = counted * log_rate - rate - constant
        event = strength * rates.event_signal + rates.event_background
        log_event = jnp.log(jnp.maximum(event, _SMALLEST))
        for index, column in enumerate(bins):
            log_bins = log_bins.at[..., column].add(log_event[..., index])
        by_bin = logsumexp(log_bins + log_private[None], axis=1)
        average = logsumexp(jnp.sum(by_bin, axis=1) + log_shared)
        log_jacobian = jnp.log(jnp.abs(jax.grad(prior.strength)(coordinate)))
        return average + prior.log_density(strength, arrays) + log_jacobian

    return jax.vmap(at)(coordinates)


def _panel_edges(
    arrays: LikelihoodArrays, log_posterior, prior: Prior
) -> tuple[Float[Array, " n_edge"], Bool[Array, ""]]:
    """Edges of the panels, in the coordinate, and whether the posterior is inside."""
    signal, _ = arrays.expected(arrays.nominal_parameters())
    total = jnp.sum(signal)
    per_event = 1.0 / jnp.where(total > 0.0, total, 1.0)
    n_observed = jnp.sum(arrays.observed)
    # from a hundredth of an event to far above what was seen
    events = jnp.exp(
        jnp.linspace(np.log(1e-2), jnp.log(1e4 * (n_observed + 10.0)), _N_SEARCH)
    )
    bottom, top = prior.lowest, prior.highest
    # strengths that a search can tell from none, within those that are allowed
    first = jnp.clip(events * per_event, max(bottom, _SMALLEST), top)
    first = prior.coordinate(first)
    low, high, _ = _shrink(first, log_posterior)
    low = jnp.where(low <= first[0], prior.coordinate(jnp.asarray(bottom)), low)
    second = low + (high - low) * jnp.linspace(1e-6, 1.0, _N_SEARCH)
    narrow, high, depth = _shrink(second, log_posterior)
    low = jnp.where(narrow <= second[0], low, narrow)
    is_closed = (prior.strength(high) >= top * (1.0 - 1e-12)) | (depth > _TAIL_DEPTH)
    edges = low + (high - low) * jnp.asarray(_PANELS)
    return edges, is_closed & (high > low) & (total > 0.0)


def _shrink(
    points: Float[Array, " n"], log_posterior
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    """Neighbours of the region within e^-35 of the largest density; depth at the end.

    The points are taken a few at a time to save memory.
    """
    values = lax.map(log_posterior, points.reshape(-1, _N_LEGENDRE)).reshape(-1)
    is_inside = values > jnp.max(values) - _DEPTH
    index = jnp.arange(points.shape[0])
    first = jnp.min(jnp.where(is_inside, index, points.shape[0]))
    last = jnp.max(jnp.where(is_inside, index, -1))
    low, high = jnp.maximum(first - 1, 0), jnp.minimum(last + 1, points.shape[0] - 1)
    return points[low], points[high], jnp.max(values) - values[high]


def _legendre_weights() -> np.ndarray:
    return np.polynomial.legendre.leggauss(_N_LEGENDRE)[1]


def _quantiles(
    density: Float[Array, "n_panel n"],
    weights: Float[Array, "n_panel n"],
    *,
    probabilities: tuple[float, ...],
) -> tuple[tuple[Array, Float[Array, " n_quantile"]], Bool[Array, ""]]:
    """Panel and position within it (-1 to 1) of quantiles, and whether all are."""
    order = np.arange(_N_LEGENDRE)
    x, w = np.polynomial.legendre.leggauss(_N_LEGENDRE)
    # values at the nodes -> Legendre coefficients -> those of the integral from -1
    to_series = (
        (order[:, None] + 0.5)
        * np.polynomial.legendre.legvander(x, _N_LEGENDRE - 1).T
        * w
    )
    integral = np.polynomial.legendre.legint(to_series, lbnd=-1, axis=0)
    series = density @ integral.T
    cumulative = jnp.cumsum(jnp.sum(weights, axis=1))
    targets = jnp.asarray(probabilities)
    panel = jnp.searchsorted(lax.stop_gradient(cumulative), targets)
    panel = jnp.clip(panel, 0, density.shape[0] - 1)
    before = jnp.where(panel > 0, cumulative[jnp.maximum(panel - 1, 0)], 0.0)

    def excess(position: Float[Array, " n_quantile"]) -> Float[Array, " n_quantile"]:
        polynomials = [jnp.ones_like(position), position]
        for degree in range(2, _N_LEGENDRE + 1):
            previous, last = polynomials[-2:]
            polynomials.append(
                ((2 * degree - 1) * position * last - (degree - 1) * previous) / degree
            )
        inside = jnp.sum(series[panel] * jnp.stack(polynomials, axis=1), axis=1)
        return before + inside - targets

    ones = jnp.ones_like(targets)
    position, is_solved = illinois_root(excess, -ones, ones, n_step=16, tolerance=1e-9)
    return (panel, position), jnp.all(is_solved)
