r"""The omega and phi in e+e- -> hadrons: 3 pi, K Kbar, pi0 gamma, eta gamma.

Vector-meson dominance with energy-dependent widths. A dark photon of mass m mixes with
each vector meson V, which decays to the final state f:

    phase space P_f(m) -> widths Gamma_V(m) -> propagators -> coherent sum over V -> R_f

The phi amplitude enters with the opposite sign to the omega's (quark charges and ideal
mixing), hence a deep minimum of 3 pi just above the phi, as seen in the data. The
two-pion mode of the omega is in its width here, and its rate in
`bsmfit.physics.pion_form_factor`, so that nothing is counted twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    ETA_MASS,
    FINE_STRUCTURE,
    KAON_CHARGED_MASS,
    KAON_NEUTRAL_MASS,
    OMEGA_MASS,
    PHI_MASS,
    PION_CHARGED_MASS,
    PION_NEUTRAL_MASS,
)
from bsmfit.core.interpolation import CubicCurve
from bsmfit.physics.three_pion_phase_space import (
    THREE_PION_THRESHOLD,
    three_pion_phase_space,
)
from bsmfit.physics.vector_meson_couplings import LIKE_THE_PHOTON, MesonCouplings

__all__ = ["OMEGA", "PHI", "NarrowResonances", "VectorMeson"]


@dataclass(frozen=True)
class VectorMeson:
    """A narrow vector meson.

    Attributes:
        mass: Mass [GeV].
        width: Total width [GeV].
        electron_branching_ratio: Branching ratio to an electron pair.
        sign: Sign of the amplitude relative to the omega, +1 or -1.
        branching_ratios: Final states and their branching ratios.
    """

    mass: float
    width: float
    electron_branching_ratio: float
    sign: float
    branching_ratios: tuple[tuple[str, float], ...]


# Navas:2024vhm and its updates, particle listings omega(782) and phi(1020) [published;
# transcribed by hand, last digits unverified].
OMEGA: Final = VectorMeson(
    mass=OMEGA_MASS,
    width=8.68e-3,
    electron_branching_ratio=7.38e-5,
    sign=1.0,
    branching_ratios=(
        ("three_pion", 0.892),
        ("neutral_pion_photon", 0.0835),
        ("pion_pair", 0.0153),
        ("eta_photon", 4.5e-4),
    ),
)
"""The omega(782)."""

PHI: Final = VectorMeson(
    mass=PHI_MASS,
    width=4.249e-3,
    electron_branching_ratio=2.979e-4,
    sign=-1.0,
    branching_ratios=(
        ("charged_kaon_pair", 0.491),
        ("neutral_kaon_pair", 0.339),
        ("three_pion", 0.154),
        ("eta_photon", 0.01301),
        ("neutral_pion_photon", 1.32e-3),
    ),
)
"""The phi(1020)."""

# Masses [GeV] of the two bodies, and whether their P-wave width carries a factor 1/s:
# two pseudoscalars p^3 / s, a pseudoscalar and a photon p^3.
_TWO_BODY: Final = {
    "charged_kaon_pair": (KAON_CHARGED_MASS, KAON_CHARGED_MASS, True),
    "neutral_kaon_pair": (KAON_NEUTRAL_MASS, KAON_NEUTRAL_MASS, True),
    "pion_pair": (PION_CHARGED_MASS, PION_CHARGED_MASS, True),
    "neutral_pion_photon": (PION_NEUTRAL_MASS, 0.0, False),
    "eta_photon": (ETA_MASS, 0.0, False),
}
_VISIBLE: Final = (
    "three_pion",
    "charged_kaon_pair",
    "neutral_kaon_pair",
    "neutral_pion_photon",
    "eta_photon",
)
_TABLE_END: Final = 2.1
_N_NODE: Final = 128


def _two_body_phase_space(mass: Float[Array, ""], final_state: str) -> Float[Array, ""]:
    """P-wave two-body width at fixed coupling, exactly zero at and below threshold."""
    mass_a, mass_b, has_pair_factor = _TWO_BODY[final_state]
    is_open = mass > mass_a + mass_b
    safe = jnp.where(is_open, mass, 2.0 * (mass_a + mass_b))
    upper = (safe - (mass_a + mass_b)) * (safe + (mass_a + mass_b))
    lower = (safe - (mass_a - mass_b)) * (safe + (mass_a - mass_b))
    momentum_cubed = (upper * lower) ** 1.5 / (8.0 * safe**3)
    value = momentum_cubed / safe**2 if has_pair_factor else momentum_cubed
    return jnp.where(is_open, value, jnp.zeros_like(value))


def _phase_space(
    mass: Float[Array, ""], final_state: str, three_pion_table: CubicCurve
) -> Float[Array, ""]:
    """Phase space of any final state; see `NarrowResonances.phase_space`."""
    if final_state != "three_pion":
        return _two_body_phase_space(mass, final_state)
    release = mass - THREE_PION_THRESHOLD
    is_open = release > 0.0
    safe = jnp.where(is_open, release, jnp.full_like(mass, 0.5))
    value = safe**4 * three_pion_table(safe)
    return jnp.where(is_open, value, jnp.zeros_like(value))


class NarrowResonances(eqx.Module):
    r"""Ratios R of the final states that the omega and the phi feed.

    $$R_f = \frac{9}{\alpha^2 m} \Big| \sum_V \sigma_V
      \frac{\sqrt{\Gamma_{ee}^V M_V^3\, \Gamma_f^V(m)}}
      {M_V^2 - m^2 - i m \Gamma_V(m)} \Big|^2, \qquad
      \Gamma_f^V(m) = B_f^V\, \Gamma_V \frac{P_f(m)}{P_f(M_V)}$$

    which is $9 B_{ee} B_f / \alpha^2$ on the peak of a single resonance. The width in
    the propagator is the sum over the listed modes, scaled to the total at the pole.

    Attributes:
        three_pion_table: Interpolates $P_{3\pi}(m) / (m - m_{thr})^4$.
        pole_phase_space: $P_f(M_V)$ of each resonance by final state.
        mesons: The resonances.

    References:
        arXiv:hep-ex/0305049 (SND), with real relative signs [equation unverified].
    """

    three_pion_table: CubicCurve
    pole_phase_space: tuple[dict[str, Float[Array, ""]], ...]
    mesons: tuple[VectorMeson, ...] = eqx.field(static=True)

    @classmethod
    def from_mesons(
        cls, mesons: tuple[VectorMeson, ...] = (OMEGA, PHI)
    ) -> NarrowResonances:
        """Tabulate the three-pion phase space for the given resonances.

        Args:
            mesons: The resonances, summed coherently.

        Returns:
            The resonances, ready to be evaluated.
        """
        release = np.linspace(1e-5, _TABLE_END - THREE_PION_THRESHOLD, _N_NODE)
        value = three_pion_phase_space(THREE_PION_THRESHOLD + release) / release**4
        table = CubicCurve.smooth(release, value)

        @jax.jit
        def phase_space_at_poles() -> tuple[dict[str, Array], ...]:
            return tuple(
                {
                    name: _phase_space(jnp.asarray(meson.mass), name, table)
                    for name, _ in meson.branching_ratios
                }
                for meson in mesons
            )

        at_pole = phase_space_at_poles()
        return cls(three_pion_table=table, pole_phase_space=at_pole, mesons=mesons)

    def phase_space(self, mass: Float[Array, ""], final_state: str) -> Float[Array, ""]:
        """Width into a final state at fixed coupling, in units fixed per final state.

        Args:
            mass: Mass of the virtual vector meson [GeV], > 0 and <= 2.1.
            final_state: A key of the branching ratios.

        Returns:
            Growth of the width; exactly zero at and below threshold.
        """
        return _phase_space(mass, final_state, self.three_pion_table)

    def total_widths(self, mass: Float[Array, ""]) -> tuple[Float[Array, ""], ...]:
        """Energy-dependent total width of each resonance.

        Args:
            mass: Mass of the virtual vector meson [GeV], > 0 and <= 2.1.

        Returns:
            Total widths [GeV], equal to the measured ones at the poles.
        """
        names = {name for meson in self.mesons for name, _ in meson.branching_ratios}
        growth = {name: self.phase_space(mass, name) for name in sorted(names)}
        return tuple(
            meson.width
            / sum(fraction for _, fraction in meson.branching_ratios)
            * sum(
                (f * growth[name] / pole[name] for name, f in meson.branching_ratios),
                start=jnp.zeros_like(mass),
            )
            for meson, pole in zip(self.mesons, self.pole_phase_space, strict=True)
        )

    def __call__(
        self, mass: Float[Array, ""], *, couplings: MesonCouplings = LIKE_THE_PHOTON
    ) -> dict[str, Float[Array, ""]]:
        """Ratio R of each final state.

        Args:
            mass: Dark-photon mass [GeV], > 0 and <= 2.1.
            couplings: Of the vector to the mesons; those of the photon by default.
                A factor on the amplitude of the omega and of the phi.

        Returns:
            R by final state; each exactly zero at and below its threshold.
        """
        real = dict.fromkeys(_VISIBLE, jnp.zeros_like(mass))
        imaginary = dict(real)
        widths = self.total_widths(mass)
        for meson, pole, width in zip(
            self.mesons, self.pole_phase_space, widths, strict=True
        ):
            gap = (meson.mass - mass) * (meson.mass + mass)
            norm = gap**2 + (mass * width) ** 2
            electron_width = meson.electron_branching_ratio * meson.width
            for name, fraction in meson.branching_ratios:
                if name not in real:
                    continue
                squared = electron_width * meson.mass**3 * fraction * meson.width
                factor = meson.sign * (
                    couplings.phi if meson is PHI else couplings.omega
                )
                strength = factor * jnp.sqrt(squared / pole[name]) / norm
                real[name] = real[name] + strength * gap
                imaginary[name] = imaginary[name] + strength * mass * width
        scale = 9.0 / (FINE_STRUCTURE**2 * mass)
        return {
            name: scale
            * self.phase_space(mass, name)
            * (real[name] ** 2 + imaginary[name] ** 2)
            for name in _VISIBLE
        }
