r"""The ratio R of hadrons to massless muon pairs, from threshold to 2 GeV.

    pi+ pi-                         Gounaris-Sakurai form factor, all masses
    pi0 gamma, eta gamma            omega and phi, all masses
    3 pi, K Kbar                    omega and phi below 1.04 GeV, table above 1.08 GeV
    4 pi, K Kbar pi, the rest       table, from 0.8 GeV

Each final state has one source at any mass, except in the 40 MeV where 3 pi and K Kbar
pass smoothly from the resonance formulae to the table, so nothing is counted twice. The
dark photon's hadronic width is R times the width into one massless lepton pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from bsmfit.core.interpolation import CubicCurve
from bsmfit.errors import UnknownNameError
from bsmfit.physics.narrow_resonances import NarrowResonances
from bsmfit.physics.pion_form_factor import two_pion_ratio
from bsmfit.physics.vector_meson_couplings import LIKE_THE_PHOTON, MesonCouplings

__all__ = ["TABLE_COLUMNS", "HadronicRatio"]

_RESONANT: Final = ("three_pion", "kaon_pair")
_CONTINUUM: Final = (
    "four_pion_charged",
    "four_pion_mixed",
    "kaon_pair_pion",
    "other",
)
_TABULATED: Final = _RESONANT + _CONTINUUM
TABLE_COLUMNS: Final = ("mass", *(f"{name}_ratio" for name in _TABULATED))
"""Columns of the table of exclusive ratios: the mass [GeV], then R by final state."""

# From about 5 to 14 widths above the phi, where its tail no longer dominates.
_JOIN_START: Final = 1.04
_JOIN_END: Final = 1.08


def _join_weight(mass: Float[Array, ""]) -> Float[Array, ""]:
    """Weight of the table: 0 below the join, 1 above, twice differentiable."""
    x = jnp.clip((mass - _JOIN_START) / (_JOIN_END - _JOIN_START), 0.0, 1.0)
    return x**3 * (10.0 + x * (-15.0 + 6.0 * x))


class HadronicRatio(eqx.Module):
    r"""R(m) = sigma(e+e- -> hadrons) / sigma(e+e- -> massless muon pair).

    $$\Gamma(A' \to \text{hadrons}) = R(m)\,
      \frac{1}{3}\,\alpha\,\epsilon^2 m_{A'}$$

    Valid from 1 MeV to 2 GeV; the caller checks the range. Above 2 GeV the tabulated
    final states keep their last value. At and below the threshold of pi0 gamma
    (0.135 GeV) R is exactly zero. Near 2 GeV it joins perturbation theory,
    $2(1 + \alpha_s/\pi) = 2.19$, within the 5 % of the data.

    Attributes:
        narrow_resonances: The omega and phi.
        exclusive: Monotone cubic interpolation of the tabulated ratios.
    """

    narrow_resonances: NarrowResonances
    exclusive: CubicCurve

    @classmethod
    def from_table(cls, table: Mapping[str, ArrayLike]) -> HadronicRatio:
        """Build R from a table of exclusive ratios, as in data/hadrons.

        Args:
            table: The columns `TABLE_COLUMNS`, of equal length: rising masses [GeV]
                and R by final state. A further column is an error.

        Returns:
            The ratio as a function of the mass.

        Raises:
            UnknownNameError: A column is missing or unknown.
        """
        for given, allowed in ((TABLE_COLUMNS, table), (table, TABLE_COLUMNS)):
            for name in given:
                if name not in allowed:
                    kind = "column of the table of exclusive ratios"
                    raise UnknownNameError.from_choices(kind, name, allowed)
        columns = [np.asarray(table[f"{name}_ratio"], float) for name in _TABULATED]
        exclusive = CubicCurve.monotone(table["mass"], np.stack(columns, axis=-1))
        return cls(NarrowResonances.from_mesons(), exclusive)

    def _tabulated(
        self, mass: Float[Array, ""], couplings: MesonCouplings
    ) -> dict[str, Float[Array, ""]]:
        """Tabulated ratios, with the first and last value kept beyond the ends.

        The shares of the mesons: four pions are isovector, three pions isoscalar, kaons
        strange; the rest in the proportion 9 : 1 : 2 of the squared quark charges.
        """
        rho, omega, phi = (strength**2 for strength in couplings)
        rest = (9.0 * rho + omega + 2.0 * phi) / 12.0
        shares = dict(zip(_TABULATED, (omega, phi, rho, rho, phi, rest), strict=True))
        tabulated = dict(zip(_TABULATED, self.exclusive(mass), strict=True))
        return {name: shares[name] * ratio for name, ratio in tabulated.items()}

    def by_final_state(
        self, mass: Float[Array, ""], *, couplings: MesonCouplings = LIKE_THE_PHOTON
    ) -> dict[str, Float[Array, ""]]:
        """Ratio R of each hadronic final state.

        Args:
            mass: Dark-photon mass [GeV], 0.001 to 2.
            couplings: Of the vector to the mesons; those of the photon by default.

        Returns:
            R [1] by final state, each >= 0; a closed one is exactly 0.
        """
        narrow = self.narrow_resonances(mass, couplings=couplings)
        kaon_pair = narrow["charged_kaon_pair"] + narrow["neutral_kaon_pair"]
        tabulated, weight = self._tabulated(mass, couplings), _join_weight(mass)
        resonant = {"three_pion": narrow["three_pion"], "kaon_pair": kaon_pair}
        joined = {
            name: (1.0 - weight) * value + weight * tabulated[name]
            for name, value in resonant.items()
        }
        return {
            "pion_pair": two_pion_ratio(mass, couplings=couplings),
            "neutral_pion_photon": narrow["neutral_pion_photon"],
            "eta_photon": narrow["eta_photon"],
            **joined,
            **{name: tabulated[name] for name in _CONTINUUM},
        }

    def charged_kaon_pair(
        self,
        mass: Float[Array, ""],
        *,
        share_of_table: float,
        couplings: MesonCouplings = LIKE_THE_PHOTON,
    ) -> Float[Array, ""]:
        """Ratio R of K+ K- alone, out of that of both charges.

        Args:
            mass: Dark-photon mass [GeV], 0.001 to 2.
            share_of_table: Share of K+ K- in the table [1], which has both charges; the
                omega and phi know their own.
            couplings: Of the vector to the mesons; those of the photon by default.

        Returns:
            R [1], >= 0; exactly 0 at and below threshold.
        """
        weight = _join_weight(mass)
        tabulated = share_of_table * self._tabulated(mass, couplings)["kaon_pair"]
        resonant = self.narrow_resonances(mass, couplings=couplings)
        narrow = resonant["charged_kaon_pair"]
        return (1.0 - weight) * narrow + weight * tabulated

    def __call__(self, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Ratio R of all hadrons.

        Args:
            mass: Dark-photon mass [GeV], 0.001 to 2.

        Returns:
            R [1], >= 0.
        """
        return sum(self.by_final_state(mass).values(), start=jnp.zeros_like(mass))
