r"""The distribution of the likelihood ratio of many bins, by its Fourier transform.

$Q = \sum_c n_cw_c$ with Poisson counts is a compound Poisson variable. On the lattice
$j_c = \mathrm{round}(w_c/\delta)$ of $M$ points, with $z_c = e^{-2\pi ikj_c/M}$,

$$\varphi_k = \prod_c e^{\mu s_c(z_c-1)}\,\beta_c(z_c),\qquad
  P(Q\le Q_{obs}) = \frac1M\sum_k\varphi_k\sum_{j\le J}e^{2\pi ikj/M},\qquad
  J=\sum_cn_cj_c,$$

where $\beta_c(z) = e^{b_c(z-1)}$, or $\sum_kB_c(k)z^k$ for an averaged background. The
sum over $j\le J$ is geometric, so the transform need not be inverted: a probability is
a dot product, and nodes of shared nuisances are averaged in it.

The step $\delta = Q_{max}/M$ follows from the number of points: above $Q_{max}$ lies
less than 1e-13 (Chernoff bound), so nothing wraps around. Too coarse a lattice ties
outcomes that are not tied; the change when the step is halved is the error estimate.
The absolute accuracy is about 1e-13: not for tiny probabilities.

References:
    The method: H. Hu and J. Nielsen, physics/9906010 (attribution unverified).
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from bsmfit._x64 import require_x64
from bsmfit.errors import InputError
from bsmfit.inference.counts.joint_counts import JointCounts

__all__ = ["N_GRID", "convolved_probability", "lattice_range"]

# points of the lattice; twice as many for the error estimate
N_GRID = 16384
_LOG_NEGLIGIBLE = -30.0
_CHERNOFF_SLOPES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)


def convolved_probability(
    counts: JointCounts,
    strength: Float[Array, ""],
    *,
    event_weights: Float[Array, " n_channel"],
    q_max: Float[Array, ""],
    n_grid: int = N_GRID,
) -> Float[Array, ""]:
    r"""$P(\sum_c n_cw_c\le Q_{obs})$, averaged over the nodes, on one lattice.

    Args:
        counts: The counts; `n_max` matters for averaged backgrounds alone.
        strength: Signal strength of the hypothesis [1], >= 0.
        event_weights: $w_c$ of the *tested* strength.
        q_max: Range of the lattice, from `lattice_range`.
        n_grid: Number of points, even.

    Returns:
        The probability.
    """
    require_x64("convolved_probability")
    if n_grid < 16 or n_grid % 2:
        msg = f"n_grid = {n_grid} is not an even number from 16"
        raise InputError(msg)
    step = lax.stop_gradient(q_max / n_grid)
    position = jnp.round(lax.stop_gradient(event_weights) / step).astype(int)
    observed = jnp.minimum(jnp.sum(counts.n_observed * position), n_grid - 1)
    frequency = jnp.arange(n_grid // 2 + 1)
    angle = _angle(frequency[:, None] * position[None, :], n_grid)
    real, imaginary = jnp.cos(angle), -jnp.sin(angle)
    rate = strength * counts.signal
    if counts.background_terms is None:
        rate = rate + counts.background
    log_size = (real - 1.0) @ rate
    phase = imaginary @ rate
    kernel_phase, kernel = _geometric_sum(frequency, observed, n_grid)
    if counts.background_terms is None:
        values = jnp.exp(log_size) * jnp.cos(phase + kernel_phase[:, None])
    else:
        z = lax.complex(real, imaginary)
        turned = lax.complex(log_size, phase + kernel_phase[:, None])
        values = jnp.real(jnp.exp(turned) * _transform(counts.background_terms, z))
    return kernel @ (values @ counts.node_weights)


def lattice_range(
    counts: JointCounts,
    strength: Float[Array, ""],
    *,
    event_weights: Float[Array, " n_channel"],
) -> Float[Array, ""]:
    r"""A $Q_{max}$ above which less than 1e-13 lies in every node.

    The smallest of the Chernoff bounds $[30 + \ln E(e^{tQ})]/t$ for a few $t$, or the
    observed Q if that is larger.

    Args:
        counts: The counts.
        strength: Tested strength [1]; the bound holds for all smaller ones.
        event_weights: $w_c$.

    Returns:
        Q_max, > 0.
    """
    scale = jnp.maximum(jnp.max(event_weights), 1e-12)
    bounds = []
    for slope in _CHERNOFF_SLOPES:
        t = slope / scale
        growth = jnp.expm1(t * event_weights)
        log_moment = growth @ (strength * counts.signal)
        if counts.background_terms is None:
            log_moment = log_moment + growth @ counts.background
        else:
            moments = _transform(counts.background_terms, (growth + 1.0)[None, :])
            log_moment = log_moment + jnp.log(moments[0])
        bounds.append((jnp.max(log_moment) - _LOG_NEGLIGIBLE) / t)
    observed = counts.n_observed.astype(event_weights.dtype) @ event_weights
    needed = jnp.min(jnp.stack(bounds))
    # the wrapped tail must not land below Q_obs, nor rounding push Q_obs out
    return jnp.maximum(needed, 1.05 * observed + scale)


def _transform(
    background_terms: Float[Array, "n_channel n_count n_node"],
    z: Array,
) -> Array:
    """Product over channels of the generating function of the background counts."""
    result = jnp.ones((), z.dtype)
    for channel in range(background_terms.shape[0]):
        terms = background_terms[channel].astype(z.dtype)
        variable = z[:, channel][:, None]
        value = jnp.broadcast_to(terms[-1][None, :], (z.shape[0], terms.shape[1]))
        for k in range(terms.shape[0] - 2, -1, -1):
            value = value * variable + terms[k][None, :]
        result = result * value
    return result


def _angle(steps: Array, n_grid: int) -> Array:
    """2 pi steps / n_grid, reduced in integers so that no digit is lost."""
    return (2.0 * jnp.pi / n_grid) * (steps % n_grid).astype(float)


def _geometric_sum(
    frequency: Array, last: Array, n_grid: int
) -> tuple[Float[Array, " n_frequency"], Float[Array, " n_frequency"]]:
    r"""Phase and weighted size of $\sum_{j=0}^{J}e^{2\pi ikj/M}$ for k = 0 to M/2."""
    half = 2 * n_grid
    phase = _angle(frequency * last, half)
    numerator = jnp.sin(_angle(frequency * (last + 1), half))
    denominator = jnp.sin(_angle(frequency, half))
    is_zero = frequency == 0
    ratio = numerator / jnp.where(is_zero, 1.0, denominator)
    size = jnp.where(is_zero, (last + 1).astype(float), ratio)
    is_end = is_zero | (frequency == n_grid // 2)
    return phase, size * jnp.where(is_end, 1.0, 2.0) / n_grid
