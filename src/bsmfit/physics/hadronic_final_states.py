r"""Hadronic final states of one charged pair, and the rates of a dark photon into them.

    pi+ pi-    pi+ pi- pi0    pi+ pi- 2pi0    K+ K-    K+ K- pi0

A final state is a pair of opposite charges that recoils against none, one or two
neutral mesons, each of which decays to two photons. What the exclusive ratios of
`bsmfit.physics.hadronic_ratio` do not separate is shared out by isospin:

| final state | ratio | share | |
|---|---|---|---|
| K+ K- | K+ K- and K0 K0bar | 1/2 above 1.08 GeV | assumed |
| K+ K- pi0 | K Kbar pi, all charges | 1/6 | isospin, no interference |

Below 1.04 GeV the omega and phi know their own shares. Half of the kaon pairs is a
choice: rho, omega and phi interfere, so that charged pairs are the larger part between
1.1 and 1.6 GeV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    KAON_CHARGED_MASS,
    PION_CHARGED_MASS,
    PION_NEUTRAL_MASS,
)
from bsmfit.physics.final_states import OTHER_HADRONS
from bsmfit.physics.hadronic_ratio import HadronicRatio
from bsmfit.physics.vector_meson_couplings import LIKE_THE_PHOTON, MesonCouplings

__all__ = [
    "CHARGED_PAIR_STATES",
    "ChargedPairState",
    "hadronic_ratios",
]

_PI0_TO_PHOTONS: Final = 0.98823
"""BR(pi0 -> gamma gamma), Navas:2024vhm."""

_CHARGED_KAON_SHARE: Final = 1.0 / 2.0
_CHARGED_KAON_PION_SHARE: Final = 1.0 / 6.0


@dataclass(frozen=True)
class ChargedPairState:
    r"""A charged pair and the neutral mesons it recoils against.

    Attributes:
        charged_mass: Mass of either charged particle [GeV].
        n_neutral: Number of neutral pions, 0 to 2.
        matrix_element: ``"phase-space"`` or ``"rho-pi"``.
        spin_axis: Axis a of the decay of a vector, which is $1-\cos^2$ of the angle to
            it for a transverse one: ``"pair"`` is the momentum of either particle,
            $|\epsilon\cdot p|^2$; ``"normal"`` that of the plane of three
            pseudoscalars, $|\epsilon\cdot(p_+\times p_-)|^2$. None is isotropic.
    """

    charged_mass: float
    n_neutral: int = 0
    matrix_element: str = "phase-space"
    spin_axis: Literal["pair", "normal"] | None = None

    @property
    def threshold(self) -> float:
        """Sum of the masses [GeV]."""
        return 2.0 * self.charged_mass + self.n_neutral * PION_NEUTRAL_MASS

    @property
    def photon_share(self) -> float:
        """Probability that every neutral pion decays to two photons."""
        return _PI0_TO_PHOTONS**self.n_neutral


CHARGED_PAIR_STATES: Final = {
    "pi+pi-": ChargedPairState(PION_CHARGED_MASS, spin_axis="pair"),
    "pi+pi-pi0": ChargedPairState(PION_CHARGED_MASS, 1, "rho-pi", "normal"),
    "pi+pi-2pi0": ChargedPairState(PION_CHARGED_MASS, 2),
    "k+k-": ChargedPairState(KAON_CHARGED_MASS, spin_axis="pair"),
    "k+k-pi0": ChargedPairState(KAON_CHARGED_MASS, 1),
}
"""The final states by the name they have among branching ratios."""


def hadronic_ratios(
    mass: Float[Array, ""],
    *,
    hadronic_ratio: HadronicRatio,
    couplings: MesonCouplings = LIKE_THE_PHOTON,
) -> dict[str, Float[Array, ""]]:
    """Ratio R of each hadronic final state that a search looks for, and of the rest.

    Args:
        mass: Dark-photon mass [GeV], 0.001 to 2.
        hadronic_ratio: R(m) by final state.
        couplings: Of the vector to the mesons; those of the photon by default.

    Returns:
        R [1] by final state, `CHARGED_PAIR_STATES` and `OTHER_HADRONS`, each >= 0; a
        closed one is exactly 0. Their sum is that of `hadronic_ratio`.
    """
    parts = hadronic_ratio.by_final_state(mass, couplings=couplings)
    charged_kaons = hadronic_ratio.charged_kaon_pair(
        mass, share_of_table=_CHARGED_KAON_SHARE, couplings=couplings
    )
    kaons_and_pion = parts["kaon_pair_pion"]
    named = {
        "pi+pi-": parts["pion_pair"],
        "pi+pi-pi0": parts["three_pion"],
        "pi+pi-2pi0": parts["four_pion_mixed"],
        "k+k-": charged_kaons,
        "k+k-pi0": _CHARGED_KAON_PION_SHARE * kaons_and_pion,
    }
    rest = (
        parts["neutral_pion_photon"]
        + parts["eta_photon"]
        + parts["four_pion_charged"]
        + (parts["kaon_pair"] - charged_kaons)
        + (1.0 - _CHARGED_KAON_PION_SHARE) * kaons_and_pion
        + parts["other"]
    )
    return named | {OTHER_HADRONS: jnp.maximum(rest, 0.0)}
