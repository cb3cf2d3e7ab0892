r"""Matrix elements of decays into two electron pairs, as weights of events.

Each pair comes from a vector that couples to the electromagnetic current, so that the
squared amplitude is a tensor between two lepton tensors,

$$|\mathcal M|^2 \propto T_{\mu\nu}T_{\alpha\beta}\,L_1^{\mu\alpha}L_2^{\nu\beta},\qquad
  L^{\mu\alpha} = k_+^\mu k_-^\alpha + k_-^\mu k_+^\alpha
    - g^{\mu\alpha}(k_+\!\cdot k_- + m_e^2)$$

Terms with the momentum of a vector drop out: currents are conserved. The exchange of
the two like electrons is left out.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import ELECTRON_MASS

__all__ = ["contact_weight", "field_strength_weight"]


def contact_weight(electrons: Float[Array, "n 4 4"]) -> Float[Array, " n"]:
    r"""Squared amplitude for the coupling $V_{1\mu}V_2^\mu$, $T_{\mu\nu}=g_{\mu\nu}$.

    The decay $S\to A'A'$ with $\mathcal L = g_D m_{A'} S A'_\mu A'^\mu$. For massless
    electrons $2[(k_1k_3)(k_2k_4)+(k_1k_4)(k_2k_3)]$.

    Args:
        electrons: Four-momenta (E, x, y, z) of e+, e-, e+, e- [GeV].

    Returns:
        Weights [GeV^4].
    """
    k1, k2, k3, k4 = (electrons[:, i] for i in range(4))
    a, b = _half_squared(k1, k2), _half_squared(k3, k4)
    crossed = _dot(k1, k3) * _dot(k2, k4) + _dot(k1, k4) * _dot(k2, k3)
    # 2 crossed - 2 b k1k2 - 2 a k3k4 + 4 a b with k1k2 = a - m^2
    return 2.0 * crossed + 2.0 * (a + b) * ELECTRON_MASS**2


def field_strength_weight(electrons: Float[Array, "n 4 4"]) -> Float[Array, " n"]:
    r"""Squared amplitude for $F_1^{\mu\nu}F_{2\mu\nu}$.

    $T_{\mu\nu} = (q_1q_2)\,g_{\mu\nu} - q_{2\mu}q_{1\nu}$, gauge invariant.

    Args:
        electrons: Four-momenta (E, x, y, z) of e+, e-, e+, e- [GeV].

    Returns:
        Weights [GeV^8].
    """
    k1, k2, k3, k4 = (electrons[:, i] for i in range(4))
    q1, q2 = k1 + k2, k3 + k4
    a, b = _half_squared(k1, k2), _half_squared(k3, k4)
    q1q2 = _dot(q1, q2)
    # L(q2, q2) and L(q1, q1), and the mixed term q2 L1 L2 q1
    first = 2.0 * _dot(k1, q2) * _dot(k2, q2) - a * _dot(q2, q2)
    second = 2.0 * _dot(k3, q1) * _dot(k4, q1) - b * _dot(q1, q1)
    mixed = (
        _dot(k1, q2) * _dot(k2, k3) * _dot(k4, q1)
        + _dot(k1, q2) * _dot(k2, k4) * _dot(k3, q1)
        + _dot(k2, q2) * _dot(k1, k3) * _dot(k4, q1)
        + _dot(k2, q2) * _dot(k1, k4) * _dot(k3, q1)
    )
    mixed = mixed - b * (_dot(k1, q2) * _dot(k2, q1) + _dot(k2, q2) * _dot(k1, q1))
    mixed = mixed - a * (_dot(k3, q2) * _dot(k4, q1) + _dot(k4, q2) * _dot(k3, q1))
    mixed = mixed + a * b * q1q2
    square = q1q2**2 * contact_weight(electrons)
    return square - 2.0 * q1q2 * mixed + first * second


def _dot(p: Float[Array, "n 4"], q: Float[Array, "n 4"]) -> Float[Array, " n"]:
    return p[:, 0] * q[:, 0] - jnp.sum(p[:, 1:] * q[:, 1:], axis=1)


def _half_squared(p: Float[Array, "n 4"], q: Float[Array, "n 4"]) -> Float[Array, " n"]:
    """Half the squared mass of a pair [GeV^2]."""
    return _dot(p, q) + ELECTRON_MASS**2
