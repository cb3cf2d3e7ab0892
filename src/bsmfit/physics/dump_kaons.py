r"""Branching ratios of K+- -> pi+- X, K_L -> pi0 X and K_S -> pi0 X of kaons in a dump.

    dump-kaon-to-pion        K+- -> pi+- X
    dump-kaon-long-to-pion   K_L -> pi0 X
    dump-kaon-short-to-pion  K_S -> pi0 X

A process's strength is the branching ratio of that kaon; searches in a dump know how
many kaons decay before they interact (`bsmfit.physics.dump_kaon_production`). The names
differ from ``"kaon-to-pion"``, the same decay in a beam of kaons, since the number of
kaons in the dump is uncertain in its own way.

For a scalar the amplitude of K0 -> pi0 S is that of K+ -> pi+ S over $-\sqrt2$; K_L
takes the real part of $V_{ts}^*V_{td}$, which conserves CP, K_S the imaginary one. All
are exactly zero, with zero gradient, at and above the end of phase space.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from jaxtyping import Array, Float

from bsmfit.core.constants import (
    KAON_CHARGED_LIFETIME,
    KAON_CHARGED_MASS,
    KAON_LONG_LIFETIME,
    KAON_NEUTRAL_MASS,
    KAON_SHORT_LIFETIME,
    PION_CHARGED_MASS,
    PION_NEUTRAL_MASS,
)
from bsmfit.errors import UnknownNameError
from bsmfit.physics.meson_decay import two_body_momentum

__all__ = [
    "DUMP_KAON_PROCESSES",
    "DumpKaon",
    "dump_kaon_scalar_branching_ratio",
]

_REAL, _IMAGINARY = -3.228e-4, 1.404e-4
"""Vts* Vtd [derived] from the PDG Wolfenstein parameters (Navas:2024vhm)."""

_MODULUS_SQUARED: Final = _REAL**2 + _IMAGINARY**2


@dataclass(frozen=True)
class DumpKaon:
    """One kind of kaon, and its decay to a pion and a new particle.

    Attributes:
        process: Name of the production process.
        spectra: Names of its spectra, which add up.
        mass: Mass of the kaon [GeV].
        recoil_mass: Mass of the pion [GeV].
        lifetime: Mean life of the kaon [s].
        amplitude_squared: Squared amplitude of the decay to a scalar, at equal masses,
            over that of the charged kaon [1].
    """

    process: str
    spectra: tuple[str, ...]
    mass: float
    recoil_mass: float
    lifetime: float
    amplitude_squared: float


DUMP_KAON_PROCESSES: Final = MappingProxyType(
    {
        kaon.process: kaon
        for kaon in (
            DumpKaon(
                "dump-kaon-to-pion",
                ("kaon-plus", "kaon-minus"),
                KAON_CHARGED_MASS,
                PION_CHARGED_MASS,
                KAON_CHARGED_LIFETIME,
                1.0,
            ),
            DumpKaon(
                "dump-kaon-long-to-pion",
                ("kaon-long",),
                KAON_NEUTRAL_MASS,
                PION_NEUTRAL_MASS,
                KAON_LONG_LIFETIME,
                _REAL**2 / _MODULUS_SQUARED,
            ),
            DumpKaon(
                "dump-kaon-short-to-pion",
                ("kaon-short",),
                KAON_NEUTRAL_MASS,
                PION_NEUTRAL_MASS,
                KAON_SHORT_LIFETIME,
                _IMAGINARY**2 / _MODULUS_SQUARED,
            ),
        )
    }
)
"""The kaons by process name."""


def dump_kaon_scalar_branching_ratio(
    process: str,
    mass: Float[Array, " *#point"],
    *,
    coefficient: float | Float[Array, ""],
) -> Float[Array, " *#point"]:
    r"""Branching ratio to a Higgs-mixed scalar at unit mixing; times $\sin^2\theta$.

    $$BR = C_K\,a^2\,\frac{(m_K^2-m_\pi^2)^2}{(m_{K^+}^2-m_{\pi^+}^2)^2}\,
      \frac{m_{K^+}}{m_K}\,\frac{\tau_K}{\tau_{K^+}}\,\frac{2p_S}{m_K}$$

    with $\lambda_t=V_{ts}^*V_{td}$ and $a^2$ = 1 for the charged kaon,
    $(\mathrm{Re}\,\lambda_t/|\lambda_t|)^2$ = 0.841 for K_L and
    $(\mathrm{Im}\,\lambda_t/|\lambda_t|)^2$ = 0.159 for K_S.

    Args:
        process: Name out of `DUMP_KAON_PROCESSES`.
        mass: Mass of the scalar [GeV], >= 0.
        coefficient: $C_K$ [1], >= 0, as of
            `bsmfit.physics.kaon_to_pion.scalar_branching_ratio`.

    Returns:
        Branching ratio over the squared mixing [1]; exactly 0 where closed.

    References:
        arXiv:1809.01876 (equation number unverified).

    Examples:
        >>> import jax.numpy as jnp
        >>> ratio = dump_kaon_scalar_branching_ratio(
        ...     "dump-kaon-long-to-pion", jnp.array(0.0), coefficient=1.596e-3
        ... )
        >>> print(f"{float(ratio):.3e}")
        5.335e-03
    """
    if process not in DUMP_KAON_PROCESSES:
        kind = "production process of kaons in a dump"
        raise UnknownNameError.from_choices(kind, process, DUMP_KAON_PROCESSES)
    kaon = DUMP_KAON_PROCESSES[process]
    reference = KAON_CHARGED_MASS**2 - PION_CHARGED_MASS**2
    split = (kaon.mass**2 - kaon.recoil_mass**2) / reference
    scale = kaon.amplitude_squared * split**2 * (KAON_CHARGED_MASS / kaon.mass)
    opening = 2.0 * two_body_momentum(kaon.mass, kaon.recoil_mass, mass) / kaon.mass
    return coefficient * scale * (kaon.lifetime / KAON_CHARGED_LIFETIME) * opening
