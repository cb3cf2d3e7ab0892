"""Total width and branching ratios of the dark photon.

Electrons, muons and hadrons, from the electron threshold to 2 GeV. The two-photon decay
is forbidden and three photons are negligible above the electron threshold, so a dark
photon below it has width zero here.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import ELECTRON_MASS, MUON_MASS
from bsmfit.physics.hadronic_final_states import hadronic_ratios
from bsmfit.physics.hadronic_ratio import HadronicRatio
from bsmfit.physics.leptonic_width import leptonic_width, massless_lepton_width

__all__ = [
    "branching_ratios",
    "exclusive_widths",
    "fractions",
    "partial_widths",
    "total_width",
]


def partial_widths(
    mass: Float[Array, ""],
    mixing: Float[Array, ""],
    *,
    hadronic_ratio: HadronicRatio,
) -> dict[str, Float[Array, ""]]:
    r"""Widths of the dark photon into electrons, muons and hadrons.

    $$\Gamma_{had} = R(m_{A'})\, \frac{1}{3}\, \alpha\, \epsilon^2 m_{A'}$$

    and the leptonic widths of `leptonic_width`. The tau is closed below 3.55 GeV.

    Args:
        mass: Dark-photon mass [GeV], 0.001 to 2; the caller checks.
        mixing: Kinetic mixing epsilon [1], >= 0.
        hadronic_ratio: R(m).

    Returns:
        Partial width [GeV] by final state: ``"ee"``, ``"mumu"``, ``"hadrons"``. A
        closed one is exactly 0.

    References:
        arXiv:1801.04847, eqs. (2.13) and (2.15) as numbered in its public code.
    """
    return {
        "ee": leptonic_width(mass, mixing, lepton_mass=ELECTRON_MASS),
        "mumu": leptonic_width(mass, mixing, lepton_mass=MUON_MASS),
        "hadrons": hadronic_ratio(mass) * massless_lepton_width(mass, mixing),
    }


def exclusive_widths(
    mass: Float[Array, ""],
    mixing: Float[Array, ""],
    *,
    hadronic_ratio: HadronicRatio,
) -> dict[str, Float[Array, ""]]:
    """Widths of the dark photon, the hadronic one by final state.

    Args:
        mass: Dark-photon mass [GeV], 0.001 to 2; the caller checks.
        mixing: Kinetic mixing epsilon [1], >= 0.
        hadronic_ratio: R(m).

    Returns:
        Partial width [GeV] by final state: ``"ee"``, ``"mumu"`` and those of
        `bsmfit.physics.hadronic_final_states.hadronic_ratios`. Their sum is that of
        `partial_widths`.
    """
    unit = massless_lepton_width(mass, mixing)
    ratios = hadronic_ratios(mass, hadronic_ratio=hadronic_ratio)
    return {
        "ee": leptonic_width(mass, mixing, lepton_mass=ELECTRON_MASS),
        "mumu": leptonic_width(mass, mixing, lepton_mass=MUON_MASS),
        **{name: ratio * unit for name, ratio in ratios.items()},
    }


def total_width(
    mass: Float[Array, ""],
    mixing: Float[Array, ""],
    *,
    hadronic_ratio: HadronicRatio,
) -> Float[Array, ""]:
    """Total width of the dark photon, the sum of `partial_widths`.

    Args:
        mass: Dark-photon mass [GeV], 0.001 to 2; the caller checks.
        mixing: Kinetic mixing epsilon [1], >= 0.
        hadronic_ratio: R(m).

    Returns:
        Total width [GeV]; exactly 0 at and below the electron threshold.
    """
    widths = partial_widths(mass, mixing, hadronic_ratio=hadronic_ratio)
    return sum(widths.values(), start=jnp.zeros_like(mass))


def branching_ratios(
    mass: Float[Array, ""], *, hadronic_ratio: HadronicRatio
) -> dict[str, Float[Array, ""]]:
    """Branching ratios of the dark photon, which do not depend on the mixing.

    Args:
        mass: Dark-photon mass [GeV], 0.001 to 2; the caller checks.
        hadronic_ratio: R(m).

    Returns:
        Branching ratio by final state, ``"ee"``, ``"mumu"``, ``"hadrons"``; their sum
        is 1. A closed one is exactly 0; all are at and below the electron threshold.
    """
    unit_mixing = jnp.ones_like(mass)
    return fractions(partial_widths(mass, unit_mixing, hadronic_ratio=hadronic_ratio))


def fractions(widths: dict[str, Float[Array, ""]]) -> dict[str, Float[Array, ""]]:
    """Shares of partial widths in their sum.

    Args:
        widths: Partial widths by final state [GeV].

    Returns:
        Branching ratio by final state; all are 0 where every width is.
    """
    total = sum(widths.values(), start=jnp.zeros_like(next(iter(widths.values()))))
    is_open = total > 0.0
    safe = jnp.where(is_open, total, jnp.ones_like(total))
    return {
        name: jnp.where(is_open, width / safe, jnp.zeros_like(width))
        for name, width in widths.items()
    }
