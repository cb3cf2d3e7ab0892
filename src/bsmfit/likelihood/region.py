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

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.likelihood.response import Response, Value

__all__ = ["EventDensities", "Region", "Term"]


def _per_bin(values: Value) -> Float[Array, " ..."]:
    """Floats in bins; one number is one bin."""
    return jnp.atleast_1d(jnp.asarray(values, dtype=float))


def _densities(values: Value) -> Float[Array, " ..."]:
    return jnp.asarray(values, dtype=float)


def _as_tuple(entries: Sequence) -> tuple:
    return tuple(entries)


class Term(eqx.Module):
    """One signal or background process in one region.

    Attributes:
        name: The process, for example ``"proton-bremsstrahlung"``.
        yields: Expected events in each bin at nominal nuisances, >= 0; of a signal at
            strength 1.
        responses: How they respond to nuisances.
    """

    name: str = eqx.field(static=True)
    yields: Float[Array, "*point n_bin"] = eqx.field(converter=_per_bin)
    responses: tuple[Response, ...] = eqx.field(converter=_as_tuple, default=())


class EventDensities(eqx.Module):
    """Probability densities of the observed events, one by one.

    Attributes:
        signal: Density of each signal term at each event [1/unit of the mark], >= 0.
        background: Density of each background term at each event, >= 0.
    """

    signal: Float[Array, "*point n_signal n_event"] = eqx.field(converter=_densities)
    background: Float[Array, "*point n_background n_event"] = eqx.field(
        converter=_densities
    )


class Region(eqx.Module):
    """A counting region of one or several bins.

    Attributes:
        name: The region, unique within a likelihood.
        observed: Observed events in each bin, >= 0.
        signal: Signal terms, which the strength multiplies.
        background: Background terms.
        events: Densities of the events one by one, for a region of one bin.

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
    observed: Float[Array, "*point n_bin"] = eqx.field(converter=_per_bin)
    signal: tuple[Term, ...] = eqx.field(converter=_as_tuple, default=())
    background: tuple[Term, ...] = eqx.field(converter=_as_tuple, default=())
    events: EventDensities | None = None

    @property
    def n_bin(self) -> int:
        """Number of bins."""
        return self.observed.shape[-1]
