r"""Likelihoods that are one count, every nuisance acting on one term.

For them the fits of `bsmfit.inference.fits.counting_fit` are several hundred times
faster than a general fit. Log-normal nuisances that act on nothing but one term are one
nuisance of that term: their responses add in quadrature.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.safe_sqrt import safe_sqrt
from bsmfit.inference.fits.counting_fit import CountingPoint
from bsmfit.likelihood.arrays import LikelihoodArrays, Structure

__all__ = ["counting_point", "is_separable"]


def is_separable(structure: Structure) -> bool:
    """Whether a likelihood is one count with private log-normal nuisances.

    Args:
        structure: Structure of the likelihood.

    Returns:
        True for one bin, one signal term, and nuisances that are log-normal,
        uncorrelated, and named by one term each.
    """
    links = [parameter for _, parameter in structure.links]
    return (
        structure.region_bins == (1,)
        and structure.n_signal == 1
        and len(structure.term_names) > 1
        and len(links) == len(set(links))
        and all(constraint == "normal" for constraint in structure.constraints)
        and not (structure.asymmetric or structure.morphs or structure.linear)
        and not (structure.bin_factors or structure.correlated or structure.event_bins)
    )


def counting_point(arrays: LikelihoodArrays) -> CountingPoint:
    """The count of a separable likelihood.

    Args:
        arrays: A likelihood for which `is_separable`.

    Returns:
        Its count, yields and responses.
    """
    log_kappa, auxiliary = _in_quadrature(arrays)
    return CountingPoint(
        n_observed=arrays.observed[0],
        signal=arrays.yields[0, 0],
        signal_log_kappa=log_kappa[0],
        background=arrays.yields[1:, 0],
        background_log_kappa=log_kappa[1:],
        auxiliary=auxiliary,
    )


def _in_quadrature(
    arrays: LikelihoodArrays,
) -> tuple[Float[Array, " n_term"], Float[Array, " n_term"]]:
    """Size of the response of each term, and what was measured along it."""
    terms = len(arrays.structure.term_names)
    by_term = [[] for _ in range(terms)]
    for term, parameter in arrays.structure.links:
        by_term[term].append(parameter)
    sizes, measured = [], []
    for term, parameters in enumerate(by_term):
        response = arrays.log_response[term, np.array(parameters, dtype=int)]
        square = jnp.sum(response**2)
        has_response = square > 0.0
        size = safe_sqrt(square)
        along = response @ arrays.auxiliary[np.array(parameters, dtype=int)]
        sizes.append(size)
        measured.append(along / jnp.where(has_response, size, 1.0))
    return jnp.stack(sizes), jnp.stack(measured)
