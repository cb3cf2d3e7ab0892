r"""Which bins of a likelihood say anything about the signal.

A bin carries signal where a signal term expects events. Other bins matter as far as
they share nuisances with it, directly or through a chain of bins and nuisances (partial
correlations are links of that chain). The likelihood of all other bins is a factor that
does not depend on the strength,

$$L(\mu, x, y) = L_1(\mu, x)\,L_2(y),$$

and cancels in every ratio: `relevant_part` finds $L_1$, `restricted` keeps it alone.

Values that are known are looked at: a nuisance whose response is nothing, or a term
without yields, links nothing. Where values are traced the names decide.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from bsmfit.likelihood.arrays import LikelihoodArrays, Structure

__all__ = ["Part", "acting_responses", "has_yields", "relevant_part", "restricted"]


class Part(NamedTuple):
    """A part of a likelihood, by index.

    Attributes:
        bins: Its bins.
        parameters: The nuisances and free factors that move them.
    """

    bins: tuple[int, ...]
    parameters: tuple[int, ...]


def has_yields(arrays: LikelihoodArrays) -> np.ndarray:
    """Which terms expect events in which bins, at any point of a grid.

    Args:
        arrays: The likelihood; its leaves may have one leading axis for the points.

    Returns:
        Booleans of shape (n_term, n_bin); for traced yields, the bins of the region.
    """
    structure = arrays.structure
    ends = np.cumsum(structure.region_bins)
    region_of_bin = np.repeat(np.arange(len(ends)), structure.region_bins)
    possible = np.array(structure.term_regions)[:, None] == region_of_bin[None, :]
    if (yields := _known(arrays.yields)) is None:
        return possible
    # a value that is no number counts as one, so that its point is found out later
    found = _any_point(~(yields <= 0.0), 2)
    for index, (term, *_) in enumerate(structure.morphs):
        shapes = _known(arrays.morphs)
        moved = True if shapes is None else _any_point(shapes > 0.0, 3)[index].any(0)
        found[term] |= moved
    return found & possible


def acting_responses(arrays: LikelihoodArrays) -> np.ndarray:
    """Which parameter moves which term in which bin, at any point of a grid.

    Args:
        arrays: The likelihood; its leaves may have one leading axis for the points.

    Returns:
        Booleans of shape (n_parameter, n_term, n_bin).
    """
    structure = arrays.structure
    expects = has_yields(arrays)
    acts = np.zeros((arrays.n_parameter, *expects.shape), dtype=bool)
    log_response = _known(arrays.log_response)
    in_one_bin = {(term, parameter) for parameter, term, _ in structure.bin_factors}
    pieces = {(t, p) for t, p, _ in structure.asymmetric + structure.morphs}
    for term, parameter in structure.links:
        if (term, parameter) in in_one_bin | pieces or parameter in structure.linear:
            continue
        if log_response is None or _any_point(log_response != 0.0, 2)[term, parameter]:
            acts[parameter, term] = expects[term]
    if log_response is not None:
        # one nuisance may move the shape and the normalisation of a term
        moves = _any_point(log_response != 0.0, 2).T
        acts |= moves[:, :, None] & expects[None]
    for parameter, term, index in structure.bin_factors:
        acts[parameter, term, index] |= expects[term, index]
    factors, shapes = _known(arrays.asymmetric), _known(arrays.morphs)
    yields, linear = _known(arrays.yields), _known(arrays.linear_response)
    for index, (term, parameter, _) in enumerate(structure.asymmetric):
        if factors is None or np.any(factors[..., index, :] != 1.0):
            acts[parameter, term] |= expects[term]
    for index, (term, parameter, _) in enumerate(structure.morphs):
        moved = np.ones(expects.shape[1], dtype=bool)
        if shapes is not None and yields is not None:
            nominal = yields[..., term, None, :]
            moved = _any_point(shapes[..., index, :, :] != nominal, 2).any(0)
        acts[parameter, term] |= expects[term] & moved
    for index, parameter in enumerate(structure.linear):
        moved = np.ones(expects.shape, dtype=bool)
        if linear is not None:
            moved = _any_point(linear[..., index, :, :] != 0.0, 2)
        acts[parameter] |= expects & moved
    return acts


def relevant_part(
    arrays: LikelihoodArrays, signal_bins: Sequence[int] | None = None
) -> Part:
    """Bins that carry signal, or share a nuisance with them through any chain.

    Args:
        arrays: The likelihood; its leaves may have one leading axis for the points.
        signal_bins: The bins that carry signal; found from the yields where they are
            not given.

    Returns:
        The part; everything where no bin carries signal.
    """
    expects = has_yields(arrays)
    touches = np.asarray(acting_responses(arrays).any(axis=1))
    n_signal = arrays.structure.n_signal
    bins = np.asarray(expects[:n_signal].any(axis=0))
    if signal_bins is not None:
        bins = np.isin(np.arange(bins.size), np.array(signal_bins, dtype=int))
    if not bins.any():
        return Part(tuple(range(bins.size)), tuple(range(arrays.n_parameter)))
    parameters = np.zeros(arrays.n_parameter, dtype=bool)
    while True:
        wider = touches[:, bins].any(axis=1) | parameters
        for a, b in arrays.structure.correlated:
            wider[[a, b]] |= wider[a] or wider[b]
        more = np.asarray(touches[wider].any(axis=0)) | bins
        if np.array_equal(more, bins) and np.array_equal(wider, parameters):
            break
        bins, parameters = more, wider
    if bins.all():
        parameters[:] = True
    return Part(
        tuple(int(i) for i in np.flatnonzero(bins)),
        tuple(int(i) for i in np.flatnonzero(parameters)),
    )


def restricted(arrays: LikelihoodArrays, part: Part) -> LikelihoodArrays:
    """Keep a part of a likelihood.

    Args:
        arrays: The likelihood of one point.
        part: The part.

    Returns:
        The likelihood of its bins; the same object where that is all of them.
    """
    bins, parameters = np.array(part.bins), np.array(part.parameters, dtype=int)
    n_bin = sum(arrays.structure.region_bins)
    if len(bins) == n_bin and len(parameters) == arrays.n_parameter:
        return arrays
    kept = _Indices.of(arrays.structure, part)

    def take(array, *indices: np.ndarray):
        for axis, index in enumerate(indices, start=-len(indices)):
            array = jnp.take(array, index, axis=axis)
        return array

    both = np.arange(2)
    return LikelihoodArrays(
        observed=take(arrays.observed, bins),
        yields=take(arrays.yields, kept.terms, bins),
        log_response=take(arrays.log_response, kept.terms, parameters),
        asymmetric=take(arrays.asymmetric, kept.asymmetric, both),
        morphs=take(arrays.morphs, kept.morphs, both, bins),
        linear_response=take(arrays.linear_response, kept.linear, kept.terms, bins),
        auxiliary=take(arrays.auxiliary, parameters),
        scale=take(arrays.scale, parameters),
        coefficients=take(arrays.coefficients, kept.correlated),
        event_densities=take(arrays.event_densities, kept.terms, kept.events),
        structure=_restricted_structure(arrays.structure, part, kept),
    )


class _Indices(NamedTuple):
    """What is kept of each list of a structure."""

    terms: np.ndarray
    asymmetric: np.ndarray
    morphs: np.ndarray
    linear: np.ndarray
    correlated: np.ndarray
    events: np.ndarray

    @classmethod
    def of(cls, structure: Structure, part: Part) -> _Indices:
        region_of_bin = np.repeat(
            np.arange(len(structure.region_bins)), structure.region_bins
        )
        regions = set(region_of_bin[list(part.bins)])
        terms = {i for i, r in enumerate(structure.term_regions) if r in regions}
        inside = set(part.parameters)

        def rows(entries, is_kept) -> np.ndarray:
            return np.array([i for i, e in enumerate(entries) if is_kept(e)], dtype=int)

        def has_both(entry: tuple) -> bool:
            return entry[0] in terms and entry[1] in inside

        return cls(
            terms=np.array(sorted(terms), dtype=int),
            asymmetric=rows(structure.asymmetric, has_both),
            morphs=rows(structure.morphs, has_both),
            linear=rows(structure.linear, lambda p: p in inside),
            correlated=rows(structure.correlated, lambda pair: pair[0] in inside),
            events=rows(structure.event_bins, lambda i: i in set(part.bins)),
        )


def _restricted_structure(
    structure: Structure, part: Part, kept: _Indices
) -> Structure:
    region_of_bin = np.repeat(
        np.arange(len(structure.region_bins)), structure.region_bins
    )
    of_bins = region_of_bin[list(part.bins)]
    regions = sorted(set(of_bins))
    region = {old: new for new, old in enumerate(regions)}
    term = {old: new for new, old in enumerate(kept.terms)}
    parameter = {old: new for new, old in enumerate(part.parameters)}
    index = {old: new for new, old in enumerate(part.bins)}
    pieces = {
        name: tuple(
            (term[t], parameter[p], code)
            for t, p, code in (getattr(structure, name)[i] for i in getattr(kept, name))
        )
        for name in ("asymmetric", "morphs")
    }
    return dataclasses.replace(
        structure,
        region_names=tuple(structure.region_names[i] for i in regions),
        region_bins=tuple(int(np.sum(of_bins == i)) for i in regions),
        term_names=tuple(structure.term_names[i] for i in kept.terms),
        term_regions=tuple(region[structure.term_regions[i]] for i in kept.terms),
        n_signal=int(np.sum(kept.terms < structure.n_signal)),
        parameter_names=tuple(structure.parameter_names[i] for i in part.parameters),
        constraints=tuple(structure.constraints[i] for i in part.parameters),
        flat_offset=tuple(structure.flat_offset[i] for i in part.parameters),
        links=tuple(
            (term[t], parameter[p])
            for t, p in structure.links
            if t in term and p in parameter
        ),
        linear=tuple(parameter[structure.linear[i]] for i in kept.linear),
        bin_factors=tuple(
            (parameter[p], term[t], index[i])
            for p, t, i in structure.bin_factors
            if p in parameter and t in term and i in index
        ),
        correlated=tuple(
            (parameter[a], parameter[b])
            for a, b in (structure.correlated[i] for i in kept.correlated)
        ),
        event_bins=tuple(index[structure.event_bins[i]] for i in kept.events),
        **pieces,
    )


def _known(values) -> np.ndarray | None:
    return None if isinstance(values, Tracer) else np.asarray(values)


def _any_point(flags: np.ndarray, rank: int) -> np.ndarray:
    """Whether a flag is set at any point: all axes before the last `rank`."""
    return np.any(flags, axis=tuple(range(flags.ndim - rank)))
