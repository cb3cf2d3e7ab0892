r"""Regions: what was counted, and the terms that were expected there.

    Region(name, observed, signal=(Term(...),), background=(Term(...),))

A term is one process in one region: its yields in the bins and how they respond to the
nuisances. A region of one bin may also hold the events one by one (`EventDensities`):
its likelihood is then the extended one,
$e^{-\lambda}\prod_e\sum_t\lambda_t f_t(x_e)$.

Any array may carry leading axes for the points of a grid, which broadcast against each
other: yields of shape (n_point, n_bin) are one hypothesis for each point.
"""

from __future__ import annotations

from functools import partial

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.argument import instance, instances, text
from bsmfit.core.array_argument import real_array
from bsmfit.likelihood.response import Response, response_list

__all__ = ["EventDensities", "Region", "Term"]


def _per_bin(name: str, values: object) -> Float[Array, " ..."]:
    """Floats in bins; one number is one bin."""
    return jnp.atleast_1d(real_array(name, values))


def _terms(kind: str, terms: object) -> tuple[Term, ...]:
    hint = 'write [Term("name", yields)]'
    return instances(f"{kind} of a region", terms, Term, hint=hint)


def _events(events: object) -> EventDensities | None:
    if events is None:
        return None
    hint = "make it with EventDensities(signal, background)"
    return instance("events of a region", events, EventDensities, hint=hint)


class Term(eqx.Module):
    """One signal or background process in one region.

    Attributes:
        name: The process, for example ``"proton-bremsstrahlung"``.
        yields: Expected events in each bin at nominal nuisances, >= 0; of a signal at
            strength 1.
        responses: How they respond to nuisances.
    """

    name: str = eqx.field(static=True)
    yields: Float[Array, "*point n_bin"] = eqx.field(
        converter=partial(_per_bin, "yields")
    )
    responses: tuple[Response, ...] = eqx.field(converter=response_list, default=())

    def __check_init__(self) -> None:
        text("name of a term", self.name)


class EventDensities(eqx.Module):
    """Probability densities of the observed events, one by one.

    Attributes:
        signal: Density of each signal term at each event [1/unit of the mark], >= 0.
        background: Density of each background term at each event, >= 0.
    """

    signal: Float[Array, "*point n_signal n_event"] = eqx.field(
        converter=partial(real_array, "signal densities")
    )
    background: Float[Array, "*point n_background n_event"] = eqx.field(
        converter=partial(real_array, "background densities")
    )


class Region(eqx.Module):
    """A counting region of one or several bins.

    Attributes:
        name: The region, unique within a likelihood.
        observed: Observed events in each bin, >= 0.
        signal: Signal terms, which the strength multiplies.
        background: Background terms.
        events: Densities of the events one by one, for a region of one bin.
        is_effective: Whether the count of the one bin is an effective one, in general
            no whole number (`bsmfit.likelihood.effective_count`).

    Examples:
        >>> from bsmfit.likelihood.response import LogNormal
        >>> region = Region(
        ...     "dimuon",
        ...     1,
        ...     signal=[Term("dark-photon", 2.5, [LogNormal("protons", 1.2)])],
        ...     background=[Term("fakes", 0.016, [LogNormal("fakes", 1.5)])],
        ... )
        >>> region.observed.shape
        (1,)
    """

    name: str = eqx.field(static=True)
    observed: Float[Array, "*point n_bin"] = eqx.field(
        converter=partial(_per_bin, "observed")
    )
    signal: tuple[Term, ...] = eqx.field(
        converter=partial(_terms, "signal"), default=()
    )
    background: tuple[Term, ...] = eqx.field(
        converter=partial(_terms, "background"), default=()
    )
    events: EventDensities | None = eqx.field(converter=_events, default=None)
    is_effective: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        text("name of a region", self.name)

    @property
    def n_bin(self) -> int:
        """Number of bins."""
        return self.observed.shape[-1]
