"""Modifiers of a pyhf workspace as responses of terms."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bsmfit.catalogue.arguments import shown
from bsmfit.catalogue.pyhf.schema import ModifierEntry, ParameterEntry
from bsmfit.errors import DataFileError
from bsmfit.likelihood.response import (
    Asymmetric,
    BinFactors,
    LogNormal,
    Morph,
    Response,
    TruncatedNormal,
)

__all__ = [
    "CODES",
    "NOMINAL",
    "SUPPORTED",
    "check_settings",
    "numbers_in_bins",
    "read_histosys",
    "read_lumi",
    "read_normsys",
    "read_shapesys",
    "scaled",
    "shown_numbers",
]

SUPPORTED = ("histosys", "lumi", "normfactor", "normsys", "shapesys", "staterror")
"""Types of modifiers that can be read."""

CODES: Mapping[str, tuple[str, str]] = {
    "normsys": ("code4", "code1"),
    "histosys": ("code4p", "code0"),
}
"""Codes of interpolation by type; the first one is pyhf's own choice."""

NOMINAL = {"normsys": 0.0, "histosys": 0.0, "lumi": 1.0, "staterror": 1.0}
"""Value of the auxiliary measurement by type, where it is one number."""

_CAN_SET = {
    "lumi": ("auxdata", "sigmas"),
    "staterror": ("auxdata", "sigmas"),
    "shapesys": ("auxdata", "factors"),
    "normsys": ("auxdata",),
    "histosys": ("auxdata",),
}
_RECIPROCAL = 1e-12


def check_settings(
    where: str, modifier: ModifierEntry, parameter: ParameterEntry
) -> None:
    """Refuse settings of a measurement that a modifier cannot have.

    Args:
        where: Place in the workspace, for the message.
        modifier: The modifier.
        parameter: The settings of its parameter.

    Raises:
        DataFileError: Auxiliary data are not where the modifier has them by default, or
            something is set that the modifier has not.
    """
    nominal, given = NOMINAL.get(modifier.type), parameter.auxdata
    if given is not None and nominal is not None and set(given) != {nominal}:
        msg = (
            f"{where}: auxdata {shown_numbers(given)} in the measurement; only "
            f"{nominal:g} can be read"
        )
        raise DataFileError(msg)
    for key in ("auxdata", "sigmas", "factors"):
        is_set = getattr(parameter, key) is not None
        if is_set and key not in _CAN_SET.get(modifier.type, ()):
            msg = (
                f"{where} has no {key}, but the measurement sets them; remove {key} "
                "from its parameter"
            )
            raise DataFileError(msg)


def read_normsys(
    where: str, modifier: ModifierEntry, *, code: str
) -> LogNormal | Asymmetric:
    """Read a factor that differs between up and down.

    Args:
        where: Place in the workspace, for the message.
        modifier: The modifier.
        code: ``"code4"`` or ``"code1"``.

    Returns:
        The response.

    Raises:
        DataFileError: The factors are not two numbers above zero.
    """
    high, low = _pair(where, modifier.data, ("hi", "lo"))
    if not (_is_positive(high) and _is_positive(low)):
        msg = f"{where}: hi = {shown(high)}, lo = {shown(low)}; both must be above 0"
        raise DataFileError(msg)
    if code == "code1" and abs(high * low - 1.0) < _RECIPROCAL:
        return LogNormal(modifier.name, float(high))
    return Asymmetric(modifier.name, float(high), float(low), code)


def read_histosys(
    where: str, modifier: ModifierEntry, *, n_bin: int, code: str
) -> Morph:
    """Read a shape that moves between two others.

    Args:
        where: Place in the workspace, for the message.
        modifier: The modifier.
        n_bin: Bins of the channel.
        code: ``"code4p"`` or ``"code0"``.

    Returns:
        The response.

    Raises:
        DataFileError: A shape is not one number at or above zero for each bin.
    """
    shapes = _pair(where, modifier.data, ("hi_data", "lo_data"))
    high, low = (numbers_in_bins(where, shape, n_bin) for shape in shapes)
    return Morph(modifier.name, high, low, code)


def read_lumi(
    where: str, modifier: ModifierEntry, parameter: ParameterEntry
) -> TruncatedNormal:
    """Read the luminosity.

    Args:
        where: Place in the workspace, for the message.
        modifier: The modifier.
        parameter: The settings of the luminosity in the measurement.

    Returns:
        The response.

    Raises:
        DataFileError: It has another name, or the measurement does not set its error.
    """
    sigmas = parameter.sigmas or ()
    if modifier.name != "lumi" or parameter.auxdata is None or len(sigmas) != 1:
        msg = (
            f"{where}: it must be called 'lumi', and the measurement must set its "
            "auxdata and one sigma (sigmas)"
        )
        raise DataFileError(msg)
    if not sigmas[0] > 0.0:
        msg = f"{where}: sigmas is {sigmas[0]:g}; it must be above 0"
        raise DataFileError(msg)
    return TruncatedNormal(modifier.name, sigmas[0])


def read_shapesys(
    where: str,
    modifier: ModifierEntry,
    parameter: ParameterEntry,
    *,
    yields: Sequence[float],
) -> BinFactors:
    """Read factors with Poisson constraints, none where a yield or its error is zero.

    Args:
        where: Place in the workspace, for the message.
        modifier: The modifier.
        parameter: The settings of its parameter in the measurement.
        yields: Expected events of the sample in each bin.

    Returns:
        The response.

    Raises:
        DataFileError: The errors are not one number at or above zero for each bin, or
            the measurement sets other auxiliary data.
    """
    nominal = np.array(yields, float)
    errors = numbers_in_bins(where, modifier.data, nominal.size)
    is_open = (nominal > 0.0) & (errors > 0.0)
    relative = np.where(is_open, errors / np.where(is_open, nominal, 1.0), 0.0)
    counts = np.where(is_open, 1.0 / np.where(is_open, relative, 1.0) ** 2, 1.0)
    for given in (parameter.auxdata, parameter.factors):
        if given is not None and not (
            len(given) == counts.size and np.allclose(given, counts, rtol=1e-9, atol=0)
        ):
            msg = (
                f"{where}: the measurement sets auxdata or factors to "
                f"{shown_numbers(given)}; only those of the modifier itself can be "
                f"read, {shown_numbers(counts.tolist())}"
            )
            raise DataFileError(msg)
    return BinFactors(modifier.name, relative, "poisson")


def scaled(response: Response, scale: float) -> Response:
    """Return a response of yields that a fixed factor multiplies.

    Args:
        response: The response.
        scale: The factor.

    Returns:
        The response; only that of a shape depends on the factor.
    """
    if not isinstance(response, Morph):
        return response
    up = scale * np.asarray(response.yields_up)
    down = scale * np.asarray(response.yields_down)
    return Morph(response.name, up, down, response.interpolation)


def numbers_in_bins(where: str, data: object, n_bin: int) -> np.ndarray:
    """Read numbers at or above zero, one for each bin.

    Args:
        where: Place in the workspace, for the message.
        data: What is there.
        n_bin: How many there must be.

    Returns:
        The numbers.

    Raises:
        DataFileError: It is something else.
    """
    values = data if isinstance(data, list | tuple) else None
    if values is None or len(values) != n_bin:
        given = shown(data) if values is None else f"{len(values)} entries"
        msg = f"{where}: data must be {n_bin} numbers, not {given}"
        raise DataFileError(msg)
    for value in values:
        if not (_is_positive(value) or (_is_number(value) and value == 0)):
            msg = f"{where}: {shown(value)} is not a number at or above 0"
            raise DataFileError(msg)
    return np.array(values, float)


def shown_numbers(values: Sequence[float]) -> str:
    """Write numbers for a message, the first ones of many.

    Args:
        values: The numbers.

    Returns:
        Their text in brackets.
    """
    more = ", ..." if len(values) > 6 else ""
    return f"[{', '.join(str(value) for value in values[:6])}{more}]"


def _pair(where: str, data: object, keys: tuple[str, str]) -> tuple[Any, Any]:
    """The two values of a modifier with an up and a down side."""
    if not isinstance(data, Mapping) or set(data) != set(keys):
        msg = f"{where}: data must hold {keys[0]} and {keys[1]} and nothing else"
        raise DataFileError(msg)
    return data[keys[0]], data[keys[1]]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_positive(value: Any) -> bool:
    # an integer may be too large for a float, but can be compared with one
    return _is_number(value) and 0.0 < value <= sys.float_info.max
