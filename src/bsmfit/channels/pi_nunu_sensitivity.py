r"""The single-event sensitivity of a decay that is counted against another one.

$K^+\to\pi^+\nu\bar\nu$ is counted against $K^+\to\pi^+\pi^0$ decays of a downscaled
trigger. The *single-event sensitivity* is the branching ratio of one expected event:

$$SES = \frac{BR(K^+\to\pi^+\pi^0)\,A_{\pi\pi}}
  {D\,N_{\pi\pi}\,A_{\pi\nu\bar\nu}\,\epsilon_{RV}\,\epsilon_{trig}},
  \qquad N = \frac{BR}{SES}$$

The two acceptances have errors of 10 % each, which cancel in their ratio: particle
reconstruction and kinematics are common to both.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = [
    "SensitivityErrors",
    "SensitivityFactors",
    "relative_sensitivity_error",
    "single_event_sensitivity",
]


class SensitivityFactors(eqx.Module):
    """The factors of a single-event sensitivity.

    Attributes:
        branching_ratio: Branching ratio of the normalisation decay [1].
        downscaling: Downscaling of its trigger [1].
        n_normalisation: Selected normalisation decays.
        acceptance_normalisation: Acceptance of the normalisation [1].
        acceptance_signal: Acceptance of the signal [1].
        veto_efficiency: Efficiency against random vetoes [1].
        trigger_efficiency: Efficiency of the signal trigger [1].
    """

    branching_ratio: Float[Array, ""]
    downscaling: Float[Array, ""]
    n_normalisation: Float[Array, ""]
    acceptance_normalisation: Float[Array, ""]
    acceptance_signal: Float[Array, ""]
    veto_efficiency: Float[Array, ""]
    trigger_efficiency: Float[Array, ""]


class SensitivityErrors(eqx.Module):
    """Relative errors of the factors of a sensitivity.

    Attributes:
        branching_ratio: Of the normalisation decay's branching ratio [1].
        acceptance_normalisation: Of its acceptance [1].
        acceptance_signal: Of the signal's acceptance [1].
        veto_efficiency: Of the efficiency against random vetoes [1].
        trigger_efficiency: Of the trigger efficiency [1].
        remaining: Of everything else [1].
    """

    branching_ratio: Float[Array, ""]
    acceptance_normalisation: Float[Array, ""]
    acceptance_signal: Float[Array, ""]
    veto_efficiency: Float[Array, ""]
    trigger_efficiency: Float[Array, ""]
    remaining: Float[Array, ""]


def single_event_sensitivity(factors: SensitivityFactors) -> Float[Array, ""]:
    """Branching ratio of one expected signal event.

    Args:
        factors: What it is made of, all > 0.

    Returns:
        The sensitivity [1].

    References:
        arXiv:2103.15389, definition of the single-event sensitivity (equation number
        unverified); M. Soldani, Excited QCD 2024.

    Examples:
        >>> import jax.numpy as jnp
        >>> numbers = (0.2067, 400.0, 3.14e7, 0.0762, 0.0395, 0.66, 0.89)
        >>> factors = SensitivityFactors(*map(jnp.asarray, numbers))
        >>> f"{float(single_event_sensitivity(factors)):.3g}"
        '5.4e-11'
    """
    normalisation = (
        factors.downscaling * factors.n_normalisation / factors.acceptance_normalisation
    )
    signal = (
        factors.acceptance_signal * factors.veto_efficiency * factors.trigger_efficiency
    )
    return factors.branching_ratio / (normalisation * signal)


def relative_sensitivity_error(
    errors: SensitivityErrors,
    *,
    acceptance_correlation: float | Float[Array, ""] = 1.0,
) -> Float[Array, ""]:
    r"""Relative error of a single-event sensitivity.

    $$\delta^2 = \delta_{A_{\pi\pi}}^2 + \delta_{A_{\pi\nu\nu}}^2
      - 2\rho\,\delta_{A_{\pi\pi}}\delta_{A_{\pi\nu\nu}} + \sum_i\delta_i^2$$

    Args:
        errors: Relative errors of the factors.
        acceptance_correlation: Correlation $\rho$ of the two acceptances, within -1
            and 1; fully correlated by default.

    Returns:
        The relative error [1].

    Examples:
        >>> import jax.numpy as jnp
        >>> numbers = (0.0039, 0.10, 0.10, 0.015, 0.056, 0.04)
        >>> errors = SensitivityErrors(*map(jnp.asarray, numbers))
        >>> round(float(relative_sensitivity_error(errors)), 3)
        0.071
    """
    first, second = errors.acceptance_normalisation, errors.acceptance_signal
    # the same as above, without cancellation where the correlation is full
    ratio = (first - second) ** 2 + 2.0 * (
        1.0 - jnp.asarray(acceptance_correlation, dtype=float)
    ) * first * second
    others = (
        errors.branching_ratio**2
        + errors.veto_efficiency**2
        + errors.trigger_efficiency**2
        + errors.remaining**2
    )
    return jnp.sqrt(ratio + others)
