r"""Nuisances as the bins without signal leave them: posterior nodes.

Bins without signal (control regions) do not depend on the strength. They enter an exact
sum by what they say about the nuisances, of any number of events:

$$p(x\,|\,\mathrm{control}) \propto \pi(x)\prod_{i\in\mathrm{control}}
  \mathrm{Pois}(n_i\,|\,b_i(x))$$

replaces the prior in the averages over nuisances. $\pi$ are the constraints. A free
factor has none; its prior is flat in the expected counts of the control bins
(``"flat"``) or Jeffreys's (``"jeffreys"``). Both are volume elements, so that it does
not matter how factors are chosen,

$$\pi \propto \sqrt{\det J^TJ}\quad\text{or}\quad\sqrt{\det J^T\lambda^{-1}J},\qquad
  J_{if} = \partial\lambda_i/\partial\ln k_f.$$

One factor and one control bin are exactly a `Sideband`; three factors and the three
control regions of an ABCD estimate have independent gamma distributions of the expected
counts there.

Nodes lie where the posterior does: it is fitted (Laplace: mode $\hat c$, curvature
$H$), in coordinates $c = \hat c + H^{-1/2}y$ nodes $y_j$ are fixed, and their weights
are the posterior density times the volume of the node. Since fit and weights are part
of the program, nodes follow the data of each point, and a plan serves other data too.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import xlogy
from jaxtyping import Array, Bool, Float, Int

from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.nodes import FactorisedNodes

__all__ = [
    "FREE_PRIORS",
    "ConditionedNodes",
    "Posterior",
    "conditioned_parameters",
    "control_posterior",
    "log_density",
]

FREE_PRIORS = ("flat", "jeffreys")
_N_STEP = 120
_LONGEST_STEP = 2.0
_FRACTIONS = (1.0, 0.5, 0.2, 0.05, 0.0)
_DECREMENT_TOLERANCE = 1e-10
_SMALLEST_CURVATURE = 1e-9
_SMALLEST_RATE = 1e-300


class ConditionedNodes(eqx.Module):
    r"""Nodes of nuisances that control bins constrain, and of all others.

    Attributes:
        base: Nodes of the nuisances that no control bin feels.
        units: $y_j$, nodes in units of the posterior's width.
        log_volumes: ln of the volume of each.
        directions: Orthonormal axes of the coordinates in the space of parameters.
        parameters: Parameters that the control bins constrain.
        signal_bins: Bins that are counted.
        control_bins: Bins that condition.
        free_prior: Prior of free factors, one of `FREE_PRIORS`.
        is_private: Whether the coordinates move nothing but the background of the only
            signal bin.
    """

    base: FactorisedNodes
    units: Float[np.ndarray, "n_unit n_axis"]
    log_volumes: Float[np.ndarray, " n_unit"]
    directions: Float[np.ndarray, "n_axis n_parameter"]
    parameters: tuple[int, ...] = eqx.field(static=True)
    signal_bins: tuple[int, ...] = eqx.field(static=True)
    control_bins: tuple[int, ...] = eqx.field(static=True)
    free_prior: str = eqx.field(static=True)
    is_private: bool = eqx.field(static=True)

    @property
    def is_conditioned(self) -> np.ndarray:
        """For each parameter, whether the control bins constrain it."""
        index = np.arange(self.directions.shape[1])
        return np.isin(index, np.array(self.parameters, dtype=int))


class Posterior(eqx.Module):
    r"""Where the posterior lies, for one point.

    Attributes:
        centre: Its mode $\hat c$.
        scale: $H^{-1/2}$.
        is_converged: Whether it has a mode and a finite width.
    """

    centre: Float[Array, " n_axis"]
    scale: Float[Array, "n_axis n_axis"]
    is_converged: Bool[Array, ""]

    def coordinates(
        self, units: Float[Array, "n_unit n_axis"]
    ) -> Float[Array, "n_unit n_axis"]:
        """Coordinates of nodes that are given in units of the width.

        Args:
            units: The nodes.

        Returns:
            $c_j$.
        """
        return self.centre[None, :] + units @ self.scale.T


def control_posterior(arrays: LikelihoodArrays, nodes: ConditionedNodes) -> Posterior:
    """Fit the posterior of the conditioned coordinates.

    Args:
        arrays: The likelihood of one point.
        nodes: Coordinates and control bins; the nodes themselves are not read.

    Returns:
        Its mode and width, without derivatives.
    """
    fixed = lax.stop_gradient(arrays)

    def minus_log(c: Float[Array, " n_axis"]) -> Float[Array, ""]:
        return -log_density(fixed, nodes, c)

    # the prior of free factors bends little: left out, a step is not quite Newton's
    curvature_of = jax.hessian(lambda c: -_log_likelihood(fixed, nodes, c))

    def step(state: _Fit) -> _Fit:
        slope = jax.grad(minus_log)(state.c)
        values, vectors = jnp.linalg.eigh(curvature_of(state.c))
        positive = jnp.maximum(jnp.abs(values), _SMALLEST_CURVATURE)
        direction = vectors @ ((vectors.T @ slope) / positive)
        decrement = slope @ direction
        longest = jnp.max(jnp.abs(direction), initial=0.0)
        direction = direction / jnp.maximum(1.0, longest / _LONGEST_STEP)
        tried = state.c[None] - jnp.asarray(_FRACTIONS)[:, None] * direction[None]
        found = jax.vmap(minus_log)(tried)
        best = tried[jnp.argmin(jnp.where(jnp.isnan(found), jnp.inf, found))]
        return _Fit(best, decrement, values, vectors, state.n_done + 1)

    def is_open(state: _Fit) -> Bool[Array, ""]:
        return (state.decrement > _DECREMENT_TOLERANCE) & (state.n_done < _N_STEP)

    n_axis = nodes.directions.shape[0]
    unit = jnp.eye(n_axis)
    begin = _Fit(
        jnp.zeros(n_axis), jnp.asarray(jnp.inf), unit[0] * 0.0, unit, jnp.asarray(0)
    )
    found = lax.while_loop(is_open, step, begin)
    # the decrement is in units of the log density; 1e-6 moves the mode by 0.1 % of
    # its width, which nodes do not notice
    is_converged = (found.decrement < 1e-6) & jnp.all(jnp.isfinite(found.c))
    is_converged = is_converged & (jnp.min(found.values) > _SMALLEST_CURVATURE)
    width = jnp.sqrt(jnp.maximum(found.values, _SMALLEST_CURVATURE))
    scale = jnp.where(is_converged, found.vectors / width[None], unit)
    return Posterior(lax.stop_gradient(found.c), scale, is_converged)


class _Fit(NamedTuple):
    """State of the fit; curvatures are those before the last step."""

    c: Float[Array, " n_axis"]
    decrement: Float[Array, ""]
    values: Float[Array, " n_axis"]
    vectors: Float[Array, "n_axis n_axis"]
    n_done: Int[Array, ""]


def log_density(
    arrays: LikelihoodArrays, nodes: ConditionedNodes, c: Float[Array, " n_axis"]
) -> Float[Array, ""]:
    """Log of the unnormalised posterior density in the coordinates.

    Args:
        arrays: The likelihood of one point.
        nodes: Coordinates, control bins and prior of free factors.
        c: Coordinates.

    Returns:
        The log density; minus infinity where a Gaussian factor is cut off.
    """
    value = _log_likelihood(arrays, nodes, c)
    kinds = np.array(arrays.structure.constraints)
    free = np.flatnonzero(nodes.is_conditioned & (kinds == "free"))
    if not free.size:
        return value
    parameters = conditioned_parameters(arrays, nodes, c)
    return value + _log_volume(arrays, nodes, parameters, free)


def _log_likelihood(
    arrays: LikelihoodArrays, nodes: ConditionedNodes, c: Float[Array, " n_axis"]
) -> Float[Array, ""]:
    """The density without the prior of free factors."""
    parameters = conditioned_parameters(arrays, nodes, c)
    structure = arrays.structure
    kinds = np.array(structure.constraints)
    inside = nodes.is_conditioned
    deviation = jnp.where(
        inside & (kinds == "normal"), parameters - arrays.auxiliary, 0.0
    )
    shape = arrays.auxiliary + np.array(structure.flat_offset)
    gamma = shape * parameters - arrays.scale * jnp.exp(parameters)
    value = -0.5 * jnp.sum(deviation**2)
    value = value + jnp.sum(jnp.where(inside & (kinds == "poisson"), gamma, 0.0))
    rates = _control_rates(arrays, nodes, parameters)
    observed = arrays.observed[np.array(nodes.control_bins, dtype=int)]
    safe = jnp.maximum(rates, _SMALLEST_RATE)
    value = value + jnp.sum(xlogy(observed, safe) - rates)
    for index, response in zip(structure.linear, arrays.linear_response, strict=True):
        if inside[index]:
            is_cut = 1.0 + jnp.max(response) * parameters[index] < 0.0
            value = jnp.where(is_cut, -jnp.inf, value)
    return value


def conditioned_parameters(
    arrays: LikelihoodArrays, nodes: ConditionedNodes, c: Float[Array, " n_axis"]
) -> Float[Array, " n_parameter"]:
    """Parameters at coordinates; those that no control bin feels are nominal.

    Args:
        arrays: The likelihood of one point.
        nodes: The axes.
        c: Coordinates.

    Returns:
        Nuisances and log factors.
    """
    is_normal = np.array([kind == "normal" for kind in arrays.structure.constraints])
    moved = jnp.where(is_normal, arrays.auxiliary, 0.0) + c @ nodes.directions
    return jnp.where(nodes.is_conditioned, moved, arrays.nominal_parameters())


def _control_rates(
    arrays: LikelihoodArrays,
    nodes: ConditionedNodes,
    parameters: Float[Array, " n_parameter"],
) -> Float[Array, " n_control"]:
    _, background = arrays.expected(parameters)
    return background[np.array(nodes.control_bins, dtype=int)]


def _log_volume(
    arrays: LikelihoodArrays,
    nodes: ConditionedNodes,
    parameters: Float[Array, " n_parameter"],
    free: np.ndarray,
) -> Float[Array, ""]:
    """Log prior density of the log of free factors."""

    def rates_of(log_factors: Float[Array, " n_free"]) -> Float[Array, " n_control"]:
        return _control_rates(arrays, nodes, parameters.at[free].set(log_factors))

    slopes = jax.jacfwd(rates_of)(parameters[free])
    if nodes.free_prior == "jeffreys":
        rates = jnp.maximum(rates_of(parameters[free]), _SMALLEST_RATE)
        slopes = slopes / jnp.sqrt(rates)[:, None]
    # columns of one size, so that factors of 1e9 beside 1e-9 lose no digit
    sizes = jnp.sqrt(jnp.maximum(jnp.sum(slopes**2, axis=0), _SMALLEST_RATE))
    unit = slopes / sizes[None, :]
    _, log_determinant = jnp.linalg.slogdet(unit.T @ unit)
    return jnp.sum(jnp.log(sizes)) + 0.5 * log_determinant
