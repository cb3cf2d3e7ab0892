"""Whether the numbers of a likelihood make sense, before anything is compiled.

Each check says which region, term or nuisance it is about and what was given. Values
that are traced are unknown and pass: a point with such values has a status in the
result instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from bsmfit.errors import InputError, UnknownNameError
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import (
    Asymmetric,
    BinFactors,
    Free,
    Gamma,
    LogNormal,
    Morph,
    Response,
    Sideband,
    TruncatedNormal,
    Value,
)

__all__ = ["check_correlations", "check_regions"]

_NORMAL = (LogNormal, Asymmetric, TruncatedNormal, Morph)


def check_regions(regions: Sequence[Region]) -> None:
    """Check the names, shapes and values of regions.

    Args:
        regions: The regions of one likelihood.

    Raises:
        InputError: Something is outside what is allowed.
    """
    if not regions:
        msg = "a likelihood needs one region or more; none was given"
        raise InputError(msg)
    _refuse_twice("region", [region.name for region in regions])
    for region in regions:
        _check_region(region)
    known: dict[str, tuple[str, Response]] = {}
    for region in regions:
        for term in (*region.signal, *region.background):
            for response in term.responses:
                _check_shared(f"{region.name}/{term.name}", response, known)


def check_correlations(
    regions: Sequence[Region],
    correlated: Sequence[tuple[str, str]],
    coefficients: Float[Array, "*point n_pair"],
) -> None:
    """Check that correlations name known nuisances and form a correlation matrix.

    Args:
        regions: The regions.
        correlated: Pairs of names.
        coefficients: Their coefficients.

    Raises:
        InputError: A name is unknown or has no unit-normal constraint, a coefficient is
            not within -1 and 1, or the matrix is not positive definite.
    """
    normal, others = set(), set()
    for region in regions:
        for term in (*region.signal, *region.background):
            for response in term.responses:
                kind = normal if isinstance(response, _NORMAL) else others
                kind.add(response.name)
    for pair in correlated:
        for name in pair:
            if name in others:
                msg = (
                    f"nuisance {name!r} has no unit-normal constraint, so it cannot "
                    "be correlated with another"
                )
                raise InputError(msg)
            if name not in normal:
                kind = "nuisance in a correlation"
                raise UnknownNameError.from_choices(kind, name, normal)
        if pair[0] == pair[1]:
            msg = f"nuisance {pair[0]!r} is correlated with itself; leave that out"
            raise InputError(msg)
    if not correlated or (values := _known(coefficients)) is None:
        return
    for row in values.reshape(-1, len(correlated)):
        _check_matrix(sorted({n for pair in correlated for n in pair}), correlated, row)


def _check_matrix(
    names: Sequence[str], pairs: Sequence[tuple[str, str]], row: np.ndarray
) -> None:
    for pair, value in zip(pairs, row, strict=True):
        if not -1.0 < value < 1.0:
            msg = (
                f"correlation of {pair[0]!r} and {pair[1]!r} is {value:g}; it must "
                "lie between -1 and 1 (give the same name for full correlation)"
            )
            raise InputError(msg)
    matrix = np.eye(len(names))
    for (a, b), value in zip(pairs, row, strict=True):
        matrix[names.index(a), names.index(b)] = value
        matrix[names.index(b), names.index(a)] = value
    smallest = float(np.linalg.eigvalsh(matrix).min())
    if smallest <= 1e-12:
        msg = (
            f"the correlations of {', '.join(names)} are not positive definite "
            f"(smallest eigenvalue {smallest:.3g}); no data can be correlated so"
        )
        raise InputError(msg)


def _check_region(region: Region) -> None:
    where = f"region {region.name!r}"
    if region.n_bin == 0:
        msg = f"{where} has no bin"
        raise InputError(msg)
    if not region.signal and not region.background:
        msg = f"{where} is empty: it has neither a signal nor a background term"
        raise InputError(msg)
    _refuse_outside(f"{where}: observed events", region.observed, 0.0)
    _refuse_twice(
        f"term of {where}", [t.name for t in (*region.signal, *region.background)]
    )
    for term in (*region.signal, *region.background):
        _check_term(region, term)
    if region.events is not None:
        _check_events(region)


def _check_term(region: Region, term: Term) -> None:
    where = f"region {region.name!r}, term {term.name!r}"
    if term.yields.shape[-1] != region.n_bin:
        msg = (
            f"{where}: yields have {term.yields.shape[-1]} bins, the observed events "
            f"{region.n_bin}; give one number for each bin"
        )
        raise InputError(msg)
    _refuse_outside(f"{where}: yields", term.yields, 0.0)
    # one nuisance may move the shape and the normalisation of a term
    for is_shape in (True, False):
        same = [r.name for r in term.responses if isinstance(r, Morph) is is_shape]
        _refuse_twice(f"nuisance of {where}", same)
    for response in term.responses:
        _check_response(where, response, region.n_bin)


def _check_response(where: str, response: Response, n_bin: int) -> None:
    where = f"{where}, nuisance {response.name!r}"
    match response:
        case LogNormal():
            _refuse_outside(f"{where}: kappa", response.kappa, 0.0, is_open=True)
        case Asymmetric():
            _refuse_outside(f"{where}: factor up", response.up, 0.0, is_open=True)
            _refuse_outside(f"{where}: factor down", response.down, 0.0, is_open=True)
        case TruncatedNormal() | Gamma():
            _refuse_outside(
                f"{where}: relative error", response.relative_error, 0.0, is_open=True
            )
        case Sideband():
            _refuse_outside(f"{where}: control events", response.n_control, 0.0)
        case Morph():
            for shape in (response.yields_up, response.yields_down):
                _refuse_bins(f"{where}: shape", shape, n_bin)
                _refuse_outside(f"{where}: shape", shape, 0.0)
        case BinFactors():
            _refuse_bins(f"{where}: relative errors", response.relative_errors, n_bin)
            _refuse_outside(f"{where}: relative errors", response.relative_errors, 0.0)
        case Free():
            pass


def _check_shared(
    where: str, response: Response, known: dict[str, tuple[str, Response]]
) -> None:
    """Refuse one name with two different constraints."""
    before_where, before = known.setdefault(response.name, (where, response))
    if isinstance(before, _NORMAL) and isinstance(response, _NORMAL):
        return
    same = type(before) is type(response)
    if same and not isinstance(response, Free):
        pairs = zip(jax.tree.leaves(before), jax.tree.leaves(response), strict=True)
        numbers = [(_known(a), _known(b)) for a, b in pairs]
        same = all(a is None or b is None or np.array_equal(a, b) for a, b in numbers)
    same_region = before_where.split("/")[0] == where.split("/")[0]
    if same and (same_region or not isinstance(response, BinFactors)):
        return
    msg = (
        f"nuisance {response.name!r} is constrained in one way in {before_where} "
        f"({type(before).__name__}) and in another in {where} "
        f"({type(response).__name__}); give one of them another name"
    )
    raise InputError(msg)


def _check_events(region: Region) -> None:
    events = region.events
    assert events is not None
    where = f"region {region.name!r}"
    if region.n_bin != 1:
        msg = f"{where}: event densities need a region of one bin, not {region.n_bin}"
        raise InputError(msg)
    for kind, densities in (
        ("signal", region.signal),
        ("background", region.background),
    ):
        given = getattr(events, kind).shape[-2]
        if given != len(densities):
            msg = (
                f"{where}: {kind} densities are given for {given} terms of "
                f"{len(densities)}"
            )
            raise InputError(msg)
        _refuse_outside(f"{where}: {kind} densities", getattr(events, kind), 0.0)
    n_event = events.signal.shape[-1]
    observed = _known(region.observed)
    if events.background.shape[-1] != n_event or (
        observed is not None and np.any(observed != n_event)
    ):
        msg = (
            f"{where}: densities are given for {n_event} signal and "
            f"{events.background.shape[-1]} background marks; give one for each "
            "observed event"
        )
        raise InputError(msg)


def _known(value: object) -> np.ndarray | None:
    """The numbers, unless they are traced."""
    return None if isinstance(value, Tracer) else np.asarray(value, float)


def _refuse_outside(
    what: str, value: object, low: float, *, is_open: bool = False
) -> None:
    numbers = _known(value)
    if numbers is None:
        return
    is_inside = (numbers > low) if is_open else (numbers >= low)
    is_bad = ~(is_inside & np.isfinite(numbers))
    if np.any(is_bad):
        bound = f"{'above' if is_open else 'at or above'} {low:g}"
        msg = f"{what}: {float(numbers[is_bad][0]):g} is not a number {bound}"
        raise InputError(msg)


def _refuse_bins(what: str, value: Value, n_bin: int) -> None:
    shape = np.shape(value)
    if not shape or shape[-1] != n_bin:
        msg = f"{what} has shape {shape}; give one number for each of the {n_bin} bins"
        raise InputError(msg)


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        msg = f"{what} {twice[0]!r} occurs twice; give every one its own name"
        raise InputError(msg)
