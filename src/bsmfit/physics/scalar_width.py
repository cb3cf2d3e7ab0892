r"""Widths of a scalar that mixes with the Higgs boson, up to 4 GeV.

    e+ e-, mu+ mu-, tau+ tau-   Yukawa couplings, closed form
    pi pi, K Kbar               dispersive, table; the velocity of the pair is a factor
    multi-meson                 power of the mass, from 4 pi
    g g, s sbar, c cbar         perturbation theory, `bsmfit.physics.scalar_gluon_width`

Mesons and quarks are the same decays in two languages: from 2.0 to 2.2 GeV the first
fade and the second take over (`quark_share`). They differ there by a factor of 2.

All widths are over $\sin^2\theta$. Two photons are left out: an estimate with heavy
fermions and W bosons in the loop is 0.3 % of the total just below the muon threshold
and less elsewhere. Two pions and two kaons are sums over charges; two thirds of the
pions and one half of the kaons are charged. Valid from 1 MeV to 4 GeV; the caller
checks the range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from bsmfit.core.constants import (
    ELECTRON_MASS,
    HIGGS_VEV,
    KAON_CHARGED_MASS,
    MUON_MASS,
    PION_CHARGED_MASS,
    TAU_MASS,
)
from bsmfit.core.interpolation import CubicCurve
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.scalar_quark_width import partonic_widths, quark_share

__all__ = [
    "TABULATED_FINAL_STATES",
    "ScalarWidths",
    "by_charge",
    "multi_meson_width",
    "pair_velocity",
    "scalar_leptonic_width",
]

TABULATED_FINAL_STATES: Final = ("pipi", "kk")
"""Final states whose widths come from a table."""

_DAUGHTER_MASS: Final = {"pipi": PION_CHARGED_MASS, "kk": KAON_CHARGED_MASS}

_CHARGES: Final = {
    "pipi": {"pi+pi-": 2.0 / 3.0, "pi0pi0": 1.0 / 3.0},
    "kk": {"k+k-": 1.0 / 2.0, "k0k0bar": 1.0 / 2.0},
}
"""Shares of a state of isospin 0."""

_MULTI_MESON: Final = 5.1e-9
"""Coefficient [GeV^-2], arXiv:1809.01876 as read in a public code [unverified]."""


def pair_velocity(
    mass: Float[Array, " *point"], *, threshold: float
) -> Float[Array, " *point"]:
    r"""Velocity of the two daughters of equal mass in the rest frame of the parent.

    $$\beta = \sqrt{1 - \frac{m_{th}^2}{m^2}}$$

    At and below threshold it and its gradient are exactly zero; just above, the slope
    grows like the inverse square root of the distance and stays finite.

    Args:
        mass: Mass of the parent [GeV], > 0.
        threshold: Sum of the masses of the daughters $m_{th}$ [GeV], > 0.

    Returns:
        Velocity [1].

    Examples:
        >>> print(f"{float(pair_velocity(jnp.array(1.25), threshold=0.75)):.3f}")
        0.800
    """
    is_open = mass > threshold
    u = threshold / jnp.where(is_open, mass, 2.0 * threshold)
    beta = jnp.sqrt((1.0 - u) * (1.0 + u))
    return jnp.where(is_open, beta, jnp.zeros_like(beta))


def scalar_leptonic_width(
    mass: Float[Array, " *point"], *, lepton_mass: float
) -> Float[Array, " *point"]:
    r"""Width into one pair of charged leptons at unit mixing.

    $$\Gamma(S\to\ell^+\ell^-) = \frac{m_\ell^2\,m_S\,\beta^3}{8\pi v^2}\,\sin^2\theta$$

    At and below threshold the width and its gradient are exactly zero (P-wave pair).

    Args:
        mass: Mass of the scalar [GeV], > 0.
        lepton_mass: Lepton mass [GeV], > 0.

    Returns:
        Partial width over the squared mixing [GeV].

    References:
        arXiv:1809.01876; arXiv:1904.10447 (equation numbers unverified).
    """
    beta = pair_velocity(mass, threshold=2.0 * lepton_mass)
    return lepton_mass**2 * mass * beta**3 / (8.0 * math.pi * HIGGS_VEV**2)


def multi_meson_width(mass: Float[Array, " *point"]) -> Float[Array, " *point"]:
    r"""Width into four and more mesons at unit mixing.

    $$\Gamma = C\,m_S^3\sqrt{1-\frac{16\,m_\pi^2}{m_S^2}}\,\sin^2\theta, \qquad
      C = 5.1\times10^{-9}\ \text{GeV}^{-2}$$

    An estimate: $C$ makes the sum of all widths meet perturbation theory at 2 GeV.
    Programs differ by a factor of 2 in the total width from 1.3 to 2 GeV.

    Args:
        mass: Mass of the scalar [GeV], > 0.

    Returns:
        Partial width over the squared mixing [GeV]; exactly 0 up to four pion masses.

    References:
        arXiv:1809.01876, as read in a public code (equation number unverified).
    """
    beta = pair_velocity(mass, threshold=4.0 * PION_CHARGED_MASS)
    return _MULTI_MESON * mass**3 * beta


class ScalarWidths(eqx.Module):
    r"""Partial widths of a Higgs-mixed scalar at unit mixing.

    Two pions and two kaons are $\beta\,e^{c(m)}$ with a monotone cubic $c$ through the
    table: the width falls to zero at threshold as phase space says, and between
    threshold and the first node $\Gamma/\beta$ keeps its first value [assumed].

    Attributes:
        log_reduced: Logarithm of $\Gamma/\beta$ [log GeV] by tabulated final state.
    """

    log_reduced: dict[str, CubicCurve]

    @classmethod
    def from_table(cls, table: Mapping[str, ArrayLike]) -> ScalarWidths:
        """Build the widths from a table, as in data/scalar_widths.

        Args:
            table: Columns ``final_state`` (one of `TABULATED_FINAL_STATES`), ``mass``
                [GeV], rising for each and above threshold, and ``width`` over
                sin^2(theta) [GeV], > 0.

        Returns:
            The widths as functions of the mass.

        Raises:
            UnknownNameError: A final state is unknown or missing.
            InputError: A mass is not above threshold, masses do not rise, or a width
                is not positive.
        """
        states = np.asarray(table["final_state"])
        masses, widths = (np.asarray(table[key], float) for key in ("mass", "width"))
        given = tuple(str(name) for name in np.unique(states))
        for names, allowed in (
            (given, TABULATED_FINAL_STATES),
            (TABULATED_FINAL_STATES, given),
        ):
            for name in names:
                if name not in allowed:
                    kind = "final state of the table of scalar widths"
                    raise UnknownNameError.from_choices(kind, name, allowed)
        return cls(
            {
                name: _reduced_curve(
                    name, masses[states == name], widths[states == name]
                )
                for name in TABULATED_FINAL_STATES
            }
        )

    def by_final_state(self, mass: Float[Array, ""]) -> dict[str, Float[Array, ""]]:
        """Width of each final state.

        Args:
            mass: Mass of the scalar [GeV], 0.001 to 4.

        Returns:
            Partial width over the squared mixing [GeV] by final state: ``"ee"``,
            ``"mumu"``, ``"tautau"``, ``"pipi"``, ``"kk"``, ``"multi-meson"``,
            ``"gg"``, ``"ss"``, ``"cc"``. A closed one is exactly 0.
        """
        mesons = 1.0 - quark_share(mass)
        return {
            "ee": scalar_leptonic_width(mass, lepton_mass=ELECTRON_MASS),
            "mumu": scalar_leptonic_width(mass, lepton_mass=MUON_MASS),
            "tautau": scalar_leptonic_width(mass, lepton_mass=TAU_MASS),
            **{
                name: pair_velocity(mass, threshold=2.0 * _DAUGHTER_MASS[name])
                * jnp.exp(curve(mass))
                * mesons
                for name, curve in self.log_reduced.items()
            },
            "multi-meson": multi_meson_width(mass) * mesons,
            **partonic_widths(mass),
        }

    def __call__(self, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Total width.

        Args:
            mass: Mass of the scalar [GeV], 0.001 to 4.

        Returns:
            Total width over the squared mixing [GeV]; exactly 0 at and below the
            electron threshold.
        """
        return sum(self.by_final_state(mass).values(), start=jnp.zeros_like(mass))


def by_charge(widths: Mapping[str, Float[Array, ""]]) -> dict[str, Float[Array, ""]]:
    """Widths with the pairs of pions and of kaons shared out by charge.

    A scalar that mixes with the Higgs boson has isospin 0: two thirds of the pions and
    one half of the kaons are charged. Neutral pairs open where the charged ones do: the
    9 MeV between the thresholds of pions and 8 MeV of kaons are neglected.

    Args:
        widths: Partial widths of `ScalarWidths.by_final_state` [GeV].

    Returns:
        Partial width [GeV] by final state, ``"pi+pi-"`` and ``"pi0pi0"`` in place of
        ``"pipi"``, ``"k+k-"`` and ``"k0k0bar"`` in place of ``"kk"``.
    """
    shared: dict[str, Float[Array, ""]] = {}
    for name, width in widths.items():
        shares = _CHARGES.get(name, {name: 1.0})
        shared |= {charges: share * width for charges, share in shares.items()}
    return shared


def _reduced_curve(name: str, masses: np.ndarray, widths: np.ndarray) -> CubicCurve:
    threshold = 2.0 * _DAUGHTER_MASS[name]
    if not (np.all(np.diff(masses) > 0.0) and masses[0] > threshold):
        msg = (
            f"table of scalar widths, {name}: masses must rise from above "
            f"{threshold:.5g} GeV, but start with {masses[0]:.5g} GeV or turn back"
        )
        raise InputError(msg)
    if not np.all(widths > 0.0):
        msg = f"table of scalar widths, {name}: width = {widths.min():g} must be > 0"
        raise InputError(msg)
    beta = np.sqrt(1.0 - (threshold / masses) ** 2)
    return CubicCurve.monotone(masses, np.log(widths / beta))
