r"""Pulls and constraints of the nuisances, and what each does to the strength.

* pull: $(\hat\theta_j - a_j)/\sigma_j$, with the error $\sigma_j$ before the fit (1 for
  a unit normal, $1/\sqrt{a}$ for the log of a factor from a control count a);
* constraint: error after the fit, from the inverse Hessian, over $\sigma_j$;
* impact: change of the best strength when $\theta_j$ is held one error after the fit
  above or below its best value and everything else is fitted again.

Correlated nuisances are reported as the terms feel them ($\theta = Cx$). The strength
does not go below zero: at that boundary impacts are one-sided or zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from bsmfit._x64 import require_x64
from bsmfit.errors import UnknownNameError
from bsmfit.inference.fits.fit import background_and_free_minima
from bsmfit.inference.fits.fit_problem import FitProblem
from bsmfit.inference.fits.newton import Minimum, minimise
from bsmfit.likelihood.arrays import LikelihoodArrays

__all__ = ["Impact", "Impacts", "nuisance_impacts"]

_N_BATCH = 32


class Impact(eqx.Module):
    """One nuisance, or all of them as arrays.

    Attributes:
        value: Best value.
        error: Error after the fit.
        pull: Distance from its measurement in errors before the fit; nan if free.
        constraint: Error after the fit over that before; nan for a free factor.
        impact_up: Change of the best strength, nuisance one error up.
        impact_down: The same for one error down.
        is_converged: Whether all fits converged.
    """

    value: Float[Array, " *nuisance"]
    error: Float[Array, " *nuisance"]
    pull: Float[Array, " *nuisance"]
    constraint: Float[Array, " *nuisance"]
    impact_up: Float[Array, " *nuisance"]
    impact_down: Float[Array, " *nuisance"]
    is_converged: Bool[Array, " *nuisance"]


class Impacts(eqx.Module, Mapping[str, Impact]):
    """All nuisances by name: ``impacts["protons"].impact_up``.

    Attributes:
        strength: Best strength.
        strength_error: Its error from the inverse Hessian; nan at the boundary 0.
        nuisances: All nuisances, in the order of the names.
        names: Their names.
    """

    strength: Float[Array, ""]
    strength_error: Float[Array, ""]
    nuisances: Impact
    names: tuple[str, ...] = eqx.field(static=True)

    def __getitem__(self, name: str) -> Impact:
        if name not in self.names:
            kind = "nuisance"
            raise UnknownNameError.from_choices(kind, name, self.names)
        index = self.names.index(name)
        return jax.tree.map(lambda x: x[index], self.nuisances)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def nuisance_impacts(arrays: LikelihoodArrays) -> Impacts:
    """Pulls, constraints and impacts of all nuisances: two fits for each.

    Args:
        arrays: The likelihood of one point.

    Returns:
        A mapping from the names of the nuisances.
    """
    require_x64("nuisance_impacts")
    problem = FitProblem.from_arrays(arrays)
    _, free = background_and_free_minima(problem)
    errors = _errors(problem, free.point)
    n = problem.n_parameter
    index = jnp.tile(jnp.arange(1, n + 1), 2)
    signs = jnp.concatenate([jnp.ones(n), -jnp.ones(n)])

    def refit(entry: tuple[Array, Array]) -> Minimum:
        is_fixed = jnp.arange(n + 1) == entry[0]
        start = free.point + jnp.where(is_fixed, entry[1] * errors, 0.0)
        return minimise(problem, start, is_fixed=is_fixed)

    shifted = lax.map(refit, (index, signs), batch_size=min(2 * n, _N_BATCH))
    change = (shifted.point[:, 0] - free.point[0]) / problem.signal_events
    is_converged = shifted.is_converged & free.is_converged
    prior = _prior_errors(problem)
    nuisances = Impact(
        value=free.point[1:],
        error=errors[1:],
        pull=(free.point[1:] - problem.nominal()) / prior,
        constraint=errors[1:] / prior,
        impact_up=change[:n],
        impact_down=change[n:],
        is_converged=is_converged[:n] & is_converged[n:],
    )
    return Impacts(
        strength=free.point[0] / problem.signal_events,
        strength_error=errors[0] / problem.signal_events,
        nuisances=nuisances,
        names=problem.structure.parameter_names,
    )


def _errors(
    problem: FitProblem, point: Float[Array, " n_free"]
) -> Float[Array, " n_free"]:
    """Square roots of the diagonal of the inverse Hessian; nan for what is bounded."""
    hessian = problem.derivatives(point).hessian
    is_bound = point <= problem.lower_bounds()
    unit = jnp.eye(point.shape[0])
    matrix = jnp.where(is_bound[:, None] | is_bound[None, :], unit, hessian)
    variance = jnp.diagonal(jnp.linalg.inv(matrix))
    return jnp.where(is_bound, jnp.nan, jnp.sqrt(variance))


def _prior_errors(problem: FitProblem) -> Float[Array, " n_parameter"]:
    kinds = np.array(problem.structure.constraints)
    control = jnp.where(kinds == "poisson", problem.auxiliary, 1.0)
    poisson = 1.0 / jnp.sqrt(jnp.maximum(control, 0.5))
    return jnp.where(kinds == "free", jnp.nan, poisson)
