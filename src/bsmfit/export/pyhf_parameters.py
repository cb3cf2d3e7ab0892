r"""Which parameter of pyhf stands for which nuisance, and at what value.

A nuisance is written as one kind of parameter, decided here for all its responses:

| kind | written as | value in pyhf |
|---|---|---|
| ``alpha`` | normsys, histosys | $\theta$ |
| ``lumi`` | lumi | $1 + \delta\theta$ |
| ``staterror`` | staterror | $1 + \delta_i\theta_i$ |
| ``shapesys`` | shapesys | $e^{x_i}$ |
| ``shapefactor`` | the same for several terms, with a control channel | $e^{x_i}$ |
| ``control`` | normfactor and a control channel | $e^x$ over its scale |
| ``normfactor`` | normfactor | $e^x$ |

The decision depends on names and kinds of responses only, so that all points of a grid
have workspaces of one structure.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.argument import instance, real_number, text
from bsmfit.core.array_argument import real_array
from bsmfit.errors import InputError
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import (
    BinFactors,
    Free,
    Gamma,
    Response,
    Sideband,
    TruncatedNormal,
)

__all__ = ["PyhfParameter", "assign_parameters", "pyhf_constant", "pyhf_parameters"]

# error of a factor that stands for none, as in `bsmfit.likelihood.collect`
_NEGLIGIBLE_ERROR = 1e-4


@dataclass(frozen=True)
class PyhfParameter:
    """What a nuisance is written as.

    Attributes:
        kind: One of the kinds of this module's table.
        errors: Relative errors of factors, one for each bin where there are several.
        is_written: Where pyhf leaves a factor open; elsewhere it fixes it at 1.
        control_scale: Control events at which pyhf's factor is 1.
        name: pyhf's name of the parameter.
        region: The region of a staterror, where several regions have one of that name.
    """

    kind: str
    errors: np.ndarray
    is_written: np.ndarray
    control_scale: float = 1.0
    name: str = ""
    region: str = ""

    def control_counts(self) -> np.ndarray:
        """Events of the auxiliary measurements of factors, as in the dense form."""
        return np.where(self.errors > 0.0, self.errors, _NEGLIGIBLE_ERROR) ** -2.0


def pyhf_parameters(
    likelihood: Likelihood,
    strength: float | Float[Array, ""],
    parameters: Float[Array, " n_parameter"],
    *,
    strength_name: str = "mu",
) -> dict[str, list[float]]:
    """Map a parameter point to pyhf's parameters.

    For ``pyhf.Model`` of an exported workspace, and for the model of the workspace that
    a likelihood was imported from. Start from ``model.config.suggested_init()`` and put
    each entry into ``model.config.par_slice(name)``: parameters that pyhf fixes are not
    always known here.

    Args:
        likelihood: The likelihood, of one point.
        strength: Signal strength.
        parameters: Parameters in the order of `LikelihoodArrays.parameter_names`.
        strength_name: Name of the signal strength.

    Returns:
        Values by name of pyhf's parameter, one for each bin where there are several.
    """
    hint = "make one with bsmfit.Likelihood.from_regions([...])"
    instance("likelihood", likelihood, Likelihood, hint=hint)
    names = _parameter_names(likelihood)
    values = np.asarray(real_array("parameters", parameters))
    if values.shape != (len(names),):
        msg = (
            f"parameters has the shape {values.shape}; give one number for each of "
            f"{', '.join(names) or 'no parameter'}"
        )
        raise InputError(msg)
    point = dict(zip(names, values.tolist(), strict=True))
    result = {text("strength_name", strength_name): [real_number("strength", strength)]}
    uses = assign_parameters(likelihood)
    # pyhf joins the factors of one name in the order of its channels, by their names
    for name, use in sorted(uses.items(), key=lambda item: item[1].region):
        match use.kind:
            case "alpha":
                result[name] = [point[name]]
            case "lumi":
                result[name] = [1.0 + float(use.errors[0]) * point[name]]
            case "normfactor" | "control":
                result[name] = [math.exp(point[name]) / use.control_scale]
            case _:
                keys = [name] if name in point else _bin_names(name, use)
                x = np.array([point[key] for key in keys])
                is_normal = use.kind == "staterror"
                factors = 1.0 + use.errors * x if is_normal else np.exp(x)
                values = np.where(use.is_written, factors, 1.0).tolist()
                result[use.name] = [*result.get(use.name, []), *values]
    return result


def pyhf_constant(likelihood: Likelihood, *, has_fixed: bool = True) -> float:
    r"""$-\ln L$ of pyhf minus that of `LikelihoodArrays`, at the same parameters.

    pyhf's Gaussian constraints of factors are densities in the factor $1+\delta\theta$
    instead of in $\theta$: $\ln\delta$ for each staterror bin and for lumi. For a bin
    without error or without yield pyhf fixes the factor of a shapesys and constrains it
    by $\mathrm{Pois}(1|1)$; here it has its own constraint, taken at its maximum. A
    parameter that a measurement fixes is no parameter here, but pyhf keeps its
    constraint: $\ln\delta + \ln(2\pi)/2$ for a luminosity.

    Args:
        likelihood: The likelihood, of one point.
        has_fixed: Whether pyhf's workspace has the parameters that were fixed when the
            likelihood was imported: the imported one has, an exported one has not.

    Returns:
        The constant.
    """
    hint = "make it with Likelihood.from_regions"
    likelihood = instance("likelihood", likelihood, Likelihood, hint=hint)
    constant = sum((value for _, value in likelihood.fixed if has_fixed), 0.0)
    for use in assign_parameters(likelihood).values():
        if use.kind in ("staterror", "lumi"):
            constant += float(np.sum(np.log(use.errors[use.is_written])))
        if use.kind == "shapesys":
            for n in use.control_counts()[~use.is_written].tolist():
                constant += 1.0 - (n - n * math.log(n) + math.lgamma(n + 1.0))
    return constant


def assign_parameters(likelihood: Likelihood) -> dict[str, PyhfParameter]:
    """Decide for every nuisance what it is written as.

    Args:
        likelihood: The likelihood, of one point.

    Returns:
        The decision by name of the nuisance.
    """
    found: dict[str, list[tuple[Region, Term, Response]]] = {}
    for region in likelihood.regions:
        for term in (*region.signal, *region.background):
            for response in term.responses:
                found.setdefault(response.name, []).append((region, term, response))
    uses = {name: _assign(name, entries) for name, entries in found.items()}
    regions = {name: entries[0][0].name for name, entries in found.items()}
    names = {name: _pyhf_name(name, uses, regions) for name in uses}
    return {
        name: dataclasses.replace(
            use,
            name=names[name],
            region=regions[name] if names[name] != name else "",
        )
        for name, use in uses.items()
    }


def _pyhf_name(
    name: str, uses: Mapping[str, PyhfParameter], regions: Mapping[str, str]
) -> str:
    """Name of a parameter: a staterror ``name@region`` is that of its region."""
    base, _, region = name.rpartition("@")
    is_of_region = uses[name].kind == "staterror" and region == regions[name]
    return base if base and is_of_region and base not in uses else name


def _assign(
    name: str, entries: Sequence[tuple[Region, Term, Response]]
) -> PyhfParameter:
    region, _, first = entries[0]
    none, one = np.zeros(0), np.ones(1, bool)
    match first:
        case Free():
            return PyhfParameter("normfactor", none, one)
        case Sideband():
            return PyhfParameter("control", none, one, max(float(first.n_control), 1.0))
        case Gamma():
            error = np.atleast_1d(np.asarray(first.relative_error, float))
            if len(entries) > 1 or region.n_bin > 1:
                return PyhfParameter("control", error, one)
            return PyhfParameter(
                "shapesys", error, np.asarray(entries[0][1].yields) > 0.0
            )
        case BinFactors():
            total = np.sum([np.asarray(term.yields) for _, term, _ in entries], axis=0)
            errors = np.asarray(first.relative_errors, float)
            is_written = (errors > 0.0) & (total > 0.0)
            if first.constraint == "normal":
                return PyhfParameter("staterror", errors, is_written)
            if len(entries) == 1:
                return PyhfParameter("shapesys", errors, is_written)
            return PyhfParameter("shapefactor", errors, np.ones(errors.shape, bool))
        case _:
            linear = [r for *_, r in entries if isinstance(r, TruncatedNormal)]
            errors = np.array([float(r.relative_error) for r in linear])
            is_lumi = name == "lumi" and len(linear) == len(entries)
            if is_lumi and np.all(errors == errors[0]):
                return PyhfParameter("lumi", errors[:1], one)
            return PyhfParameter("alpha", none, one)


def _parameter_names(likelihood: Likelihood) -> tuple[str, ...]:
    """Names in the order of the dense form, which is traced and not computed."""
    return eqx.filter_eval_shape(Likelihood.arrays, likelihood).parameter_names


def _bin_names(name: str, use: PyhfParameter) -> list[str]:
    return [f"{name}[{index}]" for index in range(use.errors.size)]
