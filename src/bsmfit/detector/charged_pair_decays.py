r"""Phase space of a charged pair that recoils against none, one or two neutral mesons.

    X -> (+ -)            X -> (+ -) 0            X -> (+ -) (0 0)

Sequential two-body decays, each isotropic in its rest frame. The masses of the pairs
are drawn from the unit cube, so that a decay has a weight,

$$w_3 = \frac{q\,p}{16\pi^3M}\,\frac{dm_{12}}{du}, \qquad
  w_4 = \frac{q\,p\,p'}{64\pi^5M}\,\frac{dm_{12}\,dm_{34}}{du\,dv},$$

with p and p' the momenta in the rest frames of the pairs and q that of the pairs. Its
mean over the unit cube is the phase space,
$\int (2\pi)^4\delta^4 \prod d^3p/((2\pi)^3 2E)$; a squared matrix element
multiplies it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import PION_CHARGED_MASS, PION_NEUTRAL_MASS, RHO_MASS
from bsmfit.core.safe_sqrt import safe_sqrt
from bsmfit.physics.hadronic_final_states import ChargedPairState

__all__ = [
    "DecayProducts",
    "boosted",
    "charged_pair_decays",
    "n_coordinate",
    "photon_pair",
]

_RHO_WIDTH = 0.1491  # Navas:2024vhm, rho(770), charged [published]
_N_COORDINATE = {0: 2, 1: 5, 2: 8}


class DecayProducts(NamedTuple):
    """Weighted decays in the rest frame of the parent.

    Attributes:
        weight: Phase space and matrix element of every decay.
        charged: Momenta of the positive and of the negative particle [GeV].
        neutral: Momenta of the neutral mesons [GeV].
    """

    weight: Float[Array, " n"]
    charged: tuple[Float[Array, "n 3"], Float[Array, "n 3"]]
    neutral: tuple[Float[Array, "n 3"], ...]


def n_coordinate(state: ChargedPairState) -> int:
    """Dimension of the unit cube of a decay, photons included.

    Args:
        state: The final state.

    Returns:
        Number of coordinates.
    """
    return _N_COORDINATE[state.n_neutral] + 2 * state.n_neutral


def charged_pair_decays(
    mass: Float[Array, ""], points: Float[Array, "n d"], *, state: ChargedPairState
) -> DecayProducts:
    """Decays of a particle at rest.

    Args:
        mass: Mass of the parent [GeV], above threshold.
        points: Points of the unit cube, of which the first 2, 5 or 8 coordinates are
            used.
        state: The final state.

    Returns:
        The decays.
    """
    heavy, light = 2.0 * state.charged_mass, PION_NEUTRAL_MASS
    direction = _isotropic(points[:, 0], points[:, 1])
    one = jnp.ones_like(points[:, 0])
    if state.n_neutral == 0:
        p = _breakup(mass * one, state.charged_mass, state.charged_mass)
        weight = p / (4.0 * jnp.pi * mass)
        plus = p[:, None] * direction
        return DecayProducts(weight, (plus, -plus), ())
    release = mass - heavy - state.n_neutral * light
    share, jacobian = _ends(points[:, 2])
    pair_mass = heavy + release * share
    jacobian = release * jacobian
    recoil_mass = light * one
    if state.n_neutral == 2:
        other, other_jacobian = _ends(points[:, 5])
        left = release * (1.0 - share)
        recoil_mass = 2.0 * light + left * other
        jacobian = jacobian * left * other_jacobian
    q = _breakup(mass * one, pair_mass, recoil_mass)
    pair_momentum = q[:, None] * direction
    p = _breakup(pair_mass, state.charged_mass, state.charged_mass)
    plus = p[:, None] * _isotropic(points[:, 3], points[:, 4])
    charged = tuple(
        boosted(sign * plus, state.charged_mass, pair_momentum, pair_mass)
        for sign in (1.0, -1.0)
    )
    weight = jacobian * q * p / (16.0 * jnp.pi**3 * mass)
    neutral = (-pair_momentum,)
    if state.n_neutral == 2:
        p = _breakup(recoil_mass, light, light)
        first = p[:, None] * _isotropic(points[:, 6], points[:, 7])
        neutral = tuple(
            boosted(sign * first, light, -pair_momentum, recoil_mass)
            for sign in (1.0, -1.0)
        )
        weight = weight * p / (4.0 * jnp.pi**2)
    if state.matrix_element == "rho-pi":
        weight = weight * _rho_pi(mass, charged, pair_mass)
    return DecayProducts(weight, (charged[0], charged[1]), neutral)


def photon_pair(
    momentum: Float[Array, "n 3"], points: Float[Array, "n 2"], *, mass: float
) -> tuple[Float[Array, "n 3"], Float[Array, "n 3"]]:
    """Photons of a neutral meson in flight.

    Args:
        momentum: Momentum of the meson [GeV].
        points: Cosine and azimuth of the decay, points of the unit square.
        mass: Mass of the meson [GeV].

    Returns:
        Momenta of both photons [GeV].
    """
    first = 0.5 * mass * _isotropic(points[:, 0], points[:, 1])
    masses = jnp.full_like(points[:, 0], mass)
    return (
        boosted(first, 0.0, momentum, masses),
        boosted(-first, 0.0, momentum, masses),
    )


def boosted(
    momentum: Float[Array, "n 3"],
    mass: float,
    parent_momentum: Float[Array, "n 3"],
    parent_mass: Float[Array, " n"],
) -> Float[Array, "n 3"]:
    r"""Momenta seen from the frame in which the parent moves.

    $$\vec p\,' = \vec p + \vec P\,\Big(\frac{\vec P\cdot\vec p}{M(E_P+M)}
      + \frac{E}{M}\Big)$$

    Args:
        momentum: Momenta in the rest frame of the parent [GeV].
        mass: Mass of the particle [GeV].
        parent_momentum: Momentum of the parent [GeV].
        parent_mass: Its mass [GeV].

    Returns:
        Momenta [GeV].
    """
    energy = jnp.sqrt(jnp.sum(momentum**2, axis=-1) + mass**2)
    parent_energy = jnp.sqrt(jnp.sum(parent_momentum**2, axis=-1) + parent_mass**2)
    along = jnp.sum(momentum * parent_momentum, axis=-1)
    factor = along / (parent_energy + parent_mass) + energy
    return momentum + parent_momentum * (factor / parent_mass)[:, None]


def _isotropic(u: Float[Array, " n"], v: Float[Array, " n"]) -> Float[Array, "n 3"]:
    """Unit vectors from a cosine and an azimuth."""
    cosine, azimuth = 2.0 * u - 1.0, 2.0 * jnp.pi * v
    sine = jnp.sqrt(jnp.clip(1.0 - cosine**2, 0.0, 1.0))
    return jnp.stack([sine * jnp.cos(azimuth), sine * jnp.sin(azimuth), cosine], -1)


def _ends(u: Float[Array, " n"]) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """sin^2(pi u / 2), which smooths the square-root ends, and its derivative."""
    half = 0.5 * jnp.pi * u
    return jnp.sin(half) ** 2, 0.5 * jnp.pi * jnp.sin(2.0 * half)


def _breakup(
    mass: Float[Array, " n"],
    mass_a: float | Float[Array, " n"],
    mass_b: float | Float[Array, " n"],
) -> Float[Array, " n"]:
    """Momentum of two bodies in their rest frame; 0 below threshold."""
    total, difference = mass_a + mass_b, mass_a - mass_b
    upper = (mass - total) * (mass + total)
    lower = (mass - difference) * (mass + difference)
    return safe_sqrt(upper * lower) / (2.0 * mass)


def _rho_pi(
    mass: Float[Array, ""],
    charged: tuple[Float[Array, "n 3"], ...],
    pair_mass: Float[Array, " n"],
) -> Float[Array, " n"]:
    r"""$|\vec p_+\times\vec p_-|^2$ times the squared sum of the rho propagators.

    As `bsmfit.physics.three_pion_phase_space`; averaged over the polarisation of the
    parent.
    """
    real, imaginary = _propagator(pair_mass**2, PION_CHARGED_MASS)
    for momentum in charged:
        energy = jnp.sqrt(jnp.sum(momentum**2, axis=-1) + PION_CHARGED_MASS**2)
        s = mass**2 + PION_CHARGED_MASS**2 - 2.0 * mass * energy
        more = _propagator(s, PION_NEUTRAL_MASS)
        real, imaginary = real + more[0], imaginary + more[1]
    normal = jnp.cross(charged[0], charged[1])
    return jnp.sum(normal**2, axis=-1) * (real**2 + imaginary**2)


def _propagator(
    s: Float[Array, " n"], other_mass: float
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Rho into a charged and another pion: real and imaginary part, P-wave width."""
    w = jnp.sqrt(jnp.maximum(s, (PION_CHARGED_MASS + other_mass) ** 2))
    at_pole = _breakup(jnp.full_like(w, RHO_MASS), PION_CHARGED_MASS, other_mass)
    growth = (_breakup(w, PION_CHARGED_MASS, other_mass) / at_pole) ** 3
    mass_times_width = RHO_MASS**2 * _RHO_WIDTH * growth / w
    gap = RHO_MASS**2 - w**2
    norm = (gap**2 + mass_times_width**2) / RHO_MASS**2
    return gap / norm, mass_times_width / norm
