"""Several searches of one model: what may be combined, and what they say together.

    model, channels --check--> Combination --regions(mediator)--> all regions of all

Searches of any kinds combine. Nuisances are shared by name, those of the model's
production rates among them; searches of the same data are refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from bsmfit._x64 import require_x64
from bsmfit.channels.channel import Channel
from bsmfit.channels.search_region import (
    LargestCount,
    LogResponse,
    SearchRegion,
    likelihood_of_regions,
)
from bsmfit.core.argument import instance
from bsmfit.core.array_argument import check_range, real_array
from bsmfit.errors import (
    InputError,
    PrecisionError,
    UnknownNameError,
    closest_name,
)
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.physics.excluded_masses import check_defined
from bsmfit.physics.mediator import Mediator
from bsmfit.physics.model import Model, ProductionNuisance, abstract_mediator
from bsmfit.physics.production import KNOWN_PROCESSES

__all__ = ["Combination", "as_channels", "production_processes", "search_likelihood"]

_LOAD_CHANNEL = 'load one with bsmfit.load_channel("na62-dump-mumu")'
_LOAD_MODEL = (
    'load one with bsmfit.load_model("dark-photon") or wrap a function: '
    'bsmfit.Model(function, name="mine")'
)


class Combination(eqx.Module):
    """Searches for the particle of one model.

    Attributes:
        channels: The searches, for the processes of the model.
        nuisances: Uncertainties of the model's production rates.
    """

    channels: tuple[Channel, ...]
    nuisances: tuple[ProductionNuisance, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, model: Model, channels: Sequence[Channel] | Channel) -> Combination:
        """Join searches, after checking that they can be joined.

        Args:
            model: The new physics.
            channels: One search or several, of different data.

        Returns:
            The combination.

        Raises:
            InputError: No search, one search twice, searches that share data, a search
                whose production the model does not have, or what is no search.
            UnknownNameError: A production process that no search knows.
            PrecisionError: A part was made before 64-bit floats were switched on.
        """
        require_x64("a combination of searches")
        instance("model", model, Model, hint=_LOAD_MODEL)
        searches = as_channels(channels)
        _check_precision(model, searches)
        processes = production_processes(model)
        _check_processes(model, processes, searches)
        return cls(
            channels=tuple(channel.select(processes) for channel in searches),
            nuisances=model.nuisances,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the searches."""
        return tuple(channel.name for channel in self.channels)

    @property
    def mass_range(self) -> tuple[float, float]:
        """Lowest and highest mass that any of the searches can be asked about [GeV]."""
        known = [channel.known_masses for channel in self.channels]
        return min(low for low, _ in known), max(high for _, high in known)

    @property
    def largest_counts(self) -> tuple[LargestCount, ...]:
        """Largest counts of all regions."""
        return tuple(one for c in self.channels for one in c.largest_counts())

    def regions_by_search(
        self, mediator: Mediator
    ) -> tuple[tuple[SearchRegion, ...], ...]:
        """What each search says at one point of the model.

        Args:
            mediator: The new particle.

        Returns:
            The regions of each search, with the model's nuisances on their signal.
        """
        return tuple(
            tuple(self._with_production(one) for one in channel.regions(mediator))
            for channel in self.channels
        )

    def regions(self, mediator: Mediator) -> tuple[SearchRegion, ...]:
        """All regions of all searches at one point of the model.

        Args:
            mediator: The new particle.

        Returns:
            The regions, one search after the other.
        """
        return tuple(one for some in self.regions_by_search(mediator) for one in some)

    def _with_production(self, region: SearchRegion) -> SearchRegion:
        """The region with the uncertainties of the production rates."""
        signal = tuple(
            eqx.tree_at(
                lambda t: t.responses,
                term,
                (
                    *term.responses,
                    *(
                        LogResponse(entry.name, math.log(entry.kappa))
                        for entry in self.nuisances
                        if term.process in entry.processes
                    ),
                ),
                is_leaf=lambda leaf: leaf is None,
            )
            for term in region.signal
        )
        return eqx.tree_at(lambda r: r.signal, region, signal)


def search_likelihood(
    model: Model,
    channels: Sequence[Channel] | Channel,
    *,
    mass: ArrayLike,
    coupling: ArrayLike,
) -> Likelihood:
    """Likelihood of one or several searches at points of a model.

    The strength multiplies the signal that the model predicts, for all kinds of search:
    a point is excluded where the upper limit on the strength is below 1. It holds the
    same regions, counts and nuisances that a map uses there.

    Args:
        model: The new physics.
        channels: The searches, of any kinds and of different data.
        mass: Mass [GeV]; one number, or an array of them.
        coupling: Coupling, likewise.

    Returns:
        The likelihood, one region of one bin for each region of the searches; the axes
        of mass and coupling, broadcast, are its grid. Searches that say nothing at any
        of the points are left out.

    Raises:
        InputError: What `Combination.of` refuses, a mass that the model leaves out, or
            no search says anything there.

    Examples:
        >>> import bsmfit
        >>> likelihood = search_likelihood(
        ...     bsmfit.load_model("dark-photon"),
        ...     bsmfit.load_channel("na62-dump-mumu"),
        ...     mass=0.3,
        ...     coupling=1e-6,
        ... )
        >>> likelihood.regions[0].name
        'na62-dump-mumu'
    """
    combination = Combination.of(model, channels)
    masses, couplings = _grid(mass, coupling)
    check_defined(model, masses)

    def at(one: jax.Array, other: jax.Array) -> tuple[SearchRegion, ...]:
        return combination.regions(model(one, other))

    flat = jax.vmap(at)(masses.reshape(-1), couplings.reshape(-1))
    regions = jax.tree.map(
        lambda leaf: jnp.reshape(leaf, (*masses.shape, *jnp.shape(leaf)[1:])), flat
    )
    is_open = [region.is_open for region in regions]
    is_known = not any(isinstance(one, Tracer) for one in is_open)
    if is_known and not any(bool(jnp.any(one)) for one in is_open):
        msg = (
            f"{' and '.join(combination.names)} say nothing at mass = {mass} GeV; "
            "choose a mass that one of them covers (bsmfit show NAME)"
        )
        raise InputError(msg)
    return likelihood_of_regions(regions)


def _grid(
    mass: ArrayLike, coupling: ArrayLike
) -> tuple[Float[Array, " *point"], Float[Array, " *point"]]:
    """Masses and couplings of one shape, above 0."""
    given = {"mass": real_array("mass", mass)}
    given["coupling"] = real_array("coupling", coupling)
    for name, values in given.items():
        check_range(name, values, low=0.0, is_low_open=True)
    shapes = [values.shape for values in given.values()]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError as error:
        msg = (
            f"mass and coupling have the shapes {shapes[0]} and {shapes[1]}, which do "
            "not broadcast; give one number each, or arrays of one shape"
        )
        raise InputError(msg) from error
    masses, couplings = (jnp.broadcast_to(v, shape) for v in given.values())
    return masses, couplings


def as_channels(channels: object) -> tuple[Channel, ...]:
    """One search or several as a tuple, refused where they cannot stand together.

    Args:
        channels: A search, or a list of them.

    Returns:
        The searches.

    Raises:
        InputError: None, one twice, two of the same data, or what is no search.
    """
    if isinstance(channels, Channel):
        return (channels,)
    if not isinstance(channels, list | tuple):
        msg = f"a channel is a {type(channels).__name__}, not a search; {_LOAD_CHANNEL}"
        raise InputError(msg)
    searches = tuple(
        instance("a channel", entry, Channel, hint=_LOAD_CHANNEL) for entry in channels
    )
    names = [channel.name for channel in searches]
    if not names or len(set(names)) != len(names):
        msg = f"give one or more different channels, not {names}"
        raise InputError(msg)
    for index, channel in enumerate(searches):
        for other in searches[:index]:
            shared = sorted(set(channel.datasets) & set(other.datasets))
            if shared:
                msg = (
                    f"{other.name} and {channel.name} share data "
                    f"({', '.join(shared)}); combine searches of different data, or "
                    "take the larger one alone"
                )
                raise InputError(msg)
    return searches


def production_processes(model: Model) -> tuple[str, ...]:
    """Production processes of a model, found by evaluating its shapes only.

    Args:
        model: The model.

    Returns:
        Names of the processes.

    Raises:
        InputError: The function returns no mediator, or one that is never produced.
    """
    mediator = abstract_mediator(model)
    if not isinstance(mediator, Mediator):
        msg = (
            f"the function of model {model.name!r} returns a "
            f"{type(mediator).__name__}; it must return a bsmfit.Mediator"
        )
        raise InputError(msg)
    if not mediator.production:
        msg = f"model {model.name!r} names no production process"
        raise InputError(msg)
    return tuple(mediator.production)


def _check_processes(
    model: Model, processes: Sequence[str], channels: Sequence[Channel]
) -> None:
    """Refuse misspelt processes, and searches for what the model does not make."""
    known = dict.fromkeys(
        [*(p for channel in channels for p in channel.processes), *KNOWN_PROCESSES]
    )
    for process in processes:
        # one that resembles none belongs to a search that is not here
        if process not in known and closest_name(process, known):
            kind = f"production process of {model.name},"
            raise UnknownNameError.from_choices(kind, process, known)
    for channel in channels:
        if not set(channel.processes) & set(processes):
            mine = ", ".join(map(repr, channel.processes))
            theirs = ", ".join(map(repr, processes))
            msg = (
                f"channel {channel.name} needs the production process {mine} (one of "
                f"them); model {model.name!r} ({model.preset}) has {theirs}; choose "
                "another preset (bsmfit list presets) or search"
            )
            raise InputError(msg)
    for nuisance in model.nuisances:
        for process in nuisance.processes:
            if process not in processes:
                kind = f"process of nuisance {nuisance.name!r},"
                raise UnknownNameError.from_choices(kind, process, processes)


def _check_precision(model: Model, channels: Sequence[Channel]) -> None:
    """Refuse parts that were made before 64-bit floats were switched on."""
    for part in (model, *channels):
        for leaf in jax.tree.leaves(eqx.filter(part, eqx.is_inexact_array)):
            if leaf.dtype != jnp.float64:
                msg = (
                    f"{part.name} was made with {leaf.dtype} floats: call "
                    "bsmfit.enable_x64() first, then load or make it again"
                )
                raise PrecisionError(msg)
