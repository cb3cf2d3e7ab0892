"""Parameters that a measurement fixes, and are taken out of the likelihood."""

from __future__ import annotations

import math

import numpy as np

from bsmfit.catalogue.pyhf.modifiers import NOMINAL, shown_numbers
from bsmfit.catalogue.pyhf.schema import ModifierEntry, ParameterEntry
from bsmfit.errors import DataFileError
from bsmfit.likelihood.response import BinFactors, Response, TruncatedNormal

__all__ = ["constraint_at_nominal", "fixed_factor", "is_fixed"]

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def is_fixed(where: str, modifier: ModifierEntry, parameter: ParameterEntry) -> bool:
    """Whether a parameter is taken out; only where its auxiliary data say so.

    Args:
        where: Place in the workspace, for the message.
        modifier: The modifier.
        parameter: The settings of its parameter.

    Returns:
        Whether the measurement fixes it.

    Raises:
        DataFileError: It is fixed elsewhere.
    """
    nominal = NOMINAL.get(modifier.type, 1.0)
    if not parameter.fixed:
        return False
    if parameter.inits is not None and set(parameter.inits) != {nominal}:
        msg = (
            f"{where} is fixed at {shown_numbers(parameter.inits)}; only {nominal:g} "
            "can be read"
        )
        raise DataFileError(msg)
    return True


def fixed_factor(where: str, parameter: ParameterEntry) -> float:
    """Value of a normfactor that is fixed.

    Args:
        where: Place in the workspace, for the message.
        parameter: Its settings.

    Returns:
        The factor that the yields are to be multiplied by; 1 where none is given.

    Raises:
        DataFileError: It is not one number at or above zero.
    """
    values = (1.0,) if parameter.inits is None else parameter.inits
    if len(values) != 1 or values[0] < 0.0:
        given = f"{values[0]:g}" if len(values) == 1 else shown_numbers(values)
        msg = f"{where} is fixed at {given}; it must be 0 or above, one number"
        raise DataFileError(msg)
    return values[0]


def constraint_at_nominal(response: Response) -> float:
    r"""-ln of pyhf's constraint of a parameter at its auxiliary measurement.

    $\ln\delta + \ln(2\pi)/2$ for a Gaussian one of width $\delta$, and
    $-\ln\mathrm{Pois}(n|n)$ for a count $n$; of several bins the sum.

    Args:
        response: What the parameter would do, were it free.

    Returns:
        The term of $-\ln L$.

    Examples:
        >>> round(constraint_at_nominal(TruncatedNormal("lumi", 0.1)), 4)
        -1.3836
    """
    match response:
        case BinFactors(constraint="normal"):
            errors = np.asarray(response.relative_errors)
            scales = np.where(errors > 0.0, errors, 1.0)
            return float(np.sum(np.log(scales) + _HALF_LOG_2PI))
        case BinFactors():
            errors = np.asarray(response.relative_errors).tolist()
            counts = [error**-2.0 if error > 0.0 else 1.0 for error in errors]
            return sum(n - n * math.log(n) + math.lgamma(n + 1.0) for n in counts)
        case TruncatedNormal():
            return math.log(float(response.relative_error)) + _HALF_LOG_2PI
        case _:
            return _HALF_LOG_2PI
