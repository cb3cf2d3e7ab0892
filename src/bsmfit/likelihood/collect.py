"""From regions to the dense arrays of a likelihood.

Where every number is known, numpy does it: compiling a program that puts a thousand
numbers in their places takes seconds. Traced numbers go through jax.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from bsmfit.likelihood.arrays import LikelihoodArrays, Structure
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import (
    Asymmetric,
    BinFactors,
    Free,
    Gamma,
    LogNormal,
    Morph,
    Sideband,
    TruncatedNormal,
)

__all__ = ["collect_arrays"]

_NEGLIGIBLE_ERROR = 1e-4


def collect_arrays(
    regions: Sequence[Region],
    correlated: Sequence[tuple[str, str]],
    coefficients: Float[Array, " n_pair"],
) -> LikelihoodArrays:
    """Collect the regions of one point of a grid.

    Args:
        regions: The regions, checked.
        correlated: Pairs of correlated nuisances.
        coefficients: Their correlation coefficients.

    Returns:
        The arrays.
    """
    return _Collector(regions).collect(correlated, coefficients)


class _Collector:
    """Goes once through the regions and puts every number in its place."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self.regions = regions
        self.offsets = np.concatenate([[0], np.cumsum([r.n_bin for r in regions])])
        n_bin = int(self.offsets[-1])
        self.terms = [
            (index, term)
            for kind in ("signal", "background")
            for index, region in enumerate(regions)
            for term in getattr(region, kind)
        ]
        self.yields: list[tuple[Any, Any]] = []
        self.n_bin = n_bin
        self.names: dict[str, str] = {}
        self.auxiliary: dict[str, tuple[Any, Any, float]] = {}
        self.log_response: list[tuple[int, str, Any]] = []
        self.asymmetric: list[tuple[int, str, Asymmetric]] = []
        self.morphs: list[tuple[int, str, Morph]] = []
        self.linear: dict[str, list[tuple[int, slice | int, Any]]] = {}
        self.bin_factors: list[tuple[str, int, int]] = []
        self.links: list[tuple[int, str]] = []

    def collect(
        self,
        correlated: Sequence[tuple[str, str]],
        coefficients: Float[Array, " n_pair"],
    ) -> LikelihoodArrays:
        for row, (region, term) in enumerate(self.terms):
            bins = self._bins(region)
            self.yields.append(((row, bins), term.yields))
            self._responses(row, bins, term)
        names = tuple(self.names)
        column = {name: index for index, name in enumerate(names)}
        n_term = len(self.terms)
        log_response = [
            ((row, column[name]), value) for row, name, value in self.log_response
        ]
        linear = [
            ((index, row, bins), value)
            for index, entries in enumerate(self.linear.values())
            for row, bins, value in entries
        ]
        morphs = [
            ((index, side, self._bins(self.terms[row][0])), shape)
            for index, (row, _, morph) in enumerate(self.morphs)
            for side, shape in enumerate((morph.yields_up, morph.yields_down))
        ]
        factors = [
            ((index, side), factor)
            for index, (*_, response) in enumerate(self.asymmetric)
            for side, factor in enumerate((response.up, response.down))
        ]
        observed = [
            (self._bins(index), region.observed)
            for index, region in enumerate(self.regions)
        ]
        auxiliary = [self.auxiliary.get(name, (0.0, 1.0, 0.0)) for name in names]
        structure = Structure(
            region_names=tuple(region.name for region in self.regions),
            region_bins=tuple(region.n_bin for region in self.regions),
            term_names=tuple(
                f"{self.regions[region].name}/{term.name}"
                for region, term in self.terms
            ),
            term_regions=tuple(region for region, _ in self.terms),
            n_signal=sum(len(region.signal) for region in self.regions),
            parameter_names=names,
            constraints=tuple(self.names.values()),
            flat_offset=tuple(offset for _, _, offset in auxiliary),
            links=tuple(dict.fromkeys((row, column[name]) for row, name in self.links)),
            asymmetric=tuple(
                (row, column[name], response.interpolation)
                for row, name, response in self.asymmetric
            ),
            morphs=tuple(
                (row, column[name], morph.interpolation)
                for row, name, morph in self.morphs
            ),
            linear=tuple(column[name] for name in self.linear),
            bin_factors=tuple(
                (column[name], row, bins) for name, row, bins in self.bin_factors
            ),
            correlated=tuple((column[a], column[b]) for a, b in correlated),
            event_bins=tuple(
                int(self.offsets[index])
                for index, region in enumerate(self.regions)
                if region.events is not None
                for _ in range(region.events.signal.shape[-1])
            ),
        )
        return LikelihoodArrays(
            observed=_filled((self.n_bin,), observed),
            yields=_filled((n_term, self.n_bin), self.yields),
            log_response=_filled((n_term, len(names)), log_response),
            asymmetric=_filled((len(factors) // 2, 2), factors),
            morphs=_filled((len(self.morphs), 2, self.n_bin), morphs),
            linear_response=_filled((len(self.linear), n_term, self.n_bin), linear),
            auxiliary=_filled((len(names),), enumerate(a for a, _, _ in auxiliary)),
            scale=_filled((len(names),), enumerate(s for _, s, _ in auxiliary)),
            coefficients=coefficients,
            event_densities=self._event_densities(),
            structure=structure,
        )

    def _bins(self, region: int) -> slice:
        return slice(int(self.offsets[region]), int(self.offsets[region + 1]))

    def _responses(self, row: int, bins: slice, term: Term) -> None:
        for response in term.responses:
            name = response.name
            if isinstance(response, BinFactors):
                self._bin_factors(row, bins, response)
                continue
            self.links.append((row, name))
            match response:
                case LogNormal():
                    self.names.setdefault(name, "normal")
                    value = _module(response.kappa).log(response.kappa)
                    self.log_response.append((row, name, value))
                case Asymmetric():
                    self.names.setdefault(name, "normal")
                    self.asymmetric.append((row, name, response))
                case Morph():
                    self.names.setdefault(name, "normal")
                    self.morphs.append((row, name, response))
                case TruncatedNormal():
                    self.names.setdefault(name, "normal")
                    entry = (row, bins, response.relative_error)
                    self.linear.setdefault(name, []).append(entry)
                case Gamma():
                    n_effective = response.relative_error**-2.0
                    self._factor(row, name, (n_effective, n_effective, 0.0))
                case Sideband():
                    self._factor(row, name, (response.n_control, 1.0, 1.0))
                case Free():
                    self.names.setdefault(name, "free")
                    self.log_response.append((row, name, 1.0))

    def _factor(self, row: int, name: str, auxiliary: tuple[Any, Any, float]) -> None:
        self.names.setdefault(name, "poisson")
        self.auxiliary.setdefault(name, auxiliary)
        self.log_response.append((row, name, 1.0))

    def _bin_factors(self, row: int, bins: slice, response: BinFactors) -> None:
        module = _module(response.relative_errors)
        errors = module.asarray(response.relative_errors)
        counts = module.where(errors > 0.0, errors, _NEGLIGIBLE_ERROR) ** -2.0
        for index, column in enumerate(range(bins.start, bins.stop)):
            name = f"{response.name}[{index}]"
            self.links.append((row, name))
            if response.constraint == "normal":
                self.names.setdefault(name, "normal")
                entry = (row, column, errors[index])
                self.linear.setdefault(name, []).append(entry)
                continue
            self.names.setdefault(name, "poisson")
            self.auxiliary.setdefault(name, (counts[index], counts[index], 0.0))
            self.bin_factors.append((name, row, column))

    def _event_densities(self) -> Float[Array, "n_term n_event"]:
        columns = []
        first_background = sum(len(region.signal) for region in self.regions)
        first_signal = 0
        for region in self.regions:
            n_signal, n_background = len(region.signal), len(region.background)
            if region.events is not None:
                block = jnp.zeros((len(self.terms), region.events.signal.shape[-1]))
                block = block.at[first_signal : first_signal + n_signal].set(
                    region.events.signal
                )
                block = block.at[
                    first_background : first_background + n_background
                ].set(region.events.background)
                columns.append(block)
            first_signal += n_signal
            first_background += n_background
        if not columns:
            return jnp.zeros((len(self.terms), 0))
        return jnp.concatenate(columns, axis=1)


def _filled(
    shape: tuple[int, ...], entries: Iterable[tuple[Any, Any]]
) -> Float[Array, " ..."]:
    """Zeros with values in places."""
    entries = list(entries)
    if any(isinstance(value, Tracer) for _, value in entries):
        traced = jnp.zeros(shape)
        for place, value in entries:
            traced = traced.at[place].set(value)
        return traced
    known = np.zeros(shape)
    for place, value in entries:
        known[place] = value
    return jnp.asarray(known)


def _module(value: object) -> ModuleType:
    """What computes with a value: jax where it is traced, else numpy."""
    return jnp if isinstance(value, Tracer) else np
