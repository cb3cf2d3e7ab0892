r"""Interpolation between a nominal yield and its values at one standard deviation.

A systematic study gives three numbers: the nominal yield and the yields with a source
moved up and down by one standard deviation. These functions join them for all values
of the nuisance $\theta$. The names of HistFactory's codes are kept, since that is how
the field knows them.

| function | what it joins | between | beyond $\pm1$ |
|---|---|---|---|
| `code4` | factors | polynomial of order 6, smooth to second order | exponential |
| `code1` | factors | exponential, kink at 0 | exponential |
| `code4p` | shifts | polynomial of order 6, smooth to second order | linear |
| `code0` | shifts | linear, kink at 0 | linear |
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["code0", "code1", "code4", "code4p"]


def code4(
    theta: Float[Array, ""], *, up: Float[Array, ""], down: Float[Array, ""]
) -> Float[Array, ""]:
    r"""Factor of an asymmetric uncertainty, smooth everywhere.

    $\kappa_+^\theta$ above 1, $\kappa_-^{-\theta}$ below -1, and between
    $1 + \sum_{i=1}^6 a_i\theta^i$ whose value and first two derivatives meet them. The
    even and the odd coefficients separate into two systems of three equations.

    Args:
        theta: Nuisance parameter [standard deviations].
        up: Factor $\kappa_+$ at +1 [1], > 0.
        down: Factor $\kappa_-$ at -1 [1], > 0.

    Returns:
        The factor [1], > 0 but for extreme asymmetries inside the polynomial.

    References:
        HistFactory, CERN-OPEN-2012-016, interpolation code 4 (unverified).

    Examples:
        >>> import jax.numpy as jnp
        >>> factor = code4(jnp.array(0.3), up=jnp.array(1.3), down=jnp.array(0.8))
        >>> round(float(factor), 6)
        1.079331
    """
    log_up, log_down = jnp.log(up), jnp.log(down)
    # values and derivatives at +1 and -1, split into odd and even parts
    odd, even = 0.5 * (up - down), 0.5 * (up + down) - 1.0
    slope_up, slope_down = up * log_up, -down * log_down
    odd_slope, even_slope = 0.5 * (slope_up + slope_down), 0.5 * (slope_up - slope_down)
    bend_up, bend_down = up * log_up**2, down * log_down**2
    odd_bend, even_bend = 0.5 * (bend_up - bend_down), 0.5 * (bend_up + bend_down)
    a5 = (odd_bend - 3.0 * odd_slope + 3.0 * odd) / 8.0
    a3 = (odd_slope - odd - 4.0 * a5) / 2.0
    a1 = odd - a3 - a5
    a6 = (even_bend - 5.0 * even_slope + 8.0 * even) / 8.0
    a4 = (even_slope - 2.0 * even - 4.0 * a6) / 2.0
    a2 = even - a4 - a6
    x = jnp.clip(theta, -1.0, 1.0)
    inside = 1.0 + x * (a1 + x * (a2 + x * (a3 + x * (a4 + x * (a5 + x * a6)))))
    return jnp.where(
        theta >= 1.0,
        jnp.exp(jnp.maximum(theta, 1.0) * log_up),
        jnp.where(theta <= -1.0, jnp.exp(-jnp.minimum(theta, -1.0) * log_down), inside),
    )


def code1(
    theta: Float[Array, ""], *, up: Float[Array, ""], down: Float[Array, ""]
) -> Float[Array, ""]:
    r"""Factor of an asymmetric uncertainty, exponential on either side.

    $\kappa_+^\theta$ for $\theta \ge 0$, else $\kappa_-^{-\theta}$. The derivative
    jumps at 0 unless $\kappa_+\kappa_- = 1$; the gradient there is that of the upper
    side. For workspaces that ask for it; prefer `code4`.

    Args:
        theta: Nuisance parameter [standard deviations].
        up: Factor $\kappa_+$ at +1 [1], > 0.
        down: Factor $\kappa_-$ at -1 [1], > 0.

    Returns:
        The factor [1], > 0.
    """
    return jnp.exp(jnp.where(theta >= 0.0, theta * jnp.log(up), -theta * jnp.log(down)))


def code4p(
    theta: Float[Array, ""],
    *,
    nominal: Float[Array, " n_bin"],
    up: Float[Array, " n_bin"],
    down: Float[Array, " n_bin"],
) -> Float[Array, " n_bin"]:
    r"""Shift of a shape, smooth everywhere.

    With $A = (h_+ - h_-)/2$ and $S = (h_+ + h_- - 2h_0)/2$: $\theta A + S|\theta|$
    beyond $\pm1$, and $\theta A + S\,\theta^2(3\theta^4 - 10\theta^2 + 15)/8$ between.

    Args:
        theta: Nuisance parameter [standard deviations].
        nominal: Nominal shape $h_0$ [events].
        up: Shape at +1 [events].
        down: Shape at -1 [events].

    Returns:
        What is to be added to the nominal shape [events].

    References:
        HistFactory as in pyhf, interpolation code 4p (unverified).

    Examples:
        >>> import jax.numpy as jnp
        >>> nominal, up, down = jnp.array([10.0]), jnp.array([13.0]), jnp.array([9.0])
        >>> shift = code4p(jnp.array(0.3), nominal=nominal, up=up, down=down)
        >>> round(float(shift[0]), 6)
        0.758898
    """
    x = jnp.clip(theta, -1.0, 1.0)
    square = x**2
    inside = square * (3.0 * square**2 - 10.0 * square + 15.0) / 8.0
    bend = jnp.where(jnp.abs(theta) >= 1.0, jnp.abs(theta), inside)
    return theta * (0.5 * (up - down)) + bend * (0.5 * (up + down) - nominal)


def code0(
    theta: Float[Array, ""],
    *,
    nominal: Float[Array, " n_bin"],
    up: Float[Array, " n_bin"],
    down: Float[Array, " n_bin"],
) -> Float[Array, " n_bin"]:
    r"""Shift of a shape, linear on either side.

    $\theta(h_+ - h_0)$ for $\theta\ge0$, else $\theta(h_0 - h_-)$. For workspaces that
    ask for it; prefer `code4p`.

    Args:
        theta: Nuisance parameter [standard deviations].
        nominal: Nominal shape $h_0$ [events].
        up: Shape at +1 [events].
        down: Shape at -1 [events].

    Returns:
        What is to be added to the nominal shape [events].
    """
    return theta * jnp.where(theta >= 0.0, up - nominal, nominal - down)
