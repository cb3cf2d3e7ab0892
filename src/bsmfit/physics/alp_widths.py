r"""Widths of an axion-like particle, from 1 MeV to 3 GeV.

    gammagamma              `bsmfit.physics.alp_photon_coupling`
    ee, mumu, tautau        closed form
    pi+pi-pi0, 3pi0, pi+pi-gamma, other-hadrons
                            tables: of the gluon coupling times $c_{GG}^2$, and of the
                            quark couplings times $c_q^2$

All at $f$ = 1 GeV, to be divided by $f^2$. Hadronic widths of gluons and quarks are
added without interference, with $c_q$ the mean of up, down and strange: exact for the
benchmarks, where one of the two dominates, an approximation for others. What quark
couplings make is all in ``"other-hadrons"``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from bsmfit.core.constants import (
    ELECTRON_MASS,
    ETA_MASS,
    MUON_MASS,
    PION_CHARGED_MASS,
    PION_NEUTRAL_MASS,
    TAU_MASS,
)
from bsmfit.core.interpolation import CubicCurve
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.alp_couplings import LowEnergyCouplings
from bsmfit.physics.alp_photon_coupling import (
    gluon_amplitude_low_mass,
    gluon_amplitude_sign,
    other_photon_coupling,
    photon_width,
)
from bsmfit.physics.scalar_width import pair_velocity

__all__ = ["ALP_FINAL_STATES", "PHOTONS", "AlpWidths", "alp_leptonic_width"]

PHOTONS: Final = "gammagamma"
_OTHER: Final = "other-hadrons"

_LEPTONS: Final = {
    "ee": ("electron", ELECTRON_MASS),
    "mumu": ("muon", MUON_MASS),
    "tautau": ("tau", TAU_MASS),
}

_THRESHOLDS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "pi+pi-pi0": 2.0 * PION_CHARGED_MASS + PION_NEUTRAL_MASS,
        "3pi0": 3.0 * PION_NEUTRAL_MASS,
        "pi+pi-gamma": 2.0 * PION_CHARGED_MASS,
        _OTHER: 2.0 * PION_CHARGED_MASS + ETA_MASS,
    }
)
"""Lowest mass of the tabulated decays of the gluon coupling [GeV]."""

_QUARK_THRESHOLD: Final = 2.0 * PION_CHARGED_MASS
"""Lowest mass of hadronic decays of the quark couplings [GeV]: pi pi gamma."""

ALP_FINAL_STATES: Final = (PHOTONS, *_LEPTONS, *_THRESHOLDS)
"""Final states, by name; together they are all decays."""

_UNIT: Final = 1e-9 * (1e3 / (16.0 * math.pi**2)) ** 2
"""Widths of the table of gluons are in eV at c_GG/(16 pi^2 f) = 1/TeV."""

_LOW_MASSES: Final = (1e-3, 0.02, 0.035, 0.05, 0.06)
"""Where A_G is taken from its closed form [GeV]."""


def alp_leptonic_width(
    mass: Float[Array, " *point"], *, lepton_mass: float
) -> Float[Array, " *point"]:
    r"""Width into a pair of leptons at $c_{\ell\ell}/f$ = 1/GeV.

    $$\Gamma = \frac{c_{\ell\ell}^2\,m\,m_\ell^2\,\beta}{8\pi f^2}$$

    At and below threshold it and its gradient are exactly zero (S-wave pair: the slope
    just above grows like the inverse square root of the distance).

    Args:
        mass: $m_a$ [GeV], > 0.
        lepton_mass: $m_\ell$ [GeV].

    Returns:
        Width times $f^2/c_{\ell\ell}^2$ [GeV^3].

    References:
        arXiv:1708.00443 (equation number unverified).
    """
    beta = pair_velocity(mass, threshold=2.0 * lepton_mass)
    return mass * lepton_mass**2 * beta / (8.0 * math.pi)


class AlpWidths(eqx.Module):
    r"""Partial widths of an axion-like particle at $f$ = 1 GeV.

    Tabulated widths are $(1-m_{th}^2/m^2)^n e^{c(m)}$ with a monotone cubic $c$: n = 2
    for three mesons, as phase space says, and 4 for quark couplings. Beyond the last
    node $e^c$ keeps its value.

    Attributes:
        log_gluon_amplitude: Logarithm of $|A_G|$ [log 1].
        log_reduced: Logarithm of the widths of the gluon coupling over their threshold
            factor [log GeV^3], by final state.
        log_quark: The same of quark couplings.
    """

    log_gluon_amplitude: CubicCurve
    log_reduced: dict[str, CubicCurve]
    log_quark: CubicCurve

    @classmethod
    def from_tables(
        cls, gluon: Mapping[str, ArrayLike], quark: Mapping[str, ArrayLike]
    ) -> AlpWidths:
        """Build the widths from two tables, as in data/alp_widths.

        Args:
            gluon: Columns ``final_state``, ``mass`` [GeV] and ``width`` [eV] at
                c_GG/(16 pi^2 f) = 1/TeV.
            quark: The same, ``width`` [GeV] at c_qq/f = 1/GeV.

        Returns:
            The widths.

        Raises:
            UnknownNameError: A final state is unknown or missing.
            InputError: Masses that do not rise from above threshold, or a width that
                is not positive.
        """
        names = (PHOTONS, *_THRESHOLDS)
        curves = {name: _nodes(gluon, name, names) for name in names}
        masses, widths = curves.pop(PHOTONS)
        unit = np.asarray(photon_width(jnp.asarray(masses), jnp.ones(masses.size)))
        low = np.asarray(gluon_amplitude_low_mass(jnp.asarray(_LOW_MASSES)))
        logs = [np.log(np.abs(low)), 0.5 * np.log(_UNIT * widths / unit)]
        at = np.concatenate([_LOW_MASSES, masses])
        quarks = _nodes(quark, _OTHER, (_OTHER,))
        return cls(
            CubicCurve.monotone(at, np.concatenate(logs)),
            {
                name: _reduced(m, _UNIT * w, _THRESHOLDS[name], power=2)
                for name, (m, w) in curves.items()
            },
            _reduced(*quarks, _QUARK_THRESHOLD, power=4),
        )

    def gluon_amplitude(self, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Two-photon coupling of c_GG = 1.

        Args:
            mass: Mass [GeV], 0.001 to 3.

        Returns:
            A_G [1], with its sign.
        """
        size = jnp.exp(self.log_gluon_amplitude(mass))
        return gluon_amplitude_sign(mass) * size

    def by_final_state(
        self, mass: Float[Array, ""], couplings: LowEnergyCouplings
    ) -> dict[str, Float[Array, ""]]:
        """Width of each final state.

        Args:
            mass: Mass [GeV], 0.001 to 3.
            couplings: Couplings at 2 GeV.

        Returns:
            Partial width times f^2 [GeV^3] by name of `ALP_FINAL_STATES`. A closed one
            is exactly 0.
        """
        real, imaginary = other_photon_coupling(mass, couplings)
        gluon = couplings["gluon"]
        real += gluon * self.gluon_amplitude(mass)
        widths = {PHOTONS: photon_width(mass, real**2 + imaginary**2)}
        for name, (lepton, lepton_mass) in _LEPTONS.items():
            unit = alp_leptonic_width(mass, lepton_mass=lepton_mass)
            widths[name] = couplings[lepton] ** 2 * unit
        for name, curve in self.log_reduced.items():
            unit = _tabulated(mass, curve, _THRESHOLDS[name], power=2)
            widths[name] = gluon**2 * unit
        light = [couplings[name] for name in ("up", "down", "strange")]
        quark = sum(light, start=jnp.zeros_like(mass)) / 3.0
        unit = _tabulated(mass, self.log_quark, _QUARK_THRESHOLD, power=4)
        widths[_OTHER] += quark**2 * unit
        return widths


def _tabulated(
    mass: Float[Array, ""], curve: CubicCurve, threshold: float, *, power: int
) -> Float[Array, ""]:
    beta = pair_velocity(mass, threshold=threshold)
    return beta ** (2 * power) * jnp.exp(curve(mass))


def _reduced(
    masses: np.ndarray, widths: np.ndarray, threshold: float, *, power: int
) -> CubicCurve:
    """The logarithm of a width over its threshold factor."""
    if masses[0] <= threshold:
        msg = (
            f"table of axion widths: the first mass, {masses[0]:g} GeV, must lie above "
            f"threshold, {threshold:g} GeV"
        )
        raise InputError(msg)
    factor = 1.0 - (threshold / masses) ** 2
    return CubicCurve.monotone(masses, np.log(widths) - power * np.log(factor))


def _nodes(
    table: Mapping[str, ArrayLike], name: str, allowed: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Masses and widths of one final state, in order."""
    states = np.asarray(table["final_state"])
    kind = "final state of the table of axion widths"
    for given in np.unique(states):
        if str(given) not in allowed:
            raise UnknownNameError.from_choices(kind, str(given), allowed)
    chosen = states == name
    masses, widths = (np.asarray(table[k], float)[chosen] for k in ("mass", "width"))
    if masses.size < 2 or not np.all(np.diff(masses) > 0.0) or np.any(widths <= 0.0):
        msg = (
            f"table of axion widths, {name}: needs two rows or more with rising masses "
            "and widths above 0"
        )
        raise InputError(msg)
    return masses, widths
