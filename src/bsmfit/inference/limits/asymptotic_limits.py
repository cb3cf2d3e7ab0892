r"""Asymptotic CLs and limits of any likelihood, for all points of a grid.

One count with private nuisances takes the closed-form fits of
`bsmfit.inference.asymptotics.counting`, everything else the shape fits of
`bsmfit.inference.fits.profile`. Both use $\tilde q_\mu$ and the Asimov set profiled on
the data at strength 0, as pyhf does.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bsmfit.inference.asymptotics.counting import (
    asymptotic_counting_bands,
    asymptotic_counting_cls,
    asymptotic_counting_limit,
    in_chunks,
)
from bsmfit.inference.fits.profile import profile_bands, profile_cls, profile_limit
from bsmfit.inference.fits.separable import counting_point, is_separable
from bsmfit.inference.limits.points import Points
from bsmfit.likelihood.poisson import Level

__all__ = ["asymptotic_cls", "asymptotic_expected_limits", "asymptotic_limits"]

# a large vectorised batch of general fits can hang the CPU backend of JAX 0.10
_N_CHUNK_FITS = 32


@eqx.filter_jit
def asymptotic_limits(
    points: Points, *, cl: Level
) -> tuple[Float[Array, " n_point"], Bool[Array, " n_point"]]:
    """Upper limits on the strength.

    Args:
        points: The points.
        cl: Confidence level.

    Returns:
        Limits, and whether they are found.
    """
    if is_separable(points.arrays.structure):
        return in_chunks(
            lambda arrays: asymptotic_counting_limit(counting_point(arrays), cl=cl),
            points.arrays,
        )
    return in_chunks(
        lambda arrays: profile_limit(arrays, cl=cl),
        points.arrays,
        n_chunk=_N_CHUNK_FITS,
    )


@eqx.filter_jit
def asymptotic_cls(
    points: Points, strength: Float[Array, " n_point"]
) -> tuple[Float[Array, " n_point"], Float[Array, " n_point"], Bool[Array, " n_point"]]:
    r"""CLs of one strength for each point.

    Args:
        points: The points.
        strength: Tested strengths, >= 0.

    Returns:
        $\ln CL_{s+b}$, $\ln CL_b$ and whether all fits converged.
    """
    if is_separable(points.arrays.structure):
        found = in_chunks(
            lambda arrays, tested: asymptotic_counting_cls(
                counting_point(arrays), tested
            ),
            points.arrays,
            strength,
        )
    else:
        found = in_chunks(profile_cls, points.arrays, strength, n_chunk=_N_CHUNK_FITS)
    return found.log_clsb, found.log_clb, found.is_converged


@eqx.filter_jit
def asymptotic_expected_limits(
    points: Points, *, cl: Level
) -> tuple[Float[Array, "n_point 5"], Bool[Array, " n_point"]]:
    """Limits to be expected without a signal, from the Asimov set.

    Args:
        points: The points.
        cl: Confidence level.

    Returns:
        Limits at -2 to 2 standard deviations, and whether all are found.
    """
    if is_separable(points.arrays.structure):
        value, is_found = in_chunks(
            lambda arrays: asymptotic_counting_bands(counting_point(arrays), cl=cl),
            points.arrays,
        )
    else:
        value, is_found = in_chunks(
            lambda arrays: profile_bands(arrays, cl=cl),
            points.arrays,
            n_chunk=_N_CHUNK_FITS,
        )
    return value, jnp.all(is_found, axis=-1)
