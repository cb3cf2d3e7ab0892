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
from jaxtyping import Array, Float

from bsmfit.core.argument import LARGEST_COUNT, LARGEST_FACTOR
from bsmfit.core.array_argument import check_range, known_values
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
# a signal at strength 1 may be far beyond any limit, not beyond what doubles multiply
_LARGEST_SIGNAL = 1e100
# Gamma factors come from 1/error^2 events, which doubles must tell apart
_SMALLEST_ERROR = LARGEST_COUNT**-0.5


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
        if pair[::-1] in correlated and pair[0] != pair[1]:
            msg = f"the correlation of {pair[0]!r} and {pair[1]!r} is given twice"
            raise InputError(msg)
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
    if not correlated or (values := known_values(coefficients)) is None:
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
    _refuse_outside(f"{where}: observed events", region.observed, LARGEST_COUNT)
    _refuse_twice(
        f"term of {where}", [t.name for t in (*region.signal, *region.background)]
    )
    for kind in ("signal", "background"):
        most = _LARGEST_SIGNAL if kind == "signal" else LARGEST_COUNT
        for term in getattr(region, kind):
            _check_term(region, term, most)
    if region.events is not None:
        _check_events(region)


def _check_term(region: Region, term: Term, most: float) -> None:
    where = f"region {region.name!r}, term {term.name!r}"
    if term.yields.shape[-1] != region.n_bin:
        msg = (
            f"{where}: yields have {term.yields.shape[-1]} bins, the observed events "
            f"{region.n_bin}; give one number for each bin"
        )
        raise InputError(msg)
    _refuse_outside(f"{where}: yields", term.yields, most)
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
            _refuse_factor(f"{where}: kappa", response.kappa, 1.0 / LARGEST_FACTOR)
        case Asymmetric():
            _refuse_factor(f"{where}: factor up", response.up)
            _refuse_factor(f"{where}: factor down", response.down)
        case TruncatedNormal():
            _refuse_factor(f"{where}: relative error", response.relative_error)
        case Gamma():
            error = response.relative_error
            _refuse_factor(f"{where}: relative error", error, _SMALLEST_ERROR)
        case Sideband():
            what = f"{where}: control events"
            _refuse_outside(what, response.n_control, LARGEST_COUNT)
        case Morph():
            for shape in (response.yields_up, response.yields_down):
                _refuse_bins(f"{where}: shape", shape, n_bin)
                _refuse_outside(f"{where}: shape", shape, _LARGEST_SIGNAL)
        case BinFactors():
            errors, what = response.relative_errors, f"{where}: relative errors"
            _refuse_bins(what, errors, n_bin)
            _refuse_outside(what, errors, LARGEST_FACTOR)
            if response.constraint == "poisson":
                _refuse_tiny(what, errors)
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
        numbers = [(known_values(a), known_values(b)) for a, b in pairs]
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
        _refuse_outside(
            f"{where}: {kind} densities", getattr(events, kind), _LARGEST_SIGNAL
        )
    n_event = events.signal.shape[-1]
    observed = known_values(region.observed)
    if events.background.shape[-1] != n_event or (
        observed is not None and np.any(observed != n_event)
    ):
        msg = (
            f"{where}: densities are given for {n_event} signal and "
            f"{events.background.shape[-1]} background marks; give one for each "
            "observed event"
        )
        raise InputError(msg)


def _refuse_outside(what: str, value: object, most: float) -> None:
    """Refuse negative numbers and numbers beyond sense."""
    check_range(what, value, low=0.0, high=most)


def _refuse_factor(what: str, value: object, least: float = 0.0) -> None:
    """Refuse factors and errors of one standard deviation that are beyond sense."""
    check_range(what, value, low=0.0, is_low_open=True)
    check_range(what, value, low=least, high=LARGEST_FACTOR)


def _refuse_tiny(what: str, errors: object) -> None:
    """Refuse errors whose counts doubles cannot tell apart; 0 stands for none."""
    numbers = known_values(errors)
    if numbers is not None:
        hint = "give 0 to leave a bin alone"
        check_range(what, numbers[numbers != 0.0], low=_SMALLEST_ERROR, hint=hint)


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
