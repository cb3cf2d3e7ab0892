r"""Widths of a heavy neutral lepton lighter than a kaon.

    pi l          charged current
    nu pi0        neutral current
    nu nu nu      neutral current, invisible
    nu l l        both currents for the lepton that N mixes with, else neutral
    l nu l'       charged current, two flavours of charged leptons

All widths are over $|U|^2$ and those of a Dirac particle, which decays to leptons
only; a Majorana particle also decays to the conjugate states, and each width is twice
as large. N mixes with one flavour. Left out: two pions through a virtual $\rho$, and
$\ell^+\ell^-\gamma$, $\nu\gamma$.

The formulae are standard, in the form of Bondarenko:2018ptm (equation numbers
unverified). Tests derive them again: numeric traces for the charged pion, integrals of
squared amplitudes over phase space for three leptons, the width of the muon, isospin
for the neutral pion.
"""

from __future__ import annotations

import math
from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    ELECTRON_MASS,
    FERMI_CONSTANT,
    MUON_MASS,
    PION_CHARGED_MASS,
    PION_NEUTRAL_MASS,
)
from bsmfit.physics.heavy_neutral_lepton_production import LEPTON_MASSES
from bsmfit.physics.meson_decay import two_body_momentum

__all__ = [
    "PION_DECAY_CONSTANT",
    "charged_current_width",
    "charged_pion_width",
    "lepton_pair_width",
    "neutral_pion_width",
    "three_neutrino_width",
    "unit_widths",
]

PION_DECAY_CONSTANT: Final = 0.1302
"""$f_\\pi$ [GeV], of $\\langle0|A|\\pi\\rangle = if_\\pi p$ (PDG) [published]."""

_V_UD: Final = 0.97367
"""|V_ud| (PDG, Navas:2024vhm) [published]."""

_WEAK_MIXING: Final = 0.23122
"""sin^2(theta_W), MSbar at the Z mass (PDG, Navas:2024vhm) [published]; at low momentum
it is 3 % larger."""

_THREE_BODY: Final = FERMI_CONSTANT**2 / (192.0 * math.pi**3)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


def charged_pion_width(
    mass: Float[Array, " *#point"], *, lepton_mass: float
) -> Float[Array, " *#point"]:
    r"""Width of $N\to\pi^+\ell^-$ at unit mixing.

    $$\Gamma = \frac{G_F^2f_\pi^2|V_{ud}|^2m^3}{16\pi}
      \big[(1-r_\ell^2)^2-r_\pi^2(1+r_\ell^2)\big]
      \lambda^{1/2}(1,r_\pi^2,r_\ell^2),\qquad r_i=m_i/m$$

    At and below threshold the width and its gradient are exactly zero.

    Args:
        mass: Mass of N [GeV], > 0.
        lepton_mass: Mass of the lepton [GeV].

    Returns:
        Partial width over the squared mixing [GeV].

    References:
        Bondarenko:2018ptm (equation number unverified).
    """
    is_open = mass > PION_CHARGED_MASS + lepton_mass
    safe = jnp.where(is_open, mass, 2.0 * (PION_CHARGED_MASS + lepton_mass))
    pion, lepton = (PION_CHARGED_MASS / safe) ** 2, (lepton_mass / safe) ** 2
    bracket = (1.0 - lepton) ** 2 - pion * (1.0 + lepton)
    root = 2.0 * two_body_momentum(safe, PION_CHARGED_MASS, lepton_mass) / safe
    coupling = (FERMI_CONSTANT * PION_DECAY_CONSTANT * _V_UD) ** 2
    width = coupling * safe**3 * bracket * root / (16.0 * math.pi)
    return jnp.where(is_open, width, 0.0)


def neutral_pion_width(mass: Float[Array, " *#point"]) -> Float[Array, " *#point"]:
    r"""Width of $N\to\nu\pi^0$ at unit mixing.

    $$\Gamma = \frac{G_F^2f_\pi^2m^3}{32\pi}\Big(1-\frac{m_{\pi^0}^2}{m^2}\Big)^2$$

    Half of that into a charged pion without masses and $V_{ud}$: isospin.

    Args:
        mass: Mass of N [GeV], > 0.

    Returns:
        Partial width over the squared mixing [GeV]; exactly 0 where closed.

    References:
        Bondarenko:2018ptm (equation number unverified).
    """
    is_open = mass > PION_NEUTRAL_MASS
    safe = jnp.where(is_open, mass, 2.0 * PION_NEUTRAL_MASS)
    room = 1.0 - (PION_NEUTRAL_MASS / safe) ** 2
    coupling = (FERMI_CONSTANT * PION_DECAY_CONSTANT) ** 2
    width = coupling * safe**3 * room**2 / (32.0 * math.pi)
    return jnp.where(is_open, width, 0.0)


def three_neutrino_width(mass: Float[Array, " *#point"]) -> Float[Array, " *#point"]:
    r"""Width into three neutrinos, all flavours, at unit mixing.

    $$\Gamma = \frac{G_F^2m^5}{192\pi^3}$$

    Args:
        mass: Mass of N [GeV], > 0.

    Returns:
        Partial width over the squared mixing [GeV].

    References:
        Bondarenko:2018ptm (equation number unverified).
    """
    return _THREE_BODY * mass**5


def charged_current_width(
    mass: Float[Array, " *#point"], *, masses: tuple[float, float]
) -> Float[Array, " *#point"]:
    r"""Width of $N\to\ell^-_1\,\ell_2^+\nu_2$ at unit mixing, two flavours.

    $$\Gamma = \frac{G_F^2m^5}{192\pi^3}\,12\int_{r_2^2}^{(1-r_1)^2}\frac{ds}{s}
      (s-r_2^2)^2(1+r_1^2-s)\,\lambda^{1/2}(1,s,r_1^2),\qquad r_i = m_i/m$$

    The mirror of the decay of a muon, whose width it is for massless leptons. Symmetric
    in the two leptons.

    Args:
        mass: Mass of N [GeV], > 0.
        masses: Masses of both leptons [GeV].

    Returns:
        Partial width over the squared mixing [GeV]; exactly 0 where closed.

    References:
        Bondarenko:2018ptm (equation number unverified).
    """
    threshold = masses[0] + masses[1]
    is_open = mass > threshold
    safe = jnp.where(is_open, mass, 2.0 * threshold)
    first, second = masses[0] / safe, masses[1] / safe
    low, high = second**2, (1.0 - first) ** 2
    # s = high - (high - low) t^2 takes away the square root at the upper end
    t, weight = jnp.asarray(0.5 * (_NODES + 1.0)), jnp.asarray(0.5 * _WEIGHTS)
    shape = (-1,) + (1,) * jnp.ndim(safe)
    t, weight = t.reshape(shape), weight.reshape(shape)
    span = (high - low)[None]
    s = high[None] - span * t**2
    root = jnp.sqrt(span * ((1.0 + first[None]) ** 2 - s)) * t
    values = (s - low[None]) ** 2 * (1.0 + first[None] ** 2 - s) * root / s
    integral = 12.0 * jnp.sum(weight * values * 2.0 * span * t, axis=0)
    return jnp.where(is_open, _THREE_BODY * safe**5 * integral, 0.0)


def lepton_pair_width(
    mass: Float[Array, " *#point"], *, lepton_mass: float, is_own_flavour: bool
) -> Float[Array, " *#point"]:
    r"""Width of $N\to\nu\,\ell^+\ell^-$ at unit mixing.

    With $x=m_\ell/m$ and $\beta=\sqrt{1-4x^2}$,

    $$\Gamma = \frac{G_F^2m^5}{192\pi^3}\Big\{
      C_1\big[(1-14x^2-2x^4-12x^6)\beta + 12x^4(x^4-1)L\big]
      + 4C_2\big[x^2(2+10x^2-12x^4)\beta + 6x^4(1-2x^2+2x^4)L\big]\Big\},$$
    $$L = \ln\frac{1-3x^2-(1-x^2)\beta}{x^2(1+\beta)},\qquad
      C_1 = g_L^2+g_R^2,\ C_2 = g_Lg_R,$$

    where $g_L = \pm\tfrac12+s_W^2$ (plus for the lepton that N mixes with) and
    $g_R = s_W^2$. Near threshold, where the terms cancel, the width is held at 0
    or above.

    Args:
        mass: Mass of N [GeV], > 0.
        lepton_mass: Mass of the lepton [GeV].
        is_own_flavour: Whether N mixes with the neutrino of this lepton.

    Returns:
        Partial width over the squared mixing [GeV]; exactly 0 where closed.

    References:
        Bondarenko:2018ptm (equation number unverified).
    """
    is_open = mass > 2.0 * lepton_mass
    safe = jnp.where(is_open, mass, 4.0 * lepton_mass)
    x2 = (lepton_mass / safe) ** 2
    beta = 2.0 * two_body_momentum(safe, lepton_mass, lepton_mass) / safe
    # the numerator of L times its conjugate is 4 x^6: no cancellation for light leptons
    conjugate = 1.0 - 3.0 * x2 + (1.0 - x2) * beta
    log = jnp.log(4.0 * x2**2 / (conjugate * (1.0 + beta)))
    left, right = (0.5 if is_own_flavour else -0.5) + _WEAK_MIXING, _WEAK_MIXING
    same = (1.0 - 14.0 * x2 - 2.0 * x2**2 - 12.0 * x2**3) * beta
    same = same + 12.0 * x2**2 * (x2**2 - 1.0) * log
    mixed = x2 * (2.0 + 10.0 * x2 - 12.0 * x2**2) * beta
    mixed = mixed + 6.0 * x2**2 * (1.0 - 2.0 * x2 + 2.0 * x2**2) * log
    total = (left**2 + right**2) * same + 4.0 * left * right * mixed
    return jnp.where(is_open, _THREE_BODY * safe**5 * jnp.maximum(total, 0.0), 0.0)


def unit_widths(mass: Float[Array, ""], *, flavour: str) -> dict[str, Float[Array, ""]]:
    r"""All widths of a Dirac N that mixes with one flavour, at $|U|^2=1$.

    Args:
        mass: Mass of N [GeV], > 0.
        flavour: ``"electron"`` or ``"muon"``.

    Returns:
        Partial widths by final state [GeV]: ``"pi_e"`` or ``"pi_mu"``, ``"nu_pi0"``,
        ``"nu_ee"``, ``"nu_mumu"``, ``"nu_e_mu"`` and ``"invisible"``.
    """
    charged = "pi_e" if flavour == "electron" else "pi_mu"

    def pair(lepton: str) -> Float[Array, ""]:
        return lepton_pair_width(
            mass, lepton_mass=LEPTON_MASSES[lepton], is_own_flavour=lepton == flavour
        )

    return {
        charged: charged_pion_width(mass, lepton_mass=LEPTON_MASSES[flavour]),
        "nu_pi0": neutral_pion_width(mass),
        "nu_ee": pair("electron"),
        "nu_mumu": pair("muon"),
        "nu_e_mu": charged_current_width(mass, masses=(MUON_MASS, ELECTRON_MASS)),
        "invisible": three_neutrino_width(mass),
    }
