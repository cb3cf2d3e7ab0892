"""From beam-dump channels and a model to one counting model.

A signal term is one production process of one channel. It carries the channel's own
nuisances of the signal and those of the model that act on its process; the background
of a channel carries the channel's. Names decide what is shared: the protons on target
of two searches in the same data are one parameter.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp

from bsmfit.channels.beam_dump import BeamDumpChannel
from bsmfit.likelihood.counting import CountingModel, combine
from bsmfit.likelihood.nuisance import Nuisance
from bsmfit.physics.model import ProductionNuisance

__all__ = ["beam_dump_counting_model"]


def beam_dump_counting_model(
    channels: Sequence[BeamDumpChannel],
    production_nuisances: Sequence[ProductionNuisance] = (),
) -> CountingModel:
    """Counting model of one or several beam-dump channels, by the sum of their counts.

    Args:
        channels: The channels; their signal terms follow each other in this order, and
            within a channel in the order of its processes.
        production_nuisances: Uncertainties of the production rates of the model.

    Returns:
        The counting model.

    Raises:
        InputError: No channel was given.
    """
    return combine([_of_channel(channel, production_nuisances) for channel in channels])


def _of_channel(
    channel: BeamDumpChannel, production_nuisances: Sequence[ProductionNuisance]
) -> CountingModel:
    def nuisances(affects: str) -> list[Nuisance]:
        return [
            Nuisance(entry.name, jnp.asarray(entry.kappa))
            for entry in channel.nuisances
            if entry.affects == affects
        ]

    signal = [
        nuisances("signal")
        + [
            Nuisance(entry.name, jnp.asarray(entry.kappa))
            for entry in production_nuisances
            if process in entry.processes
        ]
        for process in channel.processes
    ]
    background = [(channel.background, nuisances("background"))]
    return CountingModel.from_terms(signal, background)
