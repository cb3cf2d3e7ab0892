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
from functools import partial
from typing import TypeAlias

import equinox as eqx
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from bsmfit.core.argument import choice, instances, text
from bsmfit.core.array_argument import real_array

__all__ = [
    "Asymmetric",
    "BinFactors",
    "Free",
    "Gamma",
    "LogNormal",
    "Morph",
    "NamedResponse",
    "Response",
    "Sideband",
    "TruncatedNormal",
    "Value",
    "response_list",
]

# what users may give for an array of floats
Value: TypeAlias = ArrayLike | Sequence


class NamedResponse(eqx.Module):
    """What every response has.

    Attributes:
        name: The nuisance.
    """

    name: str = eqx.field(static=True)

    def __check_init__(self) -> None:
        text("name of a nuisance", self.name)


class LogNormal(NamedResponse):
    r"""A factor $\kappa^\theta$: median 1, always positive, smooth at 0.

    Attributes:
        name: The nuisance.
        kappa: Factor of one standard deviation [1], > 0: 1.2 for 20 %. Below 1 the
            response is an anticorrelated one.
    """

    kappa: Float[Array, "*point"] = eqx.field(converter=partial(real_array, "kappa"))


class Asymmetric(NamedResponse):
    """A factor that differs between up and down, smooth between.

    Attributes:
        name: The nuisance.
        up: Factor at +1 standard deviation [1], > 0.
        down: Factor at -1 standard deviation [1], > 0.
        interpolation: ``"code4"`` or ``"code1"`` (see
            `bsmfit.likelihood.interpolation`).
    """

    up: Float[Array, "*point"] = eqx.field(converter=partial(real_array, "up"))
    down: Float[Array, "*point"] = eqx.field(converter=partial(real_array, "down"))
    interpolation: str = eqx.field(static=True, default="code4")

    def __check_init__(self) -> None:
        _check_code(self.interpolation, ("code4", "code1"))


class TruncatedNormal(NamedResponse):
    r"""A Gaussian factor $1 + \delta\theta$, cut off at zero.

    Attributes:
        name: The nuisance.
        relative_error: $\delta$ [1], > 0.
    """

    relative_error: Float[Array, "*point"] = eqx.field(
        converter=partial(real_array, "relative_error")
    )


class Morph(NamedResponse):
    """A shape that moves between two others.

    Attributes:
        name: The nuisance.
        yields_up: Yields at +1 standard deviation [events per bin], >= 0.
        yields_down: Yields at -1 standard deviation [events per bin], >= 0.
        interpolation: ``"code4p"`` or ``"code0"``.
    """

    yields_up: Float[Array, "*point n_bin"] = eqx.field(
        converter=partial(real_array, "yields_up")
    )
    yields_down: Float[Array, "*point n_bin"] = eqx.field(
        converter=partial(real_array, "yields_down")
    )
    interpolation: str = eqx.field(static=True, default="code4p")

    def __check_init__(self) -> None:
        _check_code(self.interpolation, ("code4p", "code0"))


class Gamma(NamedResponse):
    r"""A gamma-distributed factor of mean 1, from a count of $1/\delta^2$ events.

    Attributes:
        name: The nuisance.
        relative_error: $\delta$ [1], > 0.
    """

    relative_error: Float[Array, "*point"] = eqx.field(
        converter=partial(real_array, "relative_error")
    )


class Sideband(NamedResponse):
    r"""A background measured in a control region.

    The yield of the term is the expected background *for each control event* (the
    transfer factor $1/\tau$), and the response is the expected number of control
    events. An average over the parameter takes its prior flat in the background.

    Attributes:
        name: The nuisance, and the control region.
        n_control: Events seen in the control region, >= 0.
    """

    n_control: Float[Array, "*point"] = eqx.field(
        converter=partial(real_array, "n_control")
    )


class BinFactors(NamedResponse):
    """Independent factors for the bins of a region, for simulation statistics.

    Terms of one region that name the same factors share them. The parameters are called
    ``name[0]``, ``name[1]``, ...

    Attributes:
        name: The nuisances.
        relative_errors: Relative error in each bin [1], >= 0; 0 leaves a bin alone.
        constraint: ``"poisson"`` (as `Gamma`) or ``"normal"`` (as `TruncatedNormal`).
    """

    relative_errors: Float[Array, "*point n_bin"] = eqx.field(
        converter=partial(real_array, "relative_errors")
    )
    constraint: str = eqx.field(static=True, default="poisson")

    def __check_init__(self) -> None:
        _check_code(self.constraint, ("poisson", "normal"))


class Free(NamedResponse):
    """A free normalisation, fixed by nothing but the data.

    Attributes:
        name: The parameter.
    """


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


def response_list(responses: object) -> tuple[Response, ...]:
    """The responses of a term, checked to be such.

    Args:
        responses: What was given for them.

    Returns:
        The responses.

    Raises:
        InputError: It is no list, or an entry is something else.
    """
    hint = 'write [LogNormal("name", 1.2)] or another response'
    return instances("responses", responses, NamedResponse, hint=hint)  # pyright: ignore[reportReturnType] all responses derive from it


def _check_code(given: str, allowed: tuple[str, ...]) -> None:
    """Refuse an interpolation or constraint that does not exist."""
    choice("choice", given, allowed)
