"""What all searches for a peak at the mass of one particle answer alike.

Such a search knows one production process and says something at masses in segments;
elsewhere it is closed. A limit without a model is on the branching ratio, at a mass and
perhaps a lifetime.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from typing import Final, TypeVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bsmfit.channels.channel import Channel, DefaultAxis
from bsmfit.channels.search_region import SearchRegion
from bsmfit.core.constants import HBAR
from bsmfit.errors import InputError
from bsmfit.physics.mediator import Mediator

__all__ = ["MassSearch"]

_PROMPT_WIDTH: Final = HBAR / 1e-18
"""Width of a particle that decays at once [GeV]: a flight of less than a micrometre."""

_Search = TypeVar("_Search", bound="MassSearch")


class MassSearch(Channel):
    """A search for one particle made in one process, at masses in segments.

    Attributes:
        segments: Masses at which the search says something, (low, high) [GeV].
        mass_axis: Mass axis of a scan that names none [GeV].
        coupling_axes: Coupling axis of a scan that names none, by model.
    """

    segments: eqx.AbstractVar[tuple[tuple[float, float], ...]]
    mass_axis: eqx.AbstractVar[DefaultAxis]
    coupling_axes: eqx.AbstractVar[tuple[tuple[str, DefaultAxis], ...]]

    @property
    def known_masses(self) -> tuple[float, float]:
        """Any mass: where the search says nothing, it is closed."""
        return 0.0, math.inf

    @property
    def default_mass(self) -> DefaultAxis:
        """Mass axis of a scan that names none [GeV]."""
        return self.mass_axis

    @property
    def mass_nodes(self) -> tuple[float, ...]:
        """Ends of the segments [GeV]."""
        return tuple(end for segment in self.segments for end in segment)

    @property
    def mass_range(self) -> tuple[float, float]:
        """Lowest and highest mass at which the search says something [GeV]."""
        return self.segments[0][0], self.segments[-1][1]

    def default_coupling(self, model: str) -> DefaultAxis | None:
        """Coupling axis of a scan that names none, for a model by name."""
        return dict(self.coupling_axes).get(model)

    def select(self: _Search, processes: Sequence[str]) -> _Search:
        """The search itself, which knows one process."""
        del processes
        return self

    def covers(self, mass: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether the search says anything at a mass.

        Args:
            mass: Mass of the particle [GeV].

        Returns:
            True inside one of the segments.
        """
        inside = [(mass >= low) & (mass <= high) for low, high in self.segments]
        return jnp.any(jnp.stack(inside))

    @property
    @abc.abstractmethod
    def unit_final_state(self) -> str:
        """Where the particle of a limit without a model decays to."""

    @property
    def knows_lifetimes(self) -> bool:
        """Whether a lifetime has a meaning for the search."""
        return True

    @property
    def is_prompt_without_lifetime(self) -> bool:
        """Whether a particle of no given lifetime decays at once; else it is stable."""
        return False

    def check_unit(self, mass: float | None, lifetime_ns: float | None) -> None:
        """Refuse a mass at which the search says nothing, and no lifetime.

        Args:
            mass: Mass of the particle [GeV].
            lifetime_ns: Its proper lifetime [ns]; stable, or prompt, where None.

        Raises:
            InputError: No mass, one at which the search says nothing, or a lifetime
                that is not above 0, or has no meaning.
        """
        ends = [f"{low:g} to {high:g}" for low, high in self.segments]
        known = f"{' and '.join(ends)} GeV"
        if mass is None:
            msg = f"{self.name} needs --mass [GeV], within {known}"
            raise InputError(msg)
        if not any(low <= mass <= high for low, high in self.segments):
            msg = (
                f"mass = {mass:g} GeV: {self.name} says nothing there, only at {known}"
            )
            raise InputError(msg)
        if lifetime_ns is not None and not self.knows_lifetimes:
            msg = f"a lifetime has no meaning for {self.name}; leave it out"
            raise InputError(msg)
        if lifetime_ns is not None and not 0.0 < lifetime_ns < math.inf:
            msg = f"lifetime = {lifetime_ns:g} ns must be above 0 and finite"
            raise InputError(msg)

    def unit_particle(
        self, mass: Float[Array, ""], decay_width: Float[Array, ""]
    ) -> Mediator:
        """The particle whose signal is a branching ratio of 1.

        Args:
            mass: Mass [GeV].
            decay_width: Total width [GeV], to `unit_final_state`; 0 where no lifetime
                is given.

        Returns:
            The particle, which decays at once or never where no lifetime is given.
        """
        one = jnp.ones_like(mass)
        if self.is_prompt_without_lifetime:
            decay_width = jnp.where(decay_width > 0.0, decay_width, _PROMPT_WIDTH)
        made = dict.fromkeys(self.processes, one)
        return Mediator(mass, decay_width, {self.unit_final_state: one}, made)

    def unit_regions(
        self, mass: Float[Array, ""] | None, decay_width: Float[Array, ""]
    ) -> tuple[SearchRegion, ...]:
        """The regions with the signal of `unit_particle`.

        Args:
            mass: Mass of the particle [GeV].
            decay_width: Its total width [GeV]; 0 where no lifetime is given.

        Returns:
            The regions.

        Raises:
            InputError: No mass.
        """
        if mass is None:
            self.check_unit(None, None)
        at = jnp.ones_like(decay_width) if mass is None else mass
        return self.regions(self.unit_particle(at, decay_width))
