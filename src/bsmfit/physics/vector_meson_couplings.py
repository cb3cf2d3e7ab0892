r"""How strongly a vector couples to rho, omega and phi, relative to the photon.

Vector-meson dominance: a vector whose quark charges are $Q_X = diag(x_u, x_d, x_s)$
turns into the meson V with the strength $k_V\,\mathrm{tr}(T_V Q_X)$,

$$a_\rho = x_u - x_d, \qquad a_\omega = 3(x_u + x_d), \qquad a_\phi = -3 x_s,$$

with $T_\rho = diag(1,-1,0)/2$, $T_\omega = diag(1,1,0)/2$,
$T_\phi = diag(0,0,1)/\sqrt2$ and $k$ = 2, 6, $3\sqrt2$ up to a sign. All
are 1 for electric charges.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from jaxtyping import Array, Float

__all__ = ["LIKE_THE_PHOTON", "MesonCouplings"]

_Strength = float | Float[Array, ""]


class MesonCouplings(NamedTuple):
    """Strengths relative to those of the photon.

    Attributes:
        rho: Isovector part [1].
        omega: Isoscalar part of up and down [1].
        phi: Strange part [1].
    """

    rho: _Strength
    omega: _Strength
    phi: _Strength

    @classmethod
    def of_quarks(
        cls, up: _Strength, down: _Strength, strange: _Strength
    ) -> MesonCouplings:
        """Couplings of a vector from the charges of the quarks.

        Args:
            up: Charge of the up quark [1].
            down: Charge of the down quark [1].
            strange: Charge of the strange quark [1].

        Returns:
            The couplings, in the unit of the charges.

        References:
            arXiv:1801.04847, eqs. (2.11) and (2.15) to (2.18) as numbered in its code.

        Examples:
            >>> couplings = MesonCouplings.of_quarks(1 / 3, 1 / 3, 1 / 3)
            >>> print([round(strength, 12) for strength in couplings])
            [0.0, 2.0, -1.0]
        """
        return cls(up - down, 3.0 * (up + down), -3.0 * strange)


LIKE_THE_PHOTON: Final = MesonCouplings(1.0, 1.0, 1.0)
"""Couplings of a vector with electric charges."""
