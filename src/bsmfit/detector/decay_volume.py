r"""Exponential decay inside a decay volume, integrated against a tabulated acceptance.

A particle made at z0 decays between z and z + dz with the probability
$dz/L\,e^{-(z-z_0)/L}$, where $L = c\tau\,p_z/m$. With the acceptance linear between
vertex nodes the integral over the volume is exact for every L: no bin of the vertex has
to be small against the decay length, and nothing is sampled.

The exponential spans hundreds of e-folds over a coupling plane, so that the factor of
the hardest possible particle is taken out and returned to the caller as a logarithm.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

__all__ = ["vertex_weights"]


def _segment_integrals(
    u: Float64[np.ndarray, " *point"],
) -> tuple[Float64[np.ndarray, " *point"], Float64[np.ndarray, " *point"]]:
    """Integrals of exp(-u t) u dt over t in (0, 1) times (1 - t) and t.

    A power series replaces the closed forms, which cancel, below u = 0.01.
    """
    small = u < 0.01
    v = np.where(small, u, 1.0)
    series_far = v * (1 / 2 - v * (1 / 3 - v * (1 / 8 - v * (1 / 30 - v / 144))))
    series_near = v * (1 / 2 - v * (1 / 6 - v * (1 / 24 - v * (1 / 120 - v / 720))))
    w = np.where(small, 1.0, u)
    ratio = -np.expm1(-w) / w
    near = np.where(small, series_near, 1.0 - ratio)
    far = np.where(small, series_far, ratio - np.exp(-w))
    return near, far


def vertex_weights(
    decay_length: Float64[np.ndarray, " *point"],
    vertices: Float64[np.ndarray, " n_vertex"],
    *,
    origin: float,
    log_reference: Float64[np.ndarray, " *point"],
) -> Float64[np.ndarray, "*point n_vertex"]:
    r"""Weights of the vertex nodes in the decay integral.

    $$\int_{z_A}^{z_B}\frac{dz}{L}\,e^{-(z-z_0)/L} A(z) = e^{r} \sum_j W_j A(z_j)$$

    for A linear between the nodes, r being the reference.

    Args:
        decay_length: Decay lengths L along the beam [m], > 0.
        vertices: Nodes from the beginning to the end of the volume, increasing [m].
        origin: Where the particles are made, z0 [m].
        log_reference: Logarithm r that is taken out of the weights, at least about
            -(z_A - z0)/L so that the weights do not overflow.

    Returns:
        Weights, with the vertex along the last axis.
    """
    length = decay_length[..., None]
    steps = np.diff(vertices)
    near, far = _segment_integrals(steps / length)
    start = np.exp(-(vertices[:-1] - origin) / length - log_reference[..., None])
    weights = np.zeros((*decay_length.shape, vertices.size))
    weights[..., :-1] += start * near
    weights[..., 1:] += start * far
    return weights
