"""From beam-dump channels and a model to a likelihood, or to one counting model.

A signal term is one production process of one channel. It carries the channel's own
nuisances of the signal and those of the model that act on its process; the background
of a channel carries the channel's. Names decide what is shared: the protons on target
of two searches in the same data are one parameter.

The counting model is what maps are made of: one count, the sum over the channels, with
the signal as an argument. The likelihood keeps the channels apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.channels.beam_dump import BeamDumpChannel
from bsmfit.errors import InputError
from bsmfit.likelihood.counting import CountingModel, sum_counts
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.nuisance import Nuisance
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import LogNormal, Value
from bsmfit.physics.model import ProductionNuisance

__all__ = ["beam_dump_counting_model", "beam_dump_likelihood"]


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
    return sum_counts(
        [_of_channel(channel, production_nuisances) for channel in channels]
    )


def beam_dump_likelihood(
    channels: Sequence[BeamDumpChannel],
    *,
    n_observed: Sequence[Value],
    log_signal: Sequence[Float[Array, "*point n_process"]] | None = None,
    production_nuisances: Sequence[ProductionNuisance] = (),
) -> Likelihood:
    """Likelihood of one or several beam-dump channels, one region for each.

    Args:
        channels: The channels.
        n_observed: Observed events of each channel; of shape (..., 1) on a grid.
        log_signal: ln of the expected signal by process, for each channel
            (`BeamDumpChannel.log_signal`). Without it the signal is one event, with the
            uncertainties of the channel alone: limits are in events.
        production_nuisances: Uncertainties of the production rates of the model.

    Returns:
        The likelihood.

    Raises:
        InputError: Counts or signals do not fit the channels.
    """
    given = {"observed counts": n_observed, "signals": log_signal or channels}
    for what, values in given.items():
        if len(values) != len(channels):
            msg = f"{len(values)} {what} are given for {len(channels)} channels"
            raise InputError(msg)
    regions = []
    for index, channel in enumerate(channels):
        responses = {
            affects: [
                LogNormal(entry.name, entry.kappa)
                for entry in channel.nuisances
                if entry.affects == affects
            ]
            for affects in ("signal", "background")
        }
        signal = [Term("signal", 1.0, responses["signal"])]
        if log_signal is not None:
            signal = [
                Term(
                    process,
                    jnp.exp(log_signal[index][..., row, None]),
                    [
                        *responses["signal"],
                        *(
                            LogNormal(entry.name, entry.kappa)
                            for entry in production_nuisances
                            if process in entry.processes
                        ),
                    ],
                )
                for row, process in enumerate(channel.processes)
            ]
        background = Term("background", channel.background, responses["background"])
        regions.append(Region(channel.name, n_observed[index], signal, [background]))
    return Likelihood.from_regions(regions)


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
