r"""How a yield responds to a named nuisance parameter.

A response belongs to a term (one signal or background process in one region) and names
the nuisance that moves it. Responses of the same name, in any term and any region, are
moved by the *same* parameter: the name is the correlation.

| response | yield becomes | constraint of the parameter |
|---|---|---|
| `LogNormal` | $y\,\kappa^\theta$ | unit normal |
| `Asymmetric` | $y\,\eta(\theta;\kappa_+,\kappa_-)$ | unit normal |
| `TruncatedNormal` | $y\,\max(1+\delta\theta, 0)$ | unit normal |
| `Morph` | $y + \Delta(\theta; h_+, h_-)$ | unit normal |
| `Gamma` | $y\,g$ | $\mathrm{Pois}(r\,\vert\,r g)$, $r = 1/\delta^2$ |
| `Sideband` | $y\,c$ | $\mathrm{Pois}(m\,\vert\,c)$, $m$ control events |
| `BinFactors` | $y_i\,g_i$ | one `Gamma` or `TruncatedNormal` for each bin |
| `Free` | $y\,k$ | none |

Factors $g$, $c$, $k$ are positive; their logarithms are the parameters, so that fits
need no bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from bsmfit.errors import InputError, UnknownNameError

__all__ = [
    "Asymmetric",
    "BinFactors",
    "Free",
    "Gamma",
    "LogNormal",
    "Morph",
    "Response",
    "Sideband",
    "TruncatedNormal",
    "Value",
]

# what users may give for an array of floats
Value: TypeAlias = ArrayLike | Sequence


def _floats(value: Value) -> Float[Array, " ..."]:
    """64-bit floats, traced or not."""
    return jnp.asarray(value, dtype=float)


class LogNormal(eqx.Module):
    r"""A factor $\kappa^\theta$: median 1, always positive, smooth at 0.

    Attributes:
        name: The nuisance.
        kappa: Factor of one standard deviation [1], > 0: 1.2 for 20 %. Below 1 the
            response is an anticorrelated one.
    """

    name: str = eqx.field(static=True)
    kappa: Float[Array, "*point"] = eqx.field(converter=_floats)


class Asymmetric(eqx.Module):
    """A factor that differs between up and down, smooth between.

    Attributes:
        name: The nuisance.
        up: Factor at +1 standard deviation [1], > 0.
        down: Factor at -1 standard deviation [1], > 0.
        interpolation: ``"code4"`` or ``"code1"`` (see
            `bsmfit.likelihood.interpolation`).
    """

    name: str = eqx.field(static=True)
    up: Float[Array, "*point"] = eqx.field(converter=_floats)
    down: Float[Array, "*point"] = eqx.field(converter=_floats)
    interpolation: str = eqx.field(static=True, default="code4")

    def __check_init__(self) -> None:
        _check_code(self.interpolation, ("code4", "code1"))


class TruncatedNormal(eqx.Module):
    r"""A Gaussian factor $1 + \delta\theta$, cut off at zero.

    Attributes:
        name: The nuisance.
        relative_error: $\delta$ [1], > 0.
    """

    name: str = eqx.field(static=True)
    relative_error: Float[Array, "*point"] = eqx.field(converter=_floats)


class Morph(eqx.Module):
    """A shape that moves between two others.

    Attributes:
        name: The nuisance.
        yields_up: Yields at +1 standard deviation [events per bin], >= 0.
        yields_down: Yields at -1 standard deviation [events per bin], >= 0.
        interpolation: ``"code4p"`` or ``"code0"``.
    """

    name: str = eqx.field(static=True)
    yields_up: Float[Array, "*point n_bin"] = eqx.field(converter=_floats)
    yields_down: Float[Array, "*point n_bin"] = eqx.field(converter=_floats)
    interpolation: str = eqx.field(static=True, default="code4p")

    def __check_init__(self) -> None:
        _check_code(self.interpolation, ("code4p", "code0"))


class Gamma(eqx.Module):
    r"""A gamma-distributed factor of mean 1, from a count of $1/\delta^2$ events.

    Attributes:
        name: The nuisance.
        relative_error: $\delta$ [1], > 0.
    """

    name: str = eqx.field(static=True)
    relative_error: Float[Array, "*point"] = eqx.field(converter=_floats)


class Sideband(eqx.Module):
    r"""A background measured in a control region.

    The yield of the term is the expected background *for each control event* (the
    transfer factor $1/\tau$), and the response is the expected number of control
    events. An average over the parameter takes its prior flat in the background.

    Attributes:
        name: The nuisance, and the control region.
        n_control: Events seen in the control region, >= 0.
    """

    name: str = eqx.field(static=True)
    n_control: Float[Array, "*point"] = eqx.field(converter=_floats)


class BinFactors(eqx.Module):
    """Independent factors for the bins of a region, for simulation statistics.

    Terms of one region that name the same factors share them. The parameters are called
    ``name[0]``, ``name[1]``, ...

    Attributes:
        name: The nuisances.
        relative_errors: Relative error in each bin [1], >= 0; 0 leaves a bin alone.
        constraint: ``"poisson"`` (as `Gamma`) or ``"normal"`` (as `TruncatedNormal`).
    """

    name: str = eqx.field(static=True)
    relative_errors: Float[Array, "*point n_bin"] = eqx.field(converter=_floats)
    constraint: str = eqx.field(static=True, default="poisson")

    def __check_init__(self) -> None:
        _check_code(self.constraint, ("poisson", "normal"))


class Free(eqx.Module):
    """A free normalisation, fixed by nothing but the data.

    Attributes:
        name: The parameter.
    """

    name: str = eqx.field(static=True)


Response: TypeAlias = (
    LogNormal
    | Asymmetric
    | TruncatedNormal
    | Morph
    | Gamma
    | Sideband
    | BinFactors
    | Free
)


def _check_code(given: str, allowed: tuple[str, ...]) -> None:
    """Refuse an interpolation or constraint that does not exist."""
    if not isinstance(given, str):
        msg = f"give one of {', '.join(allowed)}, not {given!r}"
        raise InputError(msg)
    if given not in allowed:
        kind = "choice"
        raise UnknownNameError.from_choices(kind, given, allowed)
