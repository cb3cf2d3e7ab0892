r"""Production of an axion-like particle where the protons of a dump interact.

    pi0-mixing, eta-mixing, eta-prime-mixing    in place of a meson, $\theta_P^2$
    primakoff                                   by a photon at a nucleus, $g^2$

Each strength multiplies the yield of the same name, at unit angle and at $g$ = 1/GeV.
"""

from __future__ import annotations

import math
from typing import Final

from jaxtyping import Array, Float

from bsmfit.errors import UnknownNameError
from bsmfit.physics.alp_couplings import LowEnergyCouplings
from bsmfit.physics.alp_mixing import (
    ALP_MIXINGS,
    meson_mixing_angle,
    quark_mixing_angle,
)
from bsmfit.physics.primakoff import PRIMAKOFF

__all__ = ["ALP_DUMP_PROCESSES", "alp_dump_strength"]

ALP_DUMP_PROCESSES: Final = (*ALP_MIXINGS, PRIMAKOFF)
"""Production processes in the dump, by name."""


def alp_dump_strength(
    process: str,
    mass: Float[Array, ""],
    couplings: LowEnergyCouplings,
    *,
    photon_width: Float[Array, ""],
) -> Float[Array, ""]:
    r"""Strength of a process at $f$ = 1 GeV; divide by $f^2$.

    $$\theta_P^2 = \big[c_{GG}\,\theta_P^{G}(m) + \theta_P^{q}(m)\big]^2,\qquad
      g^2 = \frac{64\pi\,\Gamma_{\gamma\gamma}}{m^3}$$

    Args:
        process: One of `ALP_DUMP_PROCESSES`.
        mass: Mass of the axion-like particle [GeV], > 0.
        couplings: Couplings at 2 GeV.
        photon_width: Width into two photons times $f^2$ [GeV^3].

    Returns:
        $\theta_P^2f^2$ [GeV^2], or $g^2f^2$ [1].

    Raises:
        UnknownNameError: Another process.

    References:
        arXiv:2201.05170 for the angles; the photon coupling is that of
        $\Gamma_{\gamma\gamma} = g^2m^3/64\pi$.
    """
    if process == PRIMAKOFF:
        return 64.0 * math.pi * photon_width / mass**3
    if process not in ALP_MIXINGS:
        kind = "production process in a dump"
        raise UnknownNameError.from_choices(kind, process, ALP_DUMP_PROCESSES)
    meson = ALP_MIXINGS[process].meson
    quarks = (couplings["up"], couplings["down"], couplings["strange"])
    angle = couplings["gluon"] * meson_mixing_angle(meson, mass)
    return (angle + quark_mixing_angle(meson, mass, quarks)) ** 2
