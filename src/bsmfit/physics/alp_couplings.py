r"""Couplings of an axion-like particle, at the scale of new physics and at 2 GeV.

A model has one *direction*, twelve numbers at $\Lambda$ (`bsmfit.physics.alp_running`),
and one scanned coupling that says how long the vector is, that is $1/f$:

| scanned coupling | $1/f$ |
|---|---|
| `decay_constant` $f_a$ | $1/f_a$ |
| `photon_coupling` $g_{a\gamma\gamma}$, $\frac14 g\,aF\tilde F$ | $\pi g/\alpha$ |
| `yukawa_coupling` $g_Y$, $g_Y = 2v/f_\ell$ | $g_Y/v$ |
| `gluon_coupling` $1/f_G$, $\frac{a}{4f_G}G\tilde G$ | $\pi/(\alpha_s(\Lambda) f_G)$ |

The direction of the photon benchmark is $c_{BB}=1$, of the gluon benchmark $c_{GG}=1$,
of the fermion benchmark $c_{ff}=1$ for all nine: then the coupling is what its name
says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.argument import choice, real_number
from bsmfit.core.array_argument import check_range
from bsmfit.core.constants import FINE_STRUCTURE, HIGGS_VEV
from bsmfit.errors import InputError
from bsmfit.physics.alp_couplings_at_scale import SCANNED_COUPLINGS
from bsmfit.physics.alp_running import (
    COUPLINGS,
    LOW_COUPLINGS,
    running_matrix,
    strong_coupling,
)

__all__ = ["LowEnergyCouplings", "inverse_decay_constant"]

_LARGEST: Final = 1e6


class LowEnergyCouplings(eqx.Module):
    r"""Couplings at 2 GeV, all of them over $f$.

    Attributes:
        values: One by name of `bsmfit.physics.alp_running.LOW_COUPLINGS`.
    """

    values: Float[Array, " n_low"]

    @classmethod
    def from_scale(
        cls, couplings: Mapping[str, float], *, scale: float
    ) -> LowEnergyCouplings:
        r"""Run couplings down.

        Args:
            couplings: Couplings at $\Lambda$ by name, those that are not 0.
            scale: $\Lambda$ [GeV], 246 to 1e15.

        Returns:
            The couplings at 2 GeV.

        Raises:
            InputError: All couplings are 0, one is no number, or the scale lies below
                the electroweak one.
            UnknownNameError: No such coupling.

        Examples:
            >>> low = LowEnergyCouplings.from_scale({"gluon": 1.0}, scale=1000.0)
            >>> print(f"{float(low['flavour_changing']):.1e}")
            -1.5e-05
        """
        given = {
            choice("coupling of an axion-like particle,", name, COUPLINGS): real_number(
                f"coupling {name}", value, low=-_LARGEST, high=_LARGEST
            )
            for name, value in couplings.items()
        }
        if not any(given.values()):
            msg = (
                "all couplings of the axion-like particle are 0: it is never made and "
                f"never decays; give one of {', '.join(COUPLINGS)}"
            )
            raise InputError(msg)
        at_scale = jnp.asarray([given.get(name, 0.0) for name in COUPLINGS])
        return cls(jnp.asarray(running_matrix(scale)) @ at_scale)

    def __getitem__(self, name: str) -> Float[Array, ""]:
        """One coupling.

        Args:
            name: Its name.

        Returns:
            The coupling.
        """
        return self.values[LOW_COUPLINGS.index(name)]


def inverse_decay_constant(
    coupling: Float[Array, " *point"], name: str, *, scale: float
) -> Float[Array, " *point"]:
    r"""$1/f$ from the scanned coupling; see the table of the module.

    Args:
        coupling: The coupling, > 0 for a decay constant and >= 0 for others.
        name: What it is, one of `SCANNED_COUPLINGS`.
        scale: $\Lambda$ [GeV], for $\alpha_s$ of the gluon coupling.

    Returns:
        $1/f$ [1/GeV].

    Raises:
        UnknownNameError: No such coupling.
        InputError: A decay constant that is not above 0.

    References:
        arXiv:1901.09966, conversions as read in a public code [unverified]; those of
        photons and gluons follow from the Lagrangians.

    Examples:
        >>> one = inverse_decay_constant(jnp.array(1e6), "decay_constant", scale=1e3)
        >>> print(f"{float(one):.3e}")
        1.000e-06
    """
    choice("scanned coupling", name, SCANNED_COUPLINGS)
    if name == "decay_constant":
        check_range("decay_constant f_a [GeV]", coupling, low=0.0, is_low_open=True)
        return 1.0 / coupling
    if name == "photon_coupling":
        return coupling * (math.pi / FINE_STRUCTURE)
    if name == "yukawa_coupling":
        return coupling / HIGGS_VEV
    return coupling * (math.pi / strong_coupling(scale))
