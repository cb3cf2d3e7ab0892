r"""Nuisances as the bins without signal leave them: posterior nodes.

Bins without signal (control regions) do not depend on the strength. They enter an exact
sum by what they say about the nuisances, of any number of events:

$$p(x\,|\,\mathrm{control}) \propto \pi(x)\prod_{i\in\mathrm{control}}
  \mathrm{Pois}(n_i\,|\,b_i(x))$$

replaces the prior in the averages over nuisances. $\pi$ are the constraints. A free
factor has none; its prior is flat in the expected counts of the control bins
(``"flat"``) or Jeffreys's (``"jeffreys"``). Both are volume elements, so that it does not
matter how factors are chosen,

$$\pi \propto \sqrt{\det J^TJ}\quad\text{or}\quad\sqrt{\det J^T\lambda^{-1}J},\qquad
  J_{if} = \partial\lambda_i/\partial\ln k_f.$$

One factor and one control bin are exactly a `Sideband`; three factors and the three
control regions of an ABCD estimate have independent gamma distributions of the expected
counts there.

Nodes lie where the posterior does: it is fitted (Laplace: mode $\hat c$, curvature
$H$), in coordinates $c = \hat c + H^{-1/2}y$ nodes $y_j$ are fixed, and their weights are
the posterior density times the volume of the node. Since fit and weights are part of the
program, nodes follow the data of each point, and a plan serves other data too.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import xlogy
from jaxtyping import Array, Bool, Float

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
_FRACTIONS = (1.0, 0.5, 0.2, 0.05, 0.01)
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
        return self.centre + units @ self.scale.T


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

    gradient, hessian = jax.grad(minus_log), jax.hessian(minus_log)

    def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        c, _, n_done = state
        slope = gradient(c)
        values, vectors = jnp.linalg.eigh(hessian(c))
        curvature = jnp.maximum(jnp.abs(values), _SMALLEST_CURVATURE)
        direction = vectors @ ((vectors.T @ slope) / curvature)
        decrement = slope @ direction
        longest = jnp.max(jnp.abs(direction), initial=0.0)
        direction = direction / jnp.maximum(1.0, longest / _LONGEST_STEP)
        tried = c[None] - jnp.asarray(_FRACTIONS)[:, None] * direction[None]
        found = jax.vmap(minus_log)(tried)
        found = jnp.where(jnp.isnan(found), jnp.inf, found)
        best = tried[jnp.argmin(found)]
        is_better = jnp.min(found) <= minus_log(c)
        return jnp.where(is_better, best, c), decrement, n_done + 1

    def is_open(state: tuple[Array, Array, Array]) -> Bool[Array, ""]:
        return (state[1] > _DECREMENT_TOLERANCE) & (state[2] < _N_STEP)

    n_axis = nodes.directions.shape[0]
    begin = (jnp.zeros(n_axis), jnp.asarray(jnp.inf), jnp.asarray(0))
    centre, decrement, _ = lax.while_loop(is_open, step, begin)
    values, vectors = jnp.linalg.eigh(hessian(centre))
    is_closed = jnp.min(values, initial=jnp.inf) > _SMALLEST_CURVATURE
    scale = vectors / jnp.sqrt(jnp.maximum(values, _SMALLEST_CURVATURE))[None]
    # the decrement is in units of the log density; 1e-6 moves the mode by 0.1 % of
    # its width, which nodes do not notice
    is_converged = (decrement < 1e-6) & is_closed & jnp.all(jnp.isfinite(scale))
    scale = jnp.where(is_converged, scale, jnp.eye(n_axis))
    return Posterior(lax.stop_gradient(centre), scale, is_converged)


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
    free = np.flatnonzero(inside & (kinds == "free"))
    if free.size:
        value = value + _log_volume(arrays, nodes, parameters, free)
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
    unit = slopes / sizes
    _, log_determinant = jnp.linalg.slogdet(unit.T @ unit)
    return jnp.sum(jnp.log(sizes)) + 0.5 * log_determinant
