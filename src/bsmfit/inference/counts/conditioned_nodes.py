r"""Choose nodes for nuisances that control bins condition.

Up to four coordinates have a product of equidistant nodes $t$ under $y = 2\sinh(t/2)$,
which reaches the exponential tail that the log of a small count has, and sees smooth
densities with an error that falls exponentially with the spacing. More coordinates have
a rank-1 lattice, its first axes those that move the counted bins. Nodes without weight
are left out.

The spacing is halved until $\ln CL_s$ of every counted bin stays the same; the last
change is the error that is stated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaincc
from jaxtyping import Array, Float

from bsmfit.inference.counts.conditioned import (
    ConditionedNodes,
    Posterior,
    conditioned_parameters,
    control_posterior,
    log_density,
)
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.nodes import factorised_nodes, spanning_axes
from bsmfit.likelihood.quadrature import lattice_rule
from bsmfit.likelihood.relevant import acting_responses

__all__ = [
    "ConditionedChoice",
    "choose_conditioned_nodes",
    "conditioned_coordinates",
    "fitted_posteriors",
]

_MOST_TENSOR_AXES = 4
_SPACINGS = (1.0, 0.75, 0.5, 0.375, 0.25, 0.1875)
_MOST_CANDIDATES = 250_000
# 2 sinh(3.25) = 26 widths: the tail of an empty control bin ends at 5e-12
_LARGEST_T = 6.5
_LATTICES = (509, 1021, 2039)
_TOLERANCE = 1e-7
_NEGLIGIBLE_WEIGHT = 1e-11
_CHUNK = 4096
_MOST_REFERENCES = 4
_FITS_AT_ONCE = 64
# nodes that an iterative solver may carry along
_MOST_SHARED = 2048
_ENOUGH_IF_SHARED = 1e-5


_Tree = TypeVar("_Tree")


class ConditionedChoice(NamedTuple):
    r"""Nodes and how good they are.

    Attributes:
        nodes: The nodes.
        error: Change of $\ln CL_s$ with the last refinement, the largest of all counted
            bins; inf where the posterior has no mode.
    """

    nodes: ConditionedNodes
    error: float


def choose_conditioned_nodes(
    arrays: LikelihoodArrays,
    *,
    signal_bins: Sequence[int],
    control_bins: Sequence[int],
    strength: Float[np.ndarray, " n_point"],
    free_prior: str,
    has_private: bool = True,
) -> ConditionedChoice:
    """Choose nodes for a grid of known values.

    Args:
        arrays: The likelihood, with one leading axis for the points.
        signal_bins: Bins that are counted.
        control_bins: Bins that condition.
        strength: Signal strength near the limit, for each point.
        free_prior: Prior of free factors.
        has_private: Whether nuisances of one background are kept apart.

    Returns:
        The nodes and their error.
    """
    empty = conditioned_coordinates(
        arrays,
        signal_bins=signal_bins,
        control_bins=control_bins,
        free_prior=free_prior,
        has_private=has_private,
    )
    fitted, _ = fitted_posteriors(arrays, empty)
    references = [
        _Reference(_row(arrays, i), _row(fitted, i), float(strength[i]))
        for i in _distinct_points(arrays, control_bins)
        if fitted.is_converged[i]
    ]
    if not references:
        return ConditionedChoice(empty, np.inf)
    error, before, chosen = np.inf, None, (empty.units, empty.log_volumes)
    for units, log_volumes in _rules(references[0], empty):
        evaluated = [one.evaluate(empty, units, log_volumes) for one in references]
        logs = np.concatenate([one.log_cls for one in evaluated])
        kept = np.any([one.is_needed for one in evaluated], axis=0)
        now = np.inf if before is None else float(np.max(np.abs(logs - before)))
        if before is not None and not empty.is_private and kept.sum() > _MOST_SHARED:
            is_enough = error < _ENOUGH_IF_SHARED
            if is_enough:
                break
        error, before = now, logs
        chosen = (units[kept], log_volumes[kept])
        if error < _TOLERANCE:
            break
    nodes = eqx.tree_at(lambda n: (n.units, n.log_volumes), empty, chosen)
    return ConditionedChoice(nodes, error)


def conditioned_coordinates(
    arrays: LikelihoodArrays,
    *,
    signal_bins: Sequence[int],
    control_bins: Sequence[int],
    free_prior: str = "flat",
    has_private: bool = True,
) -> ConditionedNodes:
    """Coordinates of the parameters that control bins constrain, one node at the mode.

    Args:
        arrays: The likelihood, with one leading axis for the points.
        signal_bins: Bins that are counted.
        control_bins: Bins that condition.
        free_prior: Prior of free factors.
        has_private: Whether nuisances of one background are kept apart.

    Returns:
        Coordinates, to be fitted by `control_posterior`.
    """
    acts = acting_responses(arrays)
    feels = acts[:, :, list(control_bins)].any(axis=(1, 2))
    feels |= np.array([kind == "free" for kind in arrays.structure.constraints])
    while True:
        wider = feels.copy()
        for a, b in arrays.structure.correlated:
            wider[[a, b]] |= wider[a] or wider[b]
        if np.array_equal(wider, feels):
            break
        feels = wider
    parameters = tuple(int(i) for i in np.flatnonzero(feels))
    directions = spanning_axes(arrays, parameters)
    n_signal = arrays.structure.n_signal
    moves_signal = acts[list(parameters), :n_signal][:, :, list(signal_bins)].any()
    return ConditionedNodes(
        base=factorised_nodes(arrays, fixed=parameters, has_private=has_private),
        units=np.zeros((1, directions.shape[0])),
        log_volumes=np.zeros(1),
        directions=directions,
        parameters=parameters,
        signal_bins=tuple(signal_bins),
        control_bins=tuple(control_bins),
        free_prior=free_prior,
        is_private=bool(has_private and len(signal_bins) == 1 and not moves_signal),
    )


@eqx.filter_jit
def fitted_posteriors(
    arrays: LikelihoodArrays, nodes: ConditionedNodes
) -> tuple[Posterior, Float[Array, "n_point n_bin"]]:
    """Fit the posterior of each point.

    Args:
        arrays: The likelihood, with one leading axis for the points.
        nodes: The coordinates, from `conditioned_coordinates`.

    Returns:
        The posteriors, and the background of all bins at their modes [events].
    """

    def fit(one: LikelihoodArrays) -> tuple[Posterior, Array]:
        posterior = control_posterior(one, nodes)
        parameters = conditioned_parameters(one, nodes, posterior.centre)
        return posterior, one.expected(parameters)[1]

    return jax.lax.map(fit, arrays, batch_size=_FITS_AT_ONCE)


class _Evaluated(NamedTuple):
    log_cls: np.ndarray
    is_needed: np.ndarray


class _Reference(NamedTuple):
    """One point, at which rules are compared."""

    arrays: LikelihoodArrays
    posterior: Posterior
    strength: float

    def evaluate(
        self, nodes: ConditionedNodes, units: np.ndarray, log_volumes: np.ndarray
    ) -> _Evaluated:
        logs, below = [], []
        for first in range(0, len(units), _CHUNK):
            chunk = units[first : first + _CHUNK]
            padded = np.zeros((_CHUNK, units.shape[1]))
            padded[: len(chunk)] = chunk
            found = _below_at(
                self.arrays, nodes, self.posterior, jnp.asarray(padded), self.strength
            )
            logs.append(np.asarray(found[0])[: len(chunk)])
            below.append(np.asarray(found[1])[: len(chunk)])
        log_weights = np.concatenate(logs) + log_volumes
        weights = np.exp(log_weights - log_weights.max())
        weights = weights / weights.sum()
        averages = np.maximum(weights @ np.concatenate(below), 1e-300)
        with_signal, without = np.split(np.log(averages), 2)
        order = np.argsort(weights)
        is_needed = np.zeros(weights.size, dtype=bool)
        is_needed[order] = np.cumsum(weights[order]) > _NEGLIGIBLE_WEIGHT
        return _Evaluated(with_signal - without, is_needed)

    def signal_axes(self, nodes: ConditionedNodes) -> tuple[np.ndarray, np.ndarray]:
        """Rotation whose first axes move the counted bins most, and how much."""
        slopes = np.asarray(_slopes(self.arrays, nodes, self.posterior, self.strength))
        _, sizes, rows = np.linalg.svd(slopes, full_matrices=True)
        padded = np.zeros(rows.shape[0])
        padded[: sizes.size] = sizes[: padded.size]
        return rows, padded


@eqx.filter_jit
def _below_at(
    arrays: LikelihoodArrays,
    nodes: ConditionedNodes,
    posterior: Posterior,
    units: Float[Array, "n_unit n_axis"],
    strength: float | Float[Array, ""],
) -> tuple[Float[Array, " n_unit"], Float[Array, "n_unit n_value"]]:
    """Log density at nodes; probabilities of the observed count or less there."""
    bins = np.array(nodes.signal_bins, dtype=int)
    counts = jnp.rint(arrays.observed[bins]) + 1.0

    def at(c: Float[Array, " n_axis"]) -> tuple[Array, Array]:
        signal, background = arrays.expected(conditioned_parameters(arrays, nodes, c))
        rates = background[bins]
        with_signal = rates + strength * signal[bins]
        both = jnp.stack([with_signal, rates])
        below = gammaincc(jnp.broadcast_to(counts, both.shape), both)
        return log_density(arrays, nodes, c), below.reshape(-1)

    return jax.vmap(at)(posterior.coordinates(jnp.asarray(units)))


@eqx.filter_jit
def _slopes(
    arrays: LikelihoodArrays,
    nodes: ConditionedNodes,
    posterior: Posterior,
    strength: float | Float[Array, ""],
) -> Float[Array, "n_value n_axis"]:
    """How the counted bins respond to one width of each coordinate."""
    bins = np.array(nodes.signal_bins, dtype=int)

    def deviations(unit: Float[Array, " n_axis"]) -> Float[Array, " n_value"]:
        c = posterior.coordinates(unit[None])[0]
        signal, background = arrays.expected(conditioned_parameters(arrays, nodes, c))
        both = jnp.concatenate([strength * signal[bins], background[bins]])
        return jnp.log(jnp.maximum(both, 1e-300))

    return jax.jacfwd(deviations)(jnp.zeros(nodes.units.shape[1]))


def _rules(
    reference: _Reference, nodes: ConditionedNodes
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Finer and finer nodes and the logs of their volumes."""
    n_axis = nodes.directions.shape[0]
    if n_axis <= _MOST_TENSOR_AXES:
        for spacing in _SPACINGS:
            half = int(np.ceil(_LARGEST_T / spacing))
            if (2 * half + 1) ** n_axis > _MOST_CANDIDATES:
                return
            t = spacing * np.arange(-half, half + 1)
            grid = np.array(list(product(t, repeat=n_axis))).reshape(-1, n_axis)
            yield 2.0 * np.sinh(grid / 2.0), np.log(np.cosh(grid / 2.0)).sum(axis=1)
        return
    rows, sizes = reference.signal_axes(nodes)
    # axes that move no counted bin still have a density that is not quite Gaussian
    sizes = np.maximum(sizes, 0.05 * max(sizes.max(), 1e-9))
    for n_node in _LATTICES:
        normals, _ = lattice_rule(sizes, n_node)
        yield normals @ rows, 0.5 * np.sum(normals**2, axis=1)


def _row(tree: _Tree, index: int) -> _Tree:
    """One point of a grid."""
    return jax.tree.map(lambda leaf: leaf[index], tree)


def _distinct_points(arrays: LikelihoodArrays, control_bins: Sequence[int]) -> list:
    """A few points of a grid whose control bins differ, the poorest among them."""
    n_point = arrays.observed.shape[0]
    n_signal = arrays.structure.n_signal
    parts = [
        arrays.observed[:, list(control_bins)],
        arrays.yields[:, n_signal:],
        arrays.log_response,
        arrays.asymmetric,
        arrays.morphs,
        arrays.linear_response,
        arrays.auxiliary,
        arrays.scale,
        arrays.coefficients,
    ]
    rows = np.concatenate([np.asarray(p).reshape(n_point, -1) for p in parts], axis=1)
    _, first = np.unique(rows, axis=0, return_index=True)
    # the poorest control bins have the widest posterior
    n_event = np.asarray(parts[0]).sum(axis=1)[first]
    first = first[np.argsort(n_event, kind="stable")]
    chosen = np.linspace(0, first.size - 1, min(first.size, _MOST_REFERENCES))
    return [int(first[int(i)]) for i in chosen]
