r"""Time-like electromagnetic form factors of the proton.

A dark photon of mass $m$ couples to the proton with the form factors at $t = m^2 > 0$,
where they are complex and follow the vector mesons. They depend on the mass only, so
they are production strengths and not part of the kinematic tables. Two descriptions:

- vector-meson dominance for $F_1$ (after 0910.5589), a coherent sum of three isovector
  and three isoscalar poles;
- `TabulatedFormFactor`, the unitary and analytic $F_1, F_2$ of 2409.09123. Channels
  enter the gauge-invariant rate of `bsmfit.physics.bremsstrahlung`.

Whether a result was published with or without a form factor is part of its preset.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import equinox as eqx
import interpax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import (
    OMEGA_MASS,
    PHI_MASS,
    PION_CHARGED_MASS,
    RHO_MASS,
)
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.vector_meson_couplings import LIKE_THE_PHOTON, MesonCouplings

__all__ = [
    "VMD_POLES",
    "FormFactorValue",
    "TabulatedFormFactor",
    "VectorPole",
    "vmd_form_factor",
    "vmd_form_factor_squared",
]

Width = Literal["energy-dependent", "fixed"]


class VectorPole(NamedTuple):
    """One vector meson of the dominance sum.

    Attributes:
        strength: Dimensionless residue f_V.
        mass: Mass [GeV].
        width: Width at the pole [GeV].
        n_pion: Pions in its main decay: 2 (isovector) or 3 (isoscalar).
    """

    strength: float
    mass: float
    width: float
    n_pion: int


VMD_POLES: Final = (
    VectorPole(0.616, RHO_MASS, 0.1474, 2),
    VectorPole(0.223, 1.465, 0.400, 2),
    VectorPole(-0.339, 1.720, 0.250, 2),
    VectorPole(1.011, OMEGA_MASS, 0.00868, 3),
    VectorPole(-0.881, 1.410, 0.290, 3),
    VectorPole(0.369, 1.670, 0.315, 3),
)
"""Residues, masses and widths after 0910.5589 as in public codes (ALPINIST). The
residues are rounded and add up to 0.999."""


class FormFactorValue(NamedTuple):
    """A complex form factor in real arithmetic.

    Attributes:
        real: Real part [1].
        imaginary: Imaginary part [1].
    """

    real: Float[Array, " *point"]
    imaginary: Float[Array, " *point"]


def _width(pole: VectorPole, t: Float[Array, " *point"]) -> Float[Array, " *point"]:
    """Width of a pole at t, exactly zero at and below its pion threshold."""
    threshold = (pole.n_pion * PION_CHARGED_MASS) ** 2
    is_open = t > threshold
    safe = jnp.where(is_open, t, 2.0 * threshold)
    ratio = (1.0 - threshold / safe) / (1.0 - threshold / pole.mass**2)
    if pole.n_pion == 2:
        # (p/p0)^3 m/sqrt(t), where p = sqrt(t - 4 m_pi^2)/2 is sqrt(ratio t)/m times p0
        value = pole.width * ratio**1.5 * safe / pole.mass**2
    else:
        value = pole.width * ratio**4
    return jnp.where(is_open, value, 0.0)


def vmd_form_factor(
    mass: Float[Array, " *point"],
    *,
    width: Width = "energy-dependent",
    couplings: MesonCouplings = LIKE_THE_PHOTON,
) -> FormFactorValue:
    r"""Dirac form factor of the proton by vector-meson dominance.

    $$F_1(t) = \sum_V \frac{f_V m_V^2}{m_V^2 - t - i m_V\Gamma_V(t)}, \qquad t = m^2,$$

    a coherent sum over `VMD_POLES`. Energy-dependent widths vanish below threshold:

    $$\Gamma_\rho(t) = \Gamma_\rho\,\frac{m_\rho}{\sqrt t}
        \Big(\frac{t-4m_\pi^2}{m_\rho^2-4m_\pi^2}\Big)^{3/2}, \qquad
      \Gamma_\omega(t) = \Gamma_\omega
        \Big(\frac{1-9m_\pi^2/t}{1-9m_\pi^2/m_\omega^2}\Big)^4 .$$

    The first is the P-wave of two pions; the second has the $Q^4$ behaviour of three
    pions in a P-wave at threshold and stays bounded (our choice). So $F_1(0) = 0.999$,
    the sum of the rounded residues. Fixed widths are those of public codes; they leave
    an imaginary part at $t = 0$ and $|F_1(0)|^2 = 0.985$.

    Args:
        mass: Mass of the dark photon [GeV], 0 to about 2.
        width: Energy-dependent or fixed widths.
        couplings: Of the vector to the mesons, a factor on the isovector and on the
            isoscalar poles; those of the photon by default.

    Returns:
        Real and imaginary part [1].

    References:
        0910.5589; poles as in public codes.
    """
    if width not in ("energy-dependent", "fixed"):
        kind = "width"
        raise UnknownNameError.from_choices(kind, width, ("energy-dependent", "fixed"))
    t = mass**2
    real, imaginary = jnp.zeros_like(t), jnp.zeros_like(t)
    for pole in VMD_POLES:
        gamma = jnp.full_like(t, pole.width) if width == "fixed" else _width(pole, t)
        gap, absorption = pole.mass**2 - t, pole.mass * gamma
        coupling = couplings.rho if pole.n_pion == 2 else couplings.omega
        scale = coupling * pole.strength * pole.mass**2 / (gap**2 + absorption**2)
        real = real + scale * gap
        imaginary = imaginary + scale * absorption
    return FormFactorValue(real, imaginary)


def vmd_form_factor_squared(
    mass: Float[Array, " *point"],
    *,
    width: Width = "energy-dependent",
    couplings: MesonCouplings = LIKE_THE_PHOTON,
) -> Float[Array, " *point"]:
    r"""Squared modulus $|F_1|^2$ of `vmd_form_factor`.

    The factor by which a Bluemlein-Brunner rate is multiplied when its preset asks for
    a time-like form factor.

    Args:
        mass: Mass of the dark photon [GeV], 0 to about 2.
        width: Energy-dependent or fixed widths.
        couplings: Of the vector to the mesons; those of the photon by default.

    Returns:
        $|F_1(m^2)|^2$ [1].

    Examples:
        >>> mass = jnp.array(0.4)
        >>> print(f"{float(vmd_form_factor_squared(mass, width='fixed')):.3f}")
        2.232
    """
    value = vmd_form_factor(mass, width=width, couplings=couplings)
    return value.real**2 + value.imaginary**2


# Poles divided out before the interpolation: (mass, width) [GeV] of omega and phi.
_NARROW_POLES: Final = ((OMEGA_MASS, 0.00868), (PHI_MASS, 0.00425))


def _narrow_factor(mass: Array) -> FormFactorValue:
    """Product of 1 - t/m_V^2 - i Gamma_V/m_V over the narrow poles."""
    real, imaginary = jnp.ones_like(mass), jnp.zeros_like(mass)
    for pole_mass, pole_width in _NARROW_POLES:
        gap, loss = 1.0 - (mass / pole_mass) ** 2, -pole_width / pole_mass
        real, imaginary = (
            real * gap - imaginary * loss,
            real * loss + imaginary * gap,
        )
    return FormFactorValue(real, imaginary)


def _mirror(values: Array) -> Array:
    """Continue an even function to negative masses."""
    return jnp.concatenate([values[:0:-1], values])


def _hermite_coefficients(nodes: Array, values: Array) -> Array:
    """Cubics with continuous slope, for `interpax.PPoly`.

    interpax's own constructors do not run under JAX's strict promotion rules.
    """
    slope = interpax.approx_df(nodes, values, "cubic")
    step = jnp.diff(nodes)
    secant = jnp.diff(values) / step
    left, right = slope[:-1], slope[1:]
    cubic = (left + right - 2.0 * secant) / step**2
    quadratic = (3.0 * secant - 2.0 * left - right) / step
    return jnp.stack([cubic, quadratic, left, values[:-1]])


class TabulatedFormFactor(eqx.Module):
    r"""Dirac and Pauli form factors interpolated from a table.

    The table steps over the omega and the phi (8 and 4 MeV wide), so their poles are
    divided out, $G = F \prod_V (1 - t/m_V^2 - i\Gamma_V/m_V)$, and the smooth $G$ is
    interpolated by piecewise cubics on the table mirrored about $m = 0$ (form factors
    are even in $m$).

    Attributes:
        masses: Nodes, mirrored [GeV].
        coefficients: Cubics between the nodes, highest power first, for the real and
            imaginary part of $G$ of $F_1$, then of $F_2$.
    """

    masses: Float[Array, " n_node"]
    coefficients: tuple[Float[Array, "4 n_interval"], ...]

    @classmethod
    def from_table(
        cls,
        mass: Float[Array, " n_row"],
        dirac: FormFactorValue,
        pauli: FormFactorValue,
    ) -> TabulatedFormFactor:
        """Prepare the interpolation.

        Args:
            mass: Rising masses [GeV], the first exactly 0.
            dirac: F1 at these masses.
            pauli: F2 at these masses.

        Returns:
            The form factors.

        Raises:
            InputError: The first mass is not 0 or the masses do not rise.
        """
        if float(mass[0]) != 0.0 or not bool(jnp.all(jnp.diff(mass) > 0.0)):
            msg = "form-factor table: masses must rise and begin with 0 GeV"
            raise InputError(msg)
        factor = _narrow_factor(mass)
        columns = []
        for value in (dirac, pauli):
            columns += [
                value.real * factor.real - value.imaginary * factor.imaginary,
                value.real * factor.imaginary + value.imaginary * factor.real,
            ]
        nodes = jnp.concatenate([-mass[:0:-1], mass])
        return cls(
            masses=nodes,
            coefficients=tuple(
                _hermite_coefficients(nodes, _mirror(column)) for column in columns
            ),
        )

    def __call__(
        self, mass: Float[Array, " *point"]
    ) -> tuple[FormFactorValue, FormFactorValue]:
        """Evaluate F1 and F2.

        Args:
            mass: Mass of the dark photon [GeV], from 0 to the end of the table; nan
                beyond.

        Returns:
            F1 and F2.
        """
        columns = [
            interpax.PPoly(cubic, self.masses, extrapolate=False, check=False)(mass)
            for cubic in self.coefficients
        ]
        factor = _narrow_factor(mass)
        norm = factor.real**2 + factor.imaginary**2
        dirac, pauli = (
            FormFactorValue(
                (re * factor.real + im * factor.imaginary) / norm,
                (im * factor.real - re * factor.imaginary) / norm,
            )
            for re, im in (columns[:2], columns[2:])
        )
        return dirac, pauli
