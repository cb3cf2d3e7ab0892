r"""Likelihoods from pyhf workspaces (HistFactory in JSON).

The samples that carry the parameter of interest become signal terms, the others
background. Every modifier becomes a response of the same name:

| modifier | response |
|---|---|
| normfactor | the signal strength, or `Free` |
| normsys | `Asymmetric`; `LogNormal` where code 1 is that |
| histosys | `Morph` |
| shapesys | `BinFactors`, poisson |
| staterror | `BinFactors`, normal, with the summed error of the channel |
| lumi | `TruncatedNormal` |

shapefactor is not supported. Of the measurement's parameter settings, those that change
the likelihood are honoured or refused: a fixed parameter is taken out at its value,
``sigmas`` of lumi and staterror are used, and auxiliary data must be where the modifier
has them by default. ``inits`` and ``bounds`` steer pyhf's fits, not the likelihood, and
are not read. Factors that can become negative in pyhf are cut off at zero here.

Parameters that agree are mapped by `bsmfit.export.pyhf_parameters.pyhf_parameters`.
pyhf is not needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from bsmfit.catalogue.files import display_path, read_text
from bsmfit.catalogue.schema_errors import join_keys
from bsmfit.core.argument import file_path
from bsmfit.errors import DataFileError, InputError, UnknownNameError
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import (
    Asymmetric,
    BinFactors,
    Free,
    LogNormal,
    Morph,
    Response,
    TruncatedNormal,
)
from bsmfit.records.strict_model import Items, StrictModel

__all__ = ["load_pyhf_workspace"]

_SUPPORTED = ("histosys", "lumi", "normfactor", "normsys", "shapesys", "staterror")
_CODES = {"normsys": ("code4", "code1"), "histosys": ("code4p", "code0")}
# value of the auxiliary measurement, at which a fixed parameter must be
_NOMINAL = {"normsys": 0.0, "histosys": 0.0, "lumi": 1.0, "staterror": 1.0}
_RECIPROCAL = 1e-12


class _Modifier(StrictModel):
    name: str
    type: str
    data: Any


class _Sample(StrictModel):
    name: str
    data: Items[float]
    modifiers: Items[_Modifier]


class _Channel(StrictModel):
    name: str
    samples: Items[_Sample]


class _Observation(StrictModel):
    name: str
    data: Items[float]


class _Parameter(StrictModel):
    name: str
    inits: Items[float] | None = None
    bounds: Items[Items[float]] | None = None
    auxdata: Items[float] | None = None
    factors: Items[float] | None = None
    sigmas: Items[float] | None = None
    fixed: bool = False


class _Config(StrictModel):
    poi: str
    parameters: Items[_Parameter]


class _Measurement(StrictModel):
    name: str
    config: _Config


class _Workspace(StrictModel):
    channels: Items[_Channel]
    measurements: Items[_Measurement]
    observations: Items[_Observation]
    version: str


def load_pyhf_workspace(
    source: Path | str | Mapping[str, Any],
    *,
    measurement: str | None = None,
    normsys: str = "code4",
    histosys: str = "code4p",
) -> Likelihood:
    """Read a pyhf workspace.

    How shifts and factors are interpolated is not part of a workspace. The defaults
    here are those of ``pyhf.Model``.

    Args:
        source: The JSON file, or its content.
        measurement: Name of the measurement; None: the first one.
        normsys: Interpolation of factors, ``"code4"`` or ``"code1"``.
        histosys: Interpolation of shapes, ``"code4p"`` or ``"code0"``.

    Returns:
        The likelihood, its regions in the order of the workspace.

    Raises:
        DataFileError: The file cannot be read, is not a workspace, or asks for
            something that is not supported; the message names the channel, the sample
            and the modifier.
        InputError: An interpolation code does not exist.
        UnknownNameError: There is no such measurement.

    Examples:
        >>> sample = {"name": "signal", "data": [2.5], "modifiers": [
        ...     {"name": "mu", "type": "normfactor", "data": None}]}
        >>> likelihood = load_pyhf_workspace({
        ...     "channels": [{"name": "sr", "samples": [sample]}],
        ...     "observations": [{"name": "sr", "data": [0]}],
        ...     "measurements": [
        ...         {"name": "limit", "config": {"poi": "mu", "parameters": []}}],
        ...     "version": "1.0.0",
        ... })
        >>> likelihood.regions[0].signal[0].name
        'signal'
    """
    for name, code in (("normsys", normsys), ("histosys", histosys)):
        if code not in _CODES[name]:
            allowed = " or ".join(repr(entry) for entry in _CODES[name])
            msg = f"{name} = {code!r}; give {allowed}"
            raise InputError(msg)
    origin, content = _read(source)
    workspace = _validate(origin, content)
    config = _config(origin, workspace, measurement)
    reader = _Reader(origin, workspace, config, normsys, histosys)
    regions = [reader.region(channel) for channel in workspace.channels]
    if not any(region.signal for region in regions):
        msg = (
            f"{origin}: no sample carries the parameter of interest {config.poi!r} as "
            "a normfactor"
        )
        raise DataFileError(msg)
    try:
        return Likelihood.from_regions(regions)
    except InputError as error:
        msg = f"{origin}: {error}"
        raise DataFileError(msg) from error


def _read(source: Path | str | Mapping[str, Any]) -> tuple[str, Any]:
    """Return what the workspace is called in messages, and its content."""
    if isinstance(source, Mapping):
        return "workspace", source
    path = file_path("source", source)
    origin = display_path(path)
    try:
        return origin, json.loads(read_text(path))
    except json.JSONDecodeError as error:
        msg = (
            f"{origin} is not JSON: line {error.lineno}, column {error.colno}: "
            f"{error.msg}"
        )
        raise DataFileError(msg) from error
    except RecursionError as error:
        msg = f"{origin} is not a workspace: it is nested too deeply"
        raise DataFileError(msg) from error


def _validate(origin: str, content: Any) -> _Workspace:
    """Check the structure, as pyhf's schema has it."""
    try:
        workspace = _Workspace.model_validate(content)
    except ValidationError as error:
        faults = [
            f"{join_keys(tuple(fault['loc'])) or 'the top level'}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        ]
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        msg = f"{origin} is not a pyhf workspace: {'; '.join(faults[:3])}{more}"
        raise DataFileError(msg) from error
    if workspace.version != "1.0.0":
        msg = f"{origin}: version {workspace.version!r}; only '1.0.0' can be read"
        raise DataFileError(msg)
    names = [channel.name for channel in workspace.channels]
    for observation in workspace.observations:
        if observation.name not in names:
            msg = f"{origin}: observed events of {observation.name!r}, not a channel"
            raise DataFileError(msg)
    for kind, entries in (
        ("channel", workspace.channels),
        ("observation", workspace.observations),
        ("measurement", workspace.measurements),
    ):
        _refuse_twice(origin, kind, [entry.name for entry in entries])
        if not entries:
            msg = f"{origin} has no {kind}"
            raise DataFileError(msg)
    return workspace


def _config(origin: str, workspace: _Workspace, measurement: str | None) -> _Config:
    """Return the settings of the measurement that was asked for."""
    names = [entry.name for entry in workspace.measurements]
    if measurement is not None and measurement not in names:
        kind = f"measurement of {origin}"
        raise UnknownNameError.from_choices(kind, measurement, names)
    chosen = workspace.measurements[names.index(measurement) if measurement else 0]
    where = f"{origin}, measurement {chosen.name!r}"
    _refuse_twice(where, "parameter", [p.name for p in chosen.config.parameters])
    for parameter in chosen.config.parameters:
        if parameter.name == chosen.config.poi and parameter.fixed:
            msg = f"{where}: the parameter of interest {parameter.name!r} is fixed"
            raise DataFileError(msg)
    return chosen.config


@dataclass
class _Reader:
    """Reads channels, and remembers which names belong to one channel only."""

    origin: str
    workspace: _Workspace
    config: _Config
    normsys: str
    histosys: str
    owners: dict[str, str] = field(default_factory=dict)

    def region(self, channel: _Channel) -> Region:
        """Turn one channel into a region."""
        where = f"{self.origin}, channel {channel.name!r}"
        observed = {entry.name: entry.data for entry in self.workspace.observations}
        if channel.name not in observed:
            msg = f"{where}: there are no observed events for it"
            raise DataFileError(msg)
        counts = observed[channel.name]
        _refuse_twice(where, "sample", [sample.name for sample in channel.samples])
        signal, background = [], []
        for sample in channel.samples:
            inside = f"{where}, sample {sample.name!r}"
            if len(sample.data) != len(counts):
                msg = f"{inside}: {len(sample.data)} bins, but {len(counts)} observed"
                raise DataFileError(msg)
            kinds = [f"{entry.type} {entry.name!r}" for entry in sample.modifiers]
            _refuse_twice(inside, "modifier", kinds)
            term = self._term(inside, channel, sample)
            is_signal = any(m.name == self.config.poi for m in sample.modifiers)
            (signal if is_signal else background).append(term)
        return Region(channel.name, np.array(counts), signal, background)

    def _term(self, where: str, channel: _Channel, sample: _Sample) -> Term:
        """Turn one sample into a term."""
        scale = 1.0
        responses: list[Response] = []
        for modifier in sample.modifiers:
            inside = f"{where}, modifier {modifier.name!r} ({modifier.type})"
            if modifier.type not in _SUPPORTED:
                msg = f"{inside} is not supported; allowed are {', '.join(_SUPPORTED)}"
                raise DataFileError(msg)
            if modifier.name == self.config.poi:
                if modifier.type != "normfactor":
                    msg = f"{inside}: the parameter of interest must be a normfactor"
                    raise DataFileError(msg)
                continue
            parameter = self._parameter(inside, modifier)
            if modifier.type == "normfactor":
                if parameter.fixed:
                    scale *= _fixed_factor(inside, parameter)
                else:
                    responses.append(Free(modifier.name))
                continue
            response = self._response(inside, channel, sample, modifier, parameter)
            if not _is_fixed(inside, modifier, parameter):
                responses.append(response)
        if scale != 1.0:
            responses = [_scaled(response, scale) for response in responses]
        return Term(sample.name, scale * np.array(sample.data), responses)

    def _parameter(self, where: str, modifier: _Modifier) -> _Parameter:
        """Return the settings of a parameter; refuse auxiliary data that moved."""
        known = {entry.name: entry for entry in self.config.parameters}
        parameter = known.get(modifier.name, _Parameter(name=modifier.name))
        nominal = _NOMINAL.get(modifier.type)
        given = parameter.auxdata
        if given is not None and nominal is not None and set(given) != {nominal}:
            msg = (
                f"{where}: auxdata {list(given)} in the measurement; only {nominal:g} "
                "can be read"
            )
            raise DataFileError(msg)
        can_set = {
            "lumi": ("auxdata", "sigmas"),
            "staterror": ("auxdata", "sigmas"),
            "shapesys": ("auxdata", "factors"),
            "normsys": ("auxdata",),
            "histosys": ("auxdata",),
        }.get(modifier.type, ())
        for key in ("auxdata", "sigmas", "factors"):
            if key not in can_set and getattr(parameter, key) is not None:
                msg = f"{where} has no {key}, but the measurement sets them"
                raise DataFileError(msg)
        return parameter

    def _response(
        self,
        where: str,
        channel: _Channel,
        sample: _Sample,
        modifier: _Modifier,
        parameter: _Parameter,
    ) -> Response:
        """Turn one modifier into a response."""
        name, n_bin = modifier.name, len(sample.data)
        match modifier.type:
            case "normsys":
                high, low = _pair(where, modifier.data, ("hi", "lo"))
                if not (_is_positive(high) and _is_positive(low)):
                    msg = f"{where}: hi = {high}, lo = {low}; both must be above 0"
                    raise DataFileError(msg)
                is_log_normal = abs(high * low - 1.0) < _RECIPROCAL
                if self.normsys == "code1" and is_log_normal:
                    return LogNormal(name, float(high))
                return Asymmetric(name, float(high), float(low), self.normsys)
            case "histosys":
                shapes = _pair(where, modifier.data, ("hi_data", "lo_data"))
                high, low = (_bins(where, shape, n_bin) for shape in shapes)
                return Morph(name, high, low, self.histosys)
            case "lumi":
                sigmas = parameter.sigmas or ()
                if name != "lumi" or parameter.auxdata is None or len(sigmas) != 1:
                    msg = (
                        f"{where}: it must be called 'lumi', and the measurement must "
                        "set its auxdata and one sigma (sigmas)"
                    )
                    raise DataFileError(msg)
                return TruncatedNormal(name, sigmas[0])
            case "shapesys":
                self._own(where, name, f"{channel.name}/{sample.name}", "sample")
                errors = _bins(where, modifier.data, n_bin)
                return _shapesys(where, name, np.array(sample.data), errors, parameter)
            case _:
                self._own(where, name, channel.name, "channel")
                return self._staterror(where, channel, name, parameter)

    def _staterror(
        self, where: str, channel: _Channel, name: str, parameter: _Parameter
    ) -> BinFactors:
        """Sum errors and yields of the samples that share a staterror."""
        n_bin = len(channel.samples[0].data)
        variance, total = np.zeros(n_bin), np.zeros(n_bin)
        for sample in channel.samples:
            for modifier in sample.modifiers:
                if (modifier.type, modifier.name) == ("staterror", name):
                    variance += _bins(where, modifier.data, n_bin) ** 2
                    total += np.array(sample.data)
        is_open = total > 0.0
        errors = np.sqrt(variance) / np.where(is_open, total, 1.0)
        errors = np.where(is_open, errors, 0.0)
        if parameter.sigmas is not None:
            errors = _bins(where, list(parameter.sigmas), n_bin)
        return BinFactors(name, errors, "normal")

    def _own(self, where: str, name: str, owner: str, kind: str) -> None:
        """Refuse factors for bins that two channels or samples share."""
        if self.owners.setdefault(name, owner) != owner:
            msg = (
                f"{where}: {self.owners[name]} has factors of the same name; give "
                f"every {kind} its own"
            )
            raise DataFileError(msg)


def _shapesys(
    where: str,
    name: str,
    yields: np.ndarray,
    errors: np.ndarray,
    parameter: _Parameter,
) -> BinFactors:
    """Factors with Poisson constraints, none where a yield or its error is zero."""
    is_open = (yields > 0.0) & (errors > 0.0)
    relative = np.where(is_open, errors / np.where(is_open, yields, 1.0), 0.0)
    counts = np.where(is_open, 1.0 / np.where(is_open, relative, 1.0) ** 2, 1.0)
    for given in (parameter.auxdata, parameter.factors):
        if given is not None and not (
            len(given) == counts.size and np.allclose(given, counts, rtol=1e-9, atol=0)
        ):
            msg = (
                f"{where}: the measurement sets auxdata or factors to {list(given)}; "
                f"only those of the modifier itself can be read, {counts.tolist()}"
            )
            raise DataFileError(msg)
    return BinFactors(name, relative, "poisson")


def _is_fixed(where: str, modifier: _Modifier, parameter: _Parameter) -> bool:
    """Whether a parameter is taken out; only where its auxiliary data say so."""
    nominal = _NOMINAL.get(modifier.type, 1.0)
    if not parameter.fixed:
        return False
    if parameter.inits is not None and set(parameter.inits) != {nominal}:
        msg = (
            f"{where} is fixed at {list(parameter.inits)}; only {nominal:g} can be read"
        )
        raise DataFileError(msg)
    return True


def _fixed_factor(where: str, parameter: _Parameter) -> float:
    """Value of a normfactor that is fixed."""
    value = 1.0 if parameter.inits is None else parameter.inits[0]
    if value < 0.0:
        msg = f"{where} is fixed at {value:g}; it must be 0 or above"
        raise DataFileError(msg)
    return value


def _scaled(response: Response, scale: float) -> Response:
    """A response of yields that a fixed factor multiplies."""
    if not isinstance(response, Morph):
        return response
    up = scale * np.asarray(response.yields_up)
    down = scale * np.asarray(response.yields_down)
    return Morph(response.name, up, down, response.interpolation)


def _pair(where: str, data: Any, keys: tuple[str, str]) -> tuple[Any, Any]:
    """The two values of a modifier with an up and a down side."""
    if not isinstance(data, Mapping) or set(data) != set(keys):
        msg = f"{where}: data must hold {keys[0]} and {keys[1]} and nothing else"
        raise DataFileError(msg)
    return data[keys[0]], data[keys[1]]


def _bins(where: str, data: Any, n_bin: int) -> np.ndarray:
    """Numbers at or above zero, one for each bin."""
    is_list = isinstance(data, Sequence) and not isinstance(data, str)
    if not is_list or len(data) != n_bin:
        given = f"{len(data)} entries" if is_list else f"{data!r}"
        msg = f"{where}: data must be {n_bin} numbers, not {given}"
        raise DataFileError(msg)
    for value in data:
        if not (_is_positive(value) or value == 0):
            msg = f"{where}: {value!r} is not a number at or above 0"
            raise DataFileError(msg)
    return np.array(data, float)


def _is_positive(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0.0 < value < np.inf


def _refuse_twice(where: str, kind: str, names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            msg = f"{where}: {kind} {name} occurs twice"
            raise DataFileError(msg)
