r"""Asymptotic formulas: from test statistics to probabilities.

$$q \le q_A:\quad CL_{s+b} = 1-\Phi(\sqrt q),\qquad
  CL_b = 1-\Phi(\sqrt q-\sqrt{q_A})$$
$$q > q_A:\quad CL_{s+b} = 1-\Phi\Big(\frac{q+q_A}{2\sqrt{q_A}}\Big),\qquad
  CL_b = 1-\Phi\Big(\frac{q-q_A}{2\sqrt{q_A}}\Big)$$

Here $q$ is the observed $\tilde q_\mu$ and $q_A$ that of the Asimov set, which has
no statistical fluctuation. No fit is done in this module: every function is
elementwise in its arguments, which may have any common shape. Probabilities are
carried as logarithms, so CLs of 1e-300 keeps its digits.

These formulas are wrong at low counts: at zero observed events and no background the
90 % limit comes out at 1.35 instead of 2.30 events. Below about ten events use
`bsmfit.likelihood.poisson` or toys.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax.scipy.special import erfc, ndtr, ndtri
from jaxtyping import Array, Float

from bsmfit._x64 import require_x64
from bsmfit.core.safe_sqrt import safe_sqrt
from bsmfit.likelihood.poisson import Level

__all__ = [
    "asymptotic_log_cls",
    "asymptotic_log_probabilities",
    "discovery_significance",
    "expected_log_cls",
    "expected_root",
    "log_normal_cdf",
    "two_sided_p_value",
    "unbounded_log_probabilities",
]

_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
_ROOT_HALF = math.sqrt(0.5)
# below it the CDF is taken from its asymptotic series, exact to 1e-13 there
_SERIES_BELOW = -20.0
# smallest Asimov statistic that is divided by; CLs is 1 there
_SMALLEST_STATISTIC = 1e-24


def log_normal_cdf(x: Float[Array, " *point"]) -> Float[Array, " *point"]:
    r"""Log of the cumulative distribution of the unit normal, $\ln\Phi(x)$.

    The same function as `jax.scipy.special.log_ndtr`, to 1e-13 relative below zero and
    2e-16 absolute above, in a third of its time: `erfc` where that does not lose
    digits, eight terms of the asymptotic series below -20.

    Args:
        x: Standard deviations, any sign.

    Returns:
        $\ln\Phi(x)$, <= 0.

    Examples:
        >>> round(float(log_normal_cdf(jnp.array(-40.0))), 6)
        -804.608442
    """
    is_tail = x < _SERIES_BELOW
    inside = 0.5 * erfc(-jnp.where(is_tail, 0.0, x) * _ROOT_HALF)
    tail = jnp.where(is_tail, x, _SERIES_BELOW)
    inverse_squared = 1.0 / (tail * tail)
    series = jnp.ones_like(x)
    for k in range(7, 0, -1):
        series = 1.0 - (2 * k - 1) * inverse_squared * series
    scaled = jnp.where(is_tail, -series / (tail * _ROOT_TWO_PI), inside)
    return jnp.log(scaled) - jnp.where(is_tail, 0.5 * tail * tail, 0.0)


def asymptotic_log_probabilities(
    q: Float[Array, " *point"], q_asimov: Float[Array, " *point"]
) -> tuple[Float[Array, " *point"], Float[Array, " *point"]]:
    r"""$\ln CL_{s+b}$ and $\ln CL_b$ of the statistic $\tilde q_\mu$.

    Args:
        q: Observed $\tilde q_\mu$, >= 0.
        q_asimov: $\tilde q_\mu$ of the background-only Asimov set, >= 0.

    Returns:
        Logs of the two probabilities; both $\ln 1/2$ where both statistics vanish.

    References:
        arXiv:1007.1727, eq. (65) and its counterpart for the Asimov hypothesis
        (equation number unverified).

    Examples:
        >>> log_clsb, log_clb = asymptotic_log_probabilities(jnp.ones(()), jnp.ones(()))
        >>> round(float(jnp.exp(log_clsb)), 6), round(float(jnp.exp(log_clb)), 6)
        (0.158655, 0.5)
    """
    require_x64("asymptotic_log_probabilities")
    root, root_asimov = safe_sqrt(q), safe_sqrt(q_asimov)
    is_inside = q <= q_asimov
    divisor = 2.0 * safe_sqrt(jnp.maximum(q_asimov, _SMALLEST_STATISTIC))
    with_signal = jnp.where(is_inside, root, (q + q_asimov) / divisor)
    background = jnp.where(is_inside, root - root_asimov, (q - q_asimov) / divisor)
    return log_normal_cdf(-with_signal), log_normal_cdf(-background)


def unbounded_log_probabilities(
    q: Float[Array, " *point"], q_asimov: Float[Array, " *point"]
) -> tuple[Float[Array, " *point"], Float[Array, " *point"]]:
    r"""$\ln CL_{s+b}$ and $\ln CL_b$ of $q_\mu$, whose best strength may be negative.

    Args:
        q: Observed $q_\mu$, >= 0.
        q_asimov: $q_\mu$ of the background-only Asimov set, >= 0.

    Returns:
        Logs of the two probabilities.

    References:
        arXiv:1007.1727 (equation number unverified).
    """
    require_x64("unbounded_log_probabilities")
    root, root_asimov = safe_sqrt(q), safe_sqrt(q_asimov)
    return log_normal_cdf(-root), log_normal_cdf(root_asimov - root)


def asymptotic_log_cls(
    q: Float[Array, " *point"], q_asimov: Float[Array, " *point"]
) -> Float[Array, " *point"]:
    r"""$\ln CL_s = \ln CL_{s+b} - \ln CL_b$ of the statistic $\tilde q_\mu$.

    Args:
        q: Observed $\tilde q_\mu$, >= 0.
        q_asimov: $\tilde q_\mu$ of the background-only Asimov set, >= 0.

    Returns:
        $\ln CL_s$, 0 where both statistics vanish.
    """
    log_clsb, log_clb = asymptotic_log_probabilities(q, q_asimov)
    return log_clsb - log_clb


def expected_log_cls(
    q_asimov: Float[Array, " *point"], n_sigma: Float[Array, " *point"]
) -> Float[Array, " *point"]:
    r"""$\ln CL_s$ expected without signal, N standard deviations of excess.

    $$CL_s(N) = \frac{\Phi(N - \sqrt{q_A})}{\Phi(N)}$$

    N = +2 is the upper, weaker edge of the band.

    Args:
        q_asimov: $\tilde q_\mu$ of the background-only Asimov set, >= 0.
        n_sigma: N, positive for an excess.

    Returns:
        $\ln CL_s(N)$.
    """
    require_x64("expected_log_cls")
    shifted = n_sigma - safe_sqrt(q_asimov)
    return log_normal_cdf(shifted) - log_normal_cdf(n_sigma)


def expected_root(
    n_sigma: Float[Array, " *point"], *, cl: Level
) -> Float[Array, " *point"]:
    r"""Value of $\sqrt{q_A}$ at which the expected $CL_s(N)$ is $1 - cl$.

    $$\sqrt{q_A} = N + \Phi^{-1}[1-(1-cl)\,\Phi(N)]$$

    Where $\sqrt{q_A} = \mu/\sigma$ this is the limit in units of its uncertainty.

    Args:
        n_sigma: N, positive for an excess.
        cl: Confidence level, for example 0.90.

    Returns:
        The root of the Asimov statistic at the expected limit.

    References:
        arXiv:1007.1727, eq. (89) (CLs form; equation number unverified).

    Examples:
        >>> round(float(expected_root(jnp.zeros(()), cl=0.90)), 6)
        1.644854
    """
    return n_sigma - ndtri((1.0 - cl) * ndtr(n_sigma))


def two_sided_p_value(
    t: Float[Array, " *point"], t_asimov: Float[Array, " *point"] | None = None
) -> Float[Array, " *point"]:
    r"""P value of the two-sided statistics $t_\mu$ and $\tilde t_\mu$.

    $$p = 2[1-\Phi(\sqrt t)],\qquad \tilde t > t_A:\quad
      p = 2-\Phi(\sqrt{\tilde t})-\Phi\Big(\frac{\tilde t+t_A}{2\sqrt{t_A}}\Big)$$

    Args:
        t: Observed statistic, >= 0.
        t_asimov: $\tilde t_\mu$ of the background-only Asimov set, for $\tilde t_\mu$;
            None for $t_\mu$.

    Returns:
        The p value, 1 at zero.

    References:
        arXiv:1007.1727 (equation numbers unverified).
    """
    require_x64("two_sided_p_value")
    root = safe_sqrt(t)
    one_side = ndtr(-root)
    if t_asimov is None:
        return 2.0 * one_side
    divisor = 2.0 * safe_sqrt(jnp.maximum(t_asimov, _SMALLEST_STATISTIC))
    other = jnp.where(t > t_asimov, (t + t_asimov) / divisor, root)
    return one_side + ndtr(-other)


def discovery_significance(q0: Float[Array, " *point"]) -> Float[Array, " *point"]:
    r"""One-sided significance $Z = \sqrt{q_0}$ of an excess; 0 for a deficit.

    Args:
        q0: Observed $q_0$, 0 where the best strength is not positive.

    Returns:
        Standard deviations, one-sided.

    References:
        arXiv:1007.1727 (equation number unverified).
    """
    return safe_sqrt(q0)
