r"""Charges of fermions under a new vector, and the kinetic mixing that goes with them.

$$\mathcal L = g\,X_\mu\Big(\sum_f x_f\,\bar f\gamma^\mu f + \kappa\,e J^\mu_{em}\Big)$$

In units of e a fermion has the charge $y_f = u\,x_f + \kappa Q_f$ per unit of the
scanned coupling, where u is 1 for a coupling in units of e, and 1/e for a gauge
coupling g. A dark photon has $y_f = Q_f$.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.constants import FINE_STRUCTURE
from bsmfit.core.safe_sqrt import safe_sqrt
from bsmfit.physics.charged_lepton_loop import loop_mixing_squared
from bsmfit.physics.fermion_charges import (
    CHARGED_FERMIONS,
    CHARGED_LEPTONS,
    FERMIONS,
    check_charges,
)
from bsmfit.physics.vector_meson_couplings import MesonCouplings

__all__ = ["FermionCharges", "VectorCharges"]

_UNIT: Final = math.sqrt(4.0 * math.pi * FINE_STRUCTURE)


class FermionCharges(eqx.Module):
    """Charges at one mass, in units of e and of the scanned coupling.

    Attributes:
        by_name: Charge of each fermion, out of `FERMIONS` [1].
    """

    by_name: dict[str, Float[Array, ""]]

    def __getitem__(self, name: str) -> Float[Array, ""]:
        return self.by_name[name]

    @property
    def proton(self) -> Float[Array, ""]:
        """Charge of the proton [1]."""
        return 2.0 * self["up"] + self["down"]

    @property
    def neutrinos_squared(self) -> Float[Array, ""]:
        """Sum of the squared charges of the three neutrinos [1]."""
        return sum(
            (self[f"{lepton}_neutrino"] ** 2 for lepton in CHARGED_LEPTONS),
            start=jnp.zeros(()),
        )

    @property
    def mesons(self) -> MesonCouplings:
        """Couplings to rho, omega and phi relative to those of the photon [1]."""
        return MesonCouplings.of_quarks(self["up"], self["down"], self["strange"])


class VectorCharges(eqx.Module):
    """Charges of a vector, in units of e per unit of the scanned coupling.

    Attributes:
        tree: Charge of each fermion, with the given kinetic mixing [1].
        has_loop_mixing: Whether loops of charged leptons mix it with the photon.
    """

    tree: dict[str, Float[Array, ""]]
    has_loop_mixing: bool = eqx.field(static=True, default=False)

    @classmethod
    def from_charges(
        cls,
        charges: Mapping[str, float],
        *,
        is_in_units_of_e: bool,
        kinetic_mixing: float = 0.0,
        has_loop_mixing: bool = False,
    ) -> VectorCharges:
        r"""Charges from those of a Lagrangian.

        Args:
            charges: $x_f$ of every fermion of `FERMIONS` [1].
            is_in_units_of_e: Whether the scanned coupling is $\epsilon$ = g/e, not g.
            kinetic_mixing: $\kappa$, the mixing $\epsilon$ over the scanned coupling.
            has_loop_mixing: Whether to add the mixing by loops of charged leptons.

        Returns:
            The charges.

        Raises:
            UnknownNameError: A charge of no fermion.
            InputError: A fermion without charge, charges that are all zero, or loops
                that are not finite or not all.
        """
        check_charges(
            charges, kinetic_mixing=kinetic_mixing, has_loop_mixing=has_loop_mixing
        )
        unit = 1.0 if is_in_units_of_e else 1.0 / _UNIT
        tree = {
            name: unit * charges[name]
            + kinetic_mixing * CHARGED_FERMIONS.get(name, 0.0)
            for name in FERMIONS
        }
        arrays = {name: jnp.asarray(np.float64(y)) for name, y in tree.items()}
        return cls(arrays, has_loop_mixing)

    def at(self, mass: Float[Array, ""]) -> FermionCharges:
        r"""Charges of an on-shell vector.

        The mixing by loops, $|\epsilon(m^2)|\,Q_f$, is the charge of fermions that have
        none: next to a charge of its own it is a correction of some per mille, of the
        size of what other loops do.

        Args:
            mass: Mass of the vector [GeV].

        Returns:
            The charges.
        """
        if not self.has_loop_mixing:
            return FermionCharges(self.tree)
        leptons = tuple(self.tree[name] for name in CHARGED_LEPTONS)
        mixing = safe_sqrt(loop_mixing_squared(mass, leptons))
        return FermionCharges(
            {
                name: jnp.where(
                    charge == 0.0, mixing * CHARGED_FERMIONS.get(name, 0.0), charge
                )
                for name, charge in self.tree.items()
            }
        )
