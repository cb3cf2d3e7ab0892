r"""Squared missing mass of $K^+\to\pi^+X$ and its resolution.

$$m_{miss}^2 = (P_K - P_\pi)^2
  = m_K^2 + m_\pi^2 - 2(E_K E_\pi - p_K p_\pi\cos\theta)$$

from the momentum of the kaon (beam spectrometer), the momentum of the pion (straw
spectrometer) and the angle between them. The mass of X shows as a peak at $m_X^2$ whose
width follows from the errors of the three measurements.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import KAON_CHARGED_MASS, PION_CHARGED_MASS

__all__ = ["TrackingErrors", "linear_missing_mass_error", "squared_missing_mass"]


class TrackingErrors(eqx.Module):
    r"""Errors of the measured momenta and directions, one standard deviation.

    Attributes:
        kaon_momentum: Relative error of the kaon momentum [1].
        kaon_angle: Error of the kaon direction in a plane [rad].
        pion_momentum: Constant part of the relative error of the pion momentum [1].
        pion_momentum_slope: Part that grows with the momentum [1/GeV], added in
            quadrature.
        pion_angle_momenta: Two pion momenta [GeV] between which the error of the pion
            direction falls linearly; constant outside.
        pion_angles: Error of the pion direction in a plane at these momenta [rad].
    """

    kaon_momentum: Float[Array, ""]
    kaon_angle: Float[Array, ""]
    pion_momentum: Float[Array, ""]
    pion_momentum_slope: Float[Array, ""]
    pion_angle_momenta: Float[Array, " 2"]
    pion_angles: Float[Array, " 2"]

    def angle_error(
        self, pion_momentum: Float[Array, " *track"]
    ) -> Float[Array, " *track"]:
        """Error of the angle between kaon and pion [rad].

        Args:
            pion_momentum: Momentum of the pion [GeV].

        Returns:
            Both directions in quadrature.
        """
        pion_angle = jnp.interp(
            pion_momentum, self.pion_angle_momenta, self.pion_angles
        )
        return jnp.hypot(pion_angle, self.kaon_angle)

    def relative_momentum_error(
        self, pion_momentum: Float[Array, " *track"]
    ) -> Float[Array, " *track"]:
        """Relative error of the pion momentum [1].

        Args:
            pion_momentum: Momentum of the pion [GeV].

        Returns:
            Both parts in quadrature.
        """
        return jnp.hypot(self.pion_momentum, self.pion_momentum_slope * pion_momentum)


def squared_missing_mass(
    kaon_momentum: Float[Array, " *track"],
    pion_momentum: Float[Array, " *track"],
    *,
    angle: Float[Array, " *track"],
) -> Float[Array, " *track"]:
    r"""Squared missing mass of a kaon decay into a pion and something unseen.

    Args:
        kaon_momentum: Momentum of the kaon [GeV].
        pion_momentum: Momentum of the pion [GeV].
        angle: Angle between them [rad].

    Returns:
        $m_{miss}^2$ [GeV^2]; measured values may be negative.

    Examples:
        >>> at_rest = squared_missing_mass(
        ...     jnp.array(0.0), jnp.array(0.0), angle=jnp.array(0.0)
        ... )
        >>> bool(abs(at_rest - (0.493677 - 0.13957039) ** 2) < 1e-12)
        True
    """
    kaon_energy = jnp.hypot(kaon_momentum, KAON_CHARGED_MASS)
    pion_energy = jnp.hypot(pion_momentum, PION_CHARGED_MASS)
    product = kaon_energy * pion_energy - kaon_momentum * pion_momentum * jnp.cos(angle)
    return KAON_CHARGED_MASS**2 + PION_CHARGED_MASS**2 - 2.0 * product


def linear_missing_mass_error(
    kaon_momentum: Float[Array, " *track"],
    pion_momentum: Float[Array, " *track"],
    *,
    angle: Float[Array, " *track"],
    errors: TrackingErrors,
) -> Float[Array, " *track"]:
    r"""Standard deviation of the squared missing mass by linear propagation.

    With $m_{miss}^2\simeq m_K^2(1-p_\pi/p_K)+m_\pi^2(1-p_K/p_\pi)-p_Kp_\pi\theta^2$,

    $$\partial_{p_K} = \frac{m_K^2p_\pi}{p_K^2}-\frac{m_\pi^2}{p_\pi}-p_\pi\theta^2,
      \quad \partial_{p_\pi} = -\frac{m_K^2}{p_K}+\frac{m_\pi^2p_K}{p_\pi^2}
      -p_K\theta^2,\quad \partial_\theta = -2p_Kp_\pi\theta$$

    Args:
        kaon_momentum: Momentum of the kaon [GeV], >> its mass.
        pion_momentum: Momentum of the pion [GeV], >> its mass.
        angle: Angle between them [rad], << 1.
        errors: Errors of the measurements.

    Returns:
        Standard deviation [GeV^2].
    """
    kaon, pion = KAON_CHARGED_MASS**2, PION_CHARGED_MASS**2
    by_kaon = (
        kaon * pion_momentum / kaon_momentum**2
        - pion / pion_momentum
        - pion_momentum * angle**2
    )
    by_pion = (
        -kaon / kaon_momentum
        + pion * kaon_momentum / pion_momentum**2
        - kaon_momentum * angle**2
    )
    by_angle = -2.0 * kaon_momentum * pion_momentum * angle
    parts = (
        by_kaon * errors.kaon_momentum * kaon_momentum,
        by_pion * errors.relative_momentum_error(pion_momentum) * pion_momentum,
        by_angle * errors.angle_error(pion_momentum),
    )
    return jnp.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2)
