r"""Pairs whose tracks are hard to tell apart: distances and the error of the vertex.

Near threshold and at small masses a pair opens by $\theta\sim 2k/p$, so that both
tracks cross the same straws and their directions say little about where they met. Two
slopes with the errors $\sigma_{\theta,i}$, measured a distance d behind the vertex, fix
it along the beam to

$$\sigma_z = \frac{\sqrt{d^2(\sigma_{\theta,1}^2+\sigma_{\theta,2}^2)+2\sigma_x^2}}
  {\theta},\qquad \sigma_\theta^2 = a^2 + (b/p)^2$$

with a from the resolution of the chambers and b from multiple scattering. Pairs are
kept or not: what comes out of the average over the decays is smooth.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.safe_sqrt import safe_sqrt

__all__ = ["CloseTracks", "VertexError", "vertex_error"]

_SMALLEST_OPENING = 1e-9  # rad; parallel tracks have a vertex nowhere


class VertexError(eqx.Module):
    """Errors that the vertex of a pair has, and the largest that is accepted.

    Attributes:
        slope_noise: Error a of a slope from the chambers [rad].
        slope_scattering: Error b of a slope from multiple scattering, times the
            momentum [rad GeV].
        position_error: Error of a point in the first chamber [m].
        largest: Largest error of the vertex along the beam [m].
    """

    slope_noise: Float[Array, ""]
    slope_scattering: Float[Array, ""]
    position_error: Float[Array, ""]
    largest: Float[Array, ""]


class CloseTracks(eqx.Module):
    """What a pair must have behind the first chamber to be seen as two tracks.

    Attributes:
        lkr_separation_min: Smallest distance of the tracks at the calorimeter [m].
        vertex: Demand on the error of the vertex; none where None.
    """

    lkr_separation_min: Float[Array, ""]
    vertex: VertexError | None = None


def vertex_error(
    momenta: tuple[Float[Array, "n 3"], Float[Array, "n 3"]],
    *,
    lever: Float[Array, " n"],
    tracking: VertexError,
) -> Float[Array, " n"]:
    """Error of the vertex of pairs along the beam.

    Args:
        momenta: Momenta of both tracks before the magnet [GeV], p_z > 0.
        lever: Distance from the vertex to the first chamber [m].
        tracking: Errors of slopes and positions.

    Returns:
        Standard deviation [m]; large and finite for parallel tracks.

    Examples:
        >>> one = jnp.array([[0.1, 0.0, 50.0]])
        >>> errors = VertexError(*jnp.array([20e-6, 0.0, 0.0, 1.0]))
        >>> other = one * jnp.array([[-1.0, 1.0, 1.0]])
        >>> round(float(vertex_error((one, other), lever=jnp.array([60.0]),
        ...                          tracking=errors)[0]), 4)  # 60 x 28.3e-6 / 4e-3
        0.4243
    """
    first, second = momenta
    slopes = [p[:, :2] / p[:, 2:] for p in momenta]
    opening = safe_sqrt(jnp.sum((slopes[0] - slopes[1]) ** 2, axis=-1))
    inverse = 1.0 / jnp.sum(first**2, axis=-1) + 1.0 / jnp.sum(second**2, axis=-1)
    noise = 2.0 * tracking.slope_noise**2 + tracking.slope_scattering**2 * inverse
    across = jnp.sqrt(lever**2 * noise + 2.0 * tracking.position_error**2)
    return across / jnp.maximum(opening, _SMALLEST_OPENING)
