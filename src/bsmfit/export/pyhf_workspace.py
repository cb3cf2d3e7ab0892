r"""Likelihoods as pyhf workspaces (HistFactory in JSON).

| response | written as |
|---|---|
| `LogNormal`, `Asymmetric` | normsys, hi = $\kappa_+$, lo = $\kappa_-$ |
| `Morph` | histosys |
| `TruncatedNormal` | lumi if it has that name, else a linear histosys |
| `BinFactors`, normal | staterror |
| `BinFactors`, poisson; `Gamma` of one bin | shapesys |
| `Gamma` and poisson `BinFactors` of several terms | channel of $1/\delta^2$ events |
| `Sideband` | a control channel and a normfactor |
| `Free` | normfactor |

`to_pyhf_workspace` also returns where HistFactory differs from this package's
likelihood, and by how much. `bsmfit.export.pyhf_parameters` maps a point of the
parameters. Partial correlations and event densities have no counterpart and are
refused.

Nothing here needs pyhf. Where it is installed, what is made is checked against its
schema.
"""

from __future__ import annotations

import importlib.util
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from bsmfit.core.argument import choice, file_path, instance, text
from bsmfit.errors import InputError, OutputError
from bsmfit.export.pyhf_differences import PyhfDifference, find_differences
from bsmfit.export.pyhf_parameters import PyhfParameter, assign_parameters
from bsmfit.likelihood.likelihood import Likelihood, point_shape
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import (
    Asymmetric,
    BinFactors,
    Gamma,
    LogNormal,
    Morph,
    Response,
    Sideband,
    TruncatedNormal,
)
from bsmfit.scan.atomic import atomic_file

__all__ = [
    "VERSION",
    "Json",
    "PyhfExport",
    "WorkspaceWriter",
    "check_export",
    "to_pyhf_workspace",
    "validate_pyhf",
    "write_pyhf",
]

Json = dict[str, Any]

VERSION = "1.0.0"
"""Version of pyhf's schemas."""
# pyhf's own bounds of positive factors: away from the logarithm of zero
_POSITIVE = (1e-10, 10.0)


@dataclass(frozen=True)
class PyhfExport:
    """A workspace and how it differs from the likelihood.

    Attributes:
        workspace: The workspace, ready for `json` or ``pyhf.Workspace``.
        differences: Every response that HistFactory evaluates otherwise.
    """

    workspace: Json
    differences: tuple[PyhfDifference, ...]


def to_pyhf_workspace(
    likelihood: Likelihood,
    *,
    strength_name: str = "mu",
    measurement: str = "bsmfit",
    normsys: str = "code4",
) -> PyhfExport:
    r"""Write a likelihood of one point as a pyhf workspace.

    A log-normal factor $\kappa^\theta$ becomes a normsys, which pyhf by default reads
    with its code 4: the same for $|\theta|\ge1$, a polynomial between. The workspace
    does not say how it is read, ``pyhf.Model`` does; with ``interpcode: "code1"`` there
    a log-normal factor is exact.

    Args:
        likelihood: The likelihood.
        strength_name: Name of the signal strength.
        measurement: Name of the measurement.
        normsys: The code by which the reader interpolates factors, ``"code4"`` (pyhf's
            default) or ``"code1"``: it decides which differences are reported.

    Returns:
        The workspace and its differences.

    Raises:
        InputError: HistFactory cannot express something; the message names it.

    Examples:
        >>> likelihood = Likelihood.from_regions(
        ...     [Region("sr", 3, [Term("signal", 4.0)], [Term("fakes", 2.0)])]
        ... )
        >>> workspace = to_pyhf_workspace(likelihood).workspace
        >>> workspace["observations"]
        [{'name': 'sr', 'data': [3.0]}]
    """
    check_export(likelihood, strength_name, measurement, normsys)
    if (shape := point_shape(likelihood)) != ():
        msg = (
            f"the likelihood has grid axes {shape}, a workspace is one point: use "
            "to_pyhf_patchset, or index the arrays"
        )
        raise InputError(msg)
    likelihood = jax.tree.map(np.asarray, likelihood)
    writer = WorkspaceWriter(likelihood, strength_name, normsys)
    workspace = writer.workspace(measurement)
    if importlib.util.find_spec("pyhf") is not None:
        validate_pyhf(workspace, "workspace")
    return PyhfExport(workspace, tuple(writer.differences))


def check_export(
    likelihood: object, strength_name: object, measurement: object, normsys: object
) -> None:
    """Refuse what cannot be written as a workspace for its type.

    Args:
        likelihood: What was given for a likelihood.
        strength_name: Name of the signal strength.
        measurement: Name of the measurement.
        normsys: How factors are interpolated.

    Raises:
        InputError: It is no likelihood, or a name or code is none.
    """
    hint = "make one with bsmfit.Likelihood.from_regions([...])"
    instance("likelihood", likelihood, Likelihood, hint=hint)
    text("strength_name", strength_name)
    text("measurement", measurement)
    choice("normsys", normsys, ("code4", "code1"))


def validate_pyhf(document: Json, schema: str) -> None:
    """Check a workspace or patch set against pyhf's schema.

    Args:
        document: What is to be checked.
        schema: ``"workspace"`` or ``"patchset"``.

    Raises:
        InputError: pyhf is not installed, or the document does not follow the schema.
    """
    try:
        import pyhf.exceptions
        import pyhf.schema
    except ImportError as error:
        msg = "checking against pyhf's schema needs pyhf: pip install 'bsmfit[pyhf]'"
        raise InputError(msg) from error
    try:
        pyhf.schema.validate(document, f"{schema}.json")
    except pyhf.exceptions.InvalidSpecification as error:
        msg = f"this is not a pyhf {schema}: {str(error).strip()}"
        raise InputError(msg) from error


def write_pyhf(document: Json, path: Path | str) -> None:
    """Write a workspace or patch set as JSON, whole or not at all.

    Args:
        document: The workspace or patch set.
        path: The file; its folder must exist.

    Raises:
        OutputError: The file cannot be written, or a number is not finite.
    """
    path = file_path("path", path)
    instance("document", document, dict, hint="give what to_pyhf_workspace returned")
    try:
        content = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        msg = f"cannot write {path}: {error}"
        raise OutputError(msg) from error
    with atomic_file(path) as temporary:
        temporary.write_text(content + "\n", encoding="utf-8")


class WorkspaceWriter:
    """Writes the channels of a likelihood and notes what differs."""

    def __init__(
        self, likelihood: Likelihood, strength_name: str, normsys: str
    ) -> None:
        _refuse_unknown(likelihood, strength_name)
        self.likelihood = likelihood
        self.strength_name = strength_name
        self.normsys = normsys
        self.uses = assign_parameters(likelihood)
        self.differences: list[PyhfDifference] = []

    def workspace(self, measurement: str) -> Json:
        """Write all channels.

        Args:
            measurement: Name of the measurement.

        Returns:
            The workspace.
        """
        channels = [self._channel(region) for region in self.likelihood.regions]
        observations = [
            {"name": region.name, "data": _floats(region.observed)}
            for region in self.likelihood.regions
        ]
        parameters: list[Json] = []
        names = {channel["name"] for channel in channels}
        for name, use in self.uses.items():
            if use.kind == "lumi":
                parameters.append(_lumi_parameter(float(use.errors[0])))
            if use.kind in ("control", "shapefactor"):
                channel = name
                while channel in names:
                    channel += "_control"
                observed, expected = self._control(name, use)
                kind = "normfactor" if use.kind == "control" else "shapefactor"
                modifier = {"name": name, "type": kind, "data": None}
                sample = {"name": channel, "data": expected, "modifiers": [modifier]}
                channels.append({"name": channel, "samples": [sample]})
                observations.append({"name": channel, "data": observed})
                bounds = [list(_POSITIVE) for _ in expected]
                parameters.append({"name": name, "bounds": bounds})
                names.add(channel)
        config = {"poi": self.strength_name, "parameters": parameters}
        return {
            "channels": channels,
            "observations": observations,
            "measurements": [{"name": measurement, "config": config}],
            "version": VERSION,
        }

    def _control(
        self, name: str, use: PyhfParameter
    ) -> tuple[list[float], list[float]]:
        """Observed counts, and those expected at a factor of 1, of a control region."""
        for region in self.likelihood.regions:
            for term in (*region.signal, *region.background):
                for response in term.responses:
                    if response.name == name and isinstance(response, Sideband):
                        return [float(response.n_control)], [use.control_scale]
        counts = _floats(use.control_counts())
        return counts, counts

    def _channel(self, region: Region) -> Json:
        samples = [
            self._sample(region, term, is_signal=is_signal)
            for is_signal, terms in ((True, region.signal), (False, region.background))
            for term in terms
        ]
        return {"name": region.name, "samples": samples}

    def _sample(self, region: Region, term: Term, *, is_signal: bool) -> Json:
        modifiers: list[Json] = []
        if is_signal:
            name = self.strength_name
            modifiers.append({"name": name, "type": "normfactor", "data": None})
        scale = self._scale(term)
        yields = scale * np.asarray(term.yields)
        _refuse_products(region, term, self.uses)
        for response in term.responses:
            kind, data = self._modifier(region, term, response, scale)
            written = self.uses[response.name].name
            modifiers.append({"name": written, "type": kind, "data": data})
            self.differences += find_differences(
                region, term, response, normsys=self.normsys
            )
        return {"name": term.name, "data": _floats(yields), "modifiers": modifiers}

    def _modifier(
        self, region: Region, term: Term, response: Response, scale: float
    ) -> tuple[str, Any]:
        """Type and data of the modifier of one response."""
        yields = scale * np.asarray(term.yields)
        use = self.uses[response.name]
        match response:
            case LogNormal():
                kappa = float(response.kappa)
                return "normsys", {"hi": kappa, "lo": 1.0 / kappa}
            case Asymmetric():
                data = {"hi": float(response.up), "lo": float(response.down)}
                return "normsys", data
            case TruncatedNormal() if use.kind == "lumi":
                return "lumi", None
            case TruncatedNormal():
                error = float(response.relative_error)
                up, down = yields * (1.0 + error), yields * (1.0 - error)
                return "histosys", {"hi_data": _floats(up), "lo_data": _floats(down)}
            case Morph():
                up = scale * np.asarray(response.yields_up)
                down = scale * np.asarray(response.yields_down)
                return "histosys", {"hi_data": _floats(up), "lo_data": _floats(down)}
            case BinFactors() if use.kind == "staterror":
                total = self._total(region, response.name)
                return "staterror", _floats(use.errors * np.sqrt(total * yields))
            case BinFactors() | Gamma() if use.kind == "shapesys":
                return "shapesys", _floats(use.errors * yields)
            case BinFactors():
                return "shapefactor", None
            case _:
                return "normfactor", None

    def _total(self, region: Region, name: str) -> np.ndarray:
        """Yields of the samples that share a staterror, as they are written."""
        total = np.zeros(region.n_bin)
        for term in (*region.signal, *region.background):
            if any(response.name == name for response in term.responses):
                total = total + self._scale(term) * np.asarray(term.yields)
        return total

    def _scale(self, term: Term) -> float:
        """Control events for which the yield of a term is written, 1 without any."""
        return math.prod(
            (self.uses[response.name].control_scale for response in term.responses),
            start=1.0,
        )


def _refuse_unknown(likelihood: Likelihood, strength_name: str) -> None:
    """Refuse what HistFactory has no counterpart for."""
    names: dict[str, str] = {}
    for region in likelihood.regions:
        if region.events is not None:
            msg = (
                f"region {region.name!r} has densities of single events, which "
                "HistFactory cannot express; export its count without them"
            )
            raise InputError(msg)
        for term in (*region.signal, *region.background):
            for response in term.responses:
                where = f"region {region.name!r}, term {term.name!r}"
                names.setdefault(response.name, where)
                is_normal = (
                    isinstance(response, BinFactors) and response.constraint == "normal"
                )
                if is_normal and "/" in response.name:
                    msg = (
                        f"{where}: pyhf cannot read a staterror with '/' in its name "
                        f"({response.name!r}); rename it"
                    )
                    raise InputError(msg)
    for pair in likelihood.correlated:
        msg = (
            f"nuisances {pair[0]!r} ({names[pair[0]]}) and {pair[1]!r} "
            f"({names[pair[1]]}) are partially correlated, which HistFactory cannot "
            "express; give them one name or none in common"
        )
        raise InputError(msg)
    if strength_name in names:
        msg = (
            f"{strength_name!r} is also a nuisance ({names[strength_name]}); choose "
            "another strength_name"
        )
        raise InputError(msg)
    if not any(region.signal for region in likelihood.regions):
        msg = "no region has a signal term, so that nothing carries the strength"
        raise InputError(msg)


def _refuse_products(
    region: Region, term: Term, uses: dict[str, PyhfParameter]
) -> None:
    """HistFactory adds shifts where Gaussian factors multiply."""
    shifts = [
        response
        for response in term.responses
        if isinstance(response, Morph | TruncatedNormal)
        and uses[response.name].kind != "lumi"
    ]
    linear = [r.name for r in shifts if isinstance(r, TruncatedNormal)]
    if linear and len(shifts) > 1:
        msg = (
            f"region {region.name!r}, term {term.name!r}: the Gaussian factor "
            f"{linear[0]!r} multiplies another Gaussian factor or moving shape, which "
            "HistFactory cannot express; use LogNormal, or the name 'lumi' for one "
            "relative error that is the same wherever it acts"
        )
        raise InputError(msg)


def _lumi_parameter(error: float) -> Json:
    return {
        "name": "lumi",
        "auxdata": [1.0],
        "sigmas": [error],
        "inits": [1.0],
        "bounds": [list(_POSITIVE)],
    }


def _floats(values: object) -> list[float]:
    return np.atleast_1d(np.asarray(values, float)).tolist()
