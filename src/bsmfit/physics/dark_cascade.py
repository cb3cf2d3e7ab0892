r"""A dark scalar that decays into two dark photons: $K^+\to\pi^+S$, $S\to A'A'$.

$$\mathcal L = -\sin\theta\,\frac{m_f}{v}S\bar ff + \epsilon e A'_\mu J^\mu_{em}
  + g_D m_{A'} S A'_\mu A'^\mu$$

Three couplings and two masses, of which a model has one coupling and one mass: the
others are fixed. Either particle can be the one of the mass axis. Searches for the
chain read both from the `CascadeMediator`, which is what any other search takes for the
particle of the axis: a search in the beam dump sees the dark photon, one for
$K^+\to\pi^+X$ whichever is on the axis.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.array_argument import scalar
from bsmfit.physics.dark_photon import DarkPhoton
from bsmfit.physics.dark_photon_width import fractions
from bsmfit.physics.kaon_to_pion import KAON_TO_PION, scalar_branching_ratio
from bsmfit.physics.mediator import Mediator
from bsmfit.physics.scalar_width import ScalarWidths

__all__ = [
    "CASCADE",
    "CASCADE_COUPLINGS",
    "CascadeMasses",
    "CascadeMediator",
    "DarkCascade",
    "dark_photon_pair_width",
]

CASCADE: Final = "kaon-to-pion-dark-photon-pair"
"""Name of the production process; its strength is BR(K+ -> pi+ S) BR(S -> A' A')."""

CASCADE_COUPLINGS: Final = ("sin_theta_squared", "epsilon", "dark_coupling")
r"""$\sin^2\theta$, $\epsilon$, $g_D$: one is scanned, the others are fixed."""


def dark_photon_pair_width(
    scalar_mass: Float[Array, " *point"],
    photon_mass: Float[Array, " *point"],
    *,
    dark_coupling: Float[Array, " *#point"],
) -> Float[Array, " *point"]:
    r"""Width of a scalar into two dark photons.

    $$\Gamma(S\to A'A') = \frac{g_D^2m_S^3}{32\pi m_{A'}^2}\sqrt{1-4x}\,
      (1-4x+12x^2),\qquad x = m_{A'}^2/m_S^2$$

    for $\mathcal L = g_Dm_{A'}SA'_\mu A'^\mu$. At and below threshold it and its
    gradient are exactly zero.

    Args:
        scalar_mass: $m_S$ [GeV], > 0.
        photon_mass: $m_{A'}$ [GeV], > 0.
        dark_coupling: $g_D$ [1].

    Returns:
        Width [GeV].
    """
    is_open = scalar_mass > 2.0 * photon_mass
    x = (photon_mass / jnp.where(is_open, scalar_mass, 4.0 * photon_mass)) ** 2
    shape = jnp.sqrt(1.0 - 4.0 * x) * (1.0 - 4.0 * x + 12.0 * x**2)
    width = dark_coupling**2 * scalar_mass * shape / (32.0 * math.pi * x)
    return jnp.where(is_open, width, jnp.zeros_like(width))


class CascadeMediator(Mediator):
    """The particle of the axis, and both particles of the chain.

    Attributes:
        scalar_mass: $m_S$ [GeV].
        scalar_width: Total width of S [GeV].
        photon_mass: $m_{A'}$ [GeV].
        photon_width: Total width of A' [GeV].
        electron_share: BR(A' -> e+ e-) [1].
    """

    scalar_mass: Float[Array, ""] = eqx.field(converter=partial(scalar, "scalar_mass"))
    scalar_width: Float[Array, ""] = eqx.field(
        converter=partial(scalar, "scalar_width")
    )
    photon_mass: Float[Array, ""] = eqx.field(converter=partial(scalar, "photon_mass"))
    photon_width: Float[Array, ""] = eqx.field(
        converter=partial(scalar, "photon_width")
    )
    electron_share: Float[Array, ""] = eqx.field(
        converter=partial(scalar, "electron_share")
    )


class CascadeMasses(eqx.Module):
    """Which mass is the axis, and what fixes the other.

    Attributes:
        is_scalar: Whether the axis is $m_S$; else it is $m_{A'}$.
        other_mass: The other mass [GeV], or None.
        mass_ratio: $m_{A'}/m_S$, or None.
    """

    is_scalar: bool = eqx.field(static=True)
    other_mass: float | Float[Array, ""] | None = None
    mass_ratio: float | Float[Array, ""] | None = None

    def __call__(
        self, mass: Float[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Both masses.

        Args:
            mass: Mass of the axis [GeV].

        Returns:
            $m_S$ and $m_{A'}$ [GeV].
        """
        if self.mass_ratio is None:
            other = jnp.asarray(self.other_mass) * jnp.ones_like(mass)
        else:
            other = mass * self.mass_ratio ** (1.0 if self.is_scalar else -1.0)
        return (mass, other) if self.is_scalar else (other, mass)


class DarkCascade(eqx.Module):
    """The chain with a fixed choice of all but one coupling and one mass.

    Attributes:
        scanned: The scanned coupling, one of `CASCADE_COUPLINGS`.
        fixed: The others, by name.
        masses: Which mass is the axis.
        coefficient: $C_K$ of BR(K+ -> pi+ S) [1].
        scalar_widths: Widths of S into standard-model particles at unit mixing.
        photon: The dark photon, with the processes that make one without a scalar
            (used where it is the particle of the axis).
    """

    scanned: str = eqx.field(static=True)
    fixed: dict[str, float | Float[Array, ""]]
    masses: CascadeMasses
    coefficient: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    scalar_widths: ScalarWidths
    photon: DarkPhoton

    def __call__(
        self, mass: Float[Array, ""], coupling: Float[Array, ""]
    ) -> CascadeMediator:
        """Both particles at one point.

        Args:
            mass: Mass of the axis [GeV].
            coupling: The scanned coupling, > 0.

        Returns:
            The mediator of the axis; nothing is made where $m_S < 2m_{A'}$.
        """
        one = jnp.ones_like(mass)
        values = {name: value * one for name, value in self.fixed.items()}
        values[self.scanned] = coupling
        scalar_mass, photon_mass = self.masses(mass)
        photon = self.photon(photon_mass, values["epsilon"])
        pair = dark_photon_pair_width(
            scalar_mass, photon_mass, dark_coupling=values["dark_coupling"]
        )
        mixing = values["sin_theta_squared"]
        widths = {
            name: mixing * width
            for name, width in self.scalar_widths.by_final_state(scalar_mass).items()
        } | {"dark-photons": pair}
        shares = fractions(widths)
        made = mixing * scalar_branching_ratio(
            scalar_mass, coefficient=self.coefficient
        )
        production = {CASCADE: made * shares["dark-photons"]}
        total = sum(widths.values(), start=jnp.zeros_like(mass))
        seen = {KAON_TO_PION: made} if self.masses.is_scalar else photon.production
        return CascadeMediator(
            mass=mass,
            decay_width=total if self.masses.is_scalar else photon.decay_width,
            branching_ratios=shares
            if self.masses.is_scalar
            else photon.branching_ratios,
            production=production | seen,
            scalar_mass=scalar_mass,
            scalar_width=total,
            photon_mass=photon_mass,
            photon_width=photon.decay_width,
            electron_share=photon.branching_ratios["ee"],
        )
