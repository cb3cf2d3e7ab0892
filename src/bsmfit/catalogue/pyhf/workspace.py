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

A staterror of one name in several channels has its own parameter for every bin of all
of them: its nuisances are called ``name@channel`` here. shapefactor is not supported.
Of the measurement's parameter settings, those that change the likelihood are honoured
or refused: a fixed parameter is taken out at its value, ``sigmas`` of lumi and
staterror are used, and auxiliary data must be where the modifier has them by default.
``inits`` and ``bounds`` steer pyhf's fits, not the likelihood, and are not read.
Factors that can become negative in pyhf are cut off at zero here. Observed counts need
not be whole: they are kept as they are.

Parameters that agree are mapped by `bsmfit.export.pyhf_parameters.pyhf_parameters`.
pyhf is not needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bsmfit.catalogue.arguments import shown
from bsmfit.catalogue.pyhf.fixed import (
    constraint_at_nominal,
    fixed_factor,
    is_fixed,
)
from bsmfit.catalogue.pyhf.modifiers import (
    CODES,
    SUPPORTED,
    check_settings,
    numbers_in_bins,
    read_histosys,
    read_lumi,
    read_normsys,
    read_shapesys,
    scaled,
)
from bsmfit.catalogue.pyhf.schema import (
    ChannelEntry,
    ConfigEntry,
    ModifierEntry,
    ParameterEntry,
    SampleEntry,
    WorkspaceContent,
    find_config,
    read_workspace,
    refuse_twice,
)
from bsmfit.errors import DataFileError, InputError
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.prefix import with_prefix
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import BinFactors, Free, Response

__all__ = ["load_pyhf_workspace"]


def load_pyhf_workspace(
    source: Path | str | Mapping[str, Any],
    *,
    measurement: str | None = None,
    normsys: str = "code4",
    histosys: str = "code4p",
    prefix: str = "",
    shared: Sequence[str] = (),
) -> Likelihood:
    """Read a pyhf workspace.

    How shifts and factors are interpolated is not part of a workspace. The defaults
    here are those of ``pyhf.Model``.

    Args:
        source: The JSON file, or its content.
        measurement: Name of the measurement; None: the first one.
        normsys: Interpolation of factors, ``"code4"`` or ``"code1"``.
        histosys: Interpolation of shapes, ``"code4p"`` or ``"code0"``.
        prefix: Put before the names of regions and nuisances, with an underscore, so
            that two workspaces can be combined; nothing where it is empty.
        shared: Nuisances that keep their names, to be common to several workspaces.

    Returns:
        The likelihood, its regions in the order of the workspace.

    Raises:
        DataFileError: The file cannot be read, is not a workspace, or asks for
            something that is not supported; the message names the channel, the sample
            and the modifier.
        InputError: An interpolation code or a source is of another kind.
        UnknownNameError: There is no such measurement or nuisance.

    Examples:
        >>> sample = {"name": "signal", "data": [2.5], "modifiers": [
        ...     {"name": "mu", "type": "normfactor", "data": None}]}
        >>> likelihood = load_pyhf_workspace({
        ...     "channels": [{"name": "sr", "samples": [sample]}],
        ...     "observations": [{"name": "sr", "data": [0]}],
        ...     "measurements": [
        ...         {"name": "limit", "config": {"poi": "mu", "parameters": []}}],
        ...     "version": "1.0.0",
        ... }, prefix="ours")
        >>> likelihood.regions[0].name, likelihood.regions[0].signal[0].name
        ('ours_sr', 'signal')
    """
    for name, code in (("normsys", normsys), ("histosys", histosys)):
        if code not in CODES[name]:
            allowed = " or ".join(repr(entry) for entry in CODES[name])
            msg = f"{name} = {shown(code)}; give {allowed}"
            raise InputError(msg)
    origin, workspace = read_workspace(source)
    config = find_config(origin, workspace, measurement)
    reader = _Reader(
        origin, workspace, config, {"normsys": normsys, "histosys": histosys}
    )
    regions = [reader.region(channel) for channel in workspace.channels]
    if not any(region.signal for region in regions):
        msg = (
            f"{origin}: no sample carries the parameter of interest "
            f"{shown(config.poi)} as a normfactor; add it to the signal samples, or "
            "choose another measurement"
        )
        raise DataFileError(msg)
    try:
        likelihood = Likelihood.from_regions(regions)
    except InputError as error:
        msg = f"{origin}: {error}"
        raise DataFileError(msg) from error
    likelihood = dataclasses.replace(likelihood, fixed=tuple(reader.fixed.items()))
    return with_prefix(likelihood, prefix, shared=shared)


class _Reader:
    """Reads channels, and remembers which names belong to one channel only."""

    def __init__(
        self,
        origin: str,
        workspace: WorkspaceContent,
        config: ConfigEntry,
        codes: Mapping[str, str],
    ) -> None:
        self.origin = origin
        self.poi = config.poi
        self.codes = codes
        self.settings = {entry.name: entry for entry in config.parameters}
        self.observed = {entry.name: entry.data for entry in workspace.observations}
        self.fixed: dict[str, float] = {}
        self._owners: dict[str, str] = {}
        # channels of each staterror, in the order of pyhf's parameters
        self._staterrors: dict[str, dict[str, int]] = {}
        for channel in sorted(workspace.channels, key=lambda entry: entry.name):
            for sample in channel.samples:
                for modifier in sample.modifiers:
                    if modifier.type == "staterror":
                        bins = self._staterrors.setdefault(modifier.name, {})
                        bins[channel.name] = len(sample.data)

    def region(self, channel: ChannelEntry) -> Region:
        """Turn one channel into a region."""
        where = f"{self.origin}, channel {shown(channel.name)}"
        if channel.name not in self.observed:
            msg = (
                f"{where}: there are no observed events for it; add them to the "
                "observations"
            )
            raise DataFileError(msg)
        counts = self.observed[channel.name]
        refuse_twice(where, "sample", [sample.name for sample in channel.samples])
        signal, background = [], []
        errors: dict[str, np.ndarray] = {}
        for sample in channel.samples:
            inside = f"{where}, sample {shown(sample.name)}"
            if len(sample.data) != len(counts):
                msg = (
                    f"{inside}: {len(sample.data)} bins, but {len(counts)} observed; "
                    "both must have the same number of bins"
                )
                raise DataFileError(msg)
            kinds = [f"{m.type} {shown(m.name)}" for m in sample.modifiers]
            refuse_twice(inside, "modifier", kinds)
        for sample in channel.samples:
            inside = f"{where}, sample {shown(sample.name)}"
            term = self._term(inside, channel, sample, errors)
            is_signal = any(m.name == self.poi for m in sample.modifiers)
            (signal if is_signal else background).append(term)
        return Region(channel.name, np.array(counts, float), signal, background)

    def _term(
        self,
        where: str,
        channel: ChannelEntry,
        sample: SampleEntry,
        errors: dict[str, np.ndarray],
    ) -> Term:
        """Turn one sample into a term."""
        scale = 1.0
        responses: list[Response] = []
        for modifier in sample.modifiers:
            inside = f"{where}, modifier {shown(modifier.name)} ({modifier.type})"
            if modifier.type not in SUPPORTED:
                msg = f"{inside} is not supported; allowed are {', '.join(SUPPORTED)}"
                raise DataFileError(msg)
            if modifier.name == self.poi:
                if modifier.type != "normfactor":
                    msg = f"{inside}: the parameter of interest must be a normfactor"
                    raise DataFileError(msg)
                continue
            parameter = self.settings.get(modifier.name)
            parameter = parameter or ParameterEntry(name=modifier.name)
            check_settings(inside, modifier, parameter)
            if modifier.type == "normfactor":
                if parameter.fixed:
                    scale *= fixed_factor(inside, parameter)
                else:
                    responses.append(Free(modifier.name))
                continue
            if modifier.type == "staterror":
                response = self._staterror(inside, channel, modifier, parameter, errors)
            else:
                response = self._response(inside, channel, sample, modifier, parameter)
            if is_fixed(inside, modifier, parameter):
                self.fixed[response.name] = constraint_at_nominal(response)
            else:
                responses.append(response)
        if scale != 1.0:
            responses = [scaled(response, scale) for response in responses]
        return Term(sample.name, scale * np.array(sample.data, float), responses)

    def _response(
        self,
        where: str,
        channel: ChannelEntry,
        sample: SampleEntry,
        modifier: ModifierEntry,
        parameter: ParameterEntry,
    ) -> Response:
        """Turn one modifier of one sample into a response."""
        match modifier.type:
            case "normsys":
                return read_normsys(where, modifier, code=self.codes["normsys"])
            case "histosys":
                return read_histosys(
                    where,
                    modifier,
                    n_bin=len(sample.data),
                    code=self.codes["histosys"],
                )
            case "lumi":
                return read_lumi(where, modifier, parameter)
            case _:
                owner = f"{channel.name}/{sample.name}"
                if self._owners.setdefault(modifier.name, owner) != owner:
                    msg = (
                        f"{where}: {self._owners[modifier.name]} has factors of the "
                        "same name; give every sample its own"
                    )
                    raise DataFileError(msg)
                return read_shapesys(where, modifier, parameter, yields=sample.data)

    def _staterror(
        self,
        where: str,
        channel: ChannelEntry,
        modifier: ModifierEntry,
        parameter: ParameterEntry,
        known: dict[str, np.ndarray],
    ) -> BinFactors:
        """Factors that the samples of a channel share."""
        name, bins = modifier.name, self._staterrors[modifier.name]
        if name not in known:
            errors = _summed_errors(where, channel, name)
            if parameter.sigmas is not None:
                every = numbers_in_bins(
                    where, list(parameter.sigmas), sum(bins.values())
                )
                places = list(bins)[: list(bins).index(channel.name)]
                start = sum(bins[place] for place in places)
                errors = every[start : start + errors.size]
            known[name] = errors
        own = name if len(bins) == 1 else f"{name}@{channel.name}"
        return BinFactors(own, known[name], "normal")


def _summed_errors(where: str, channel: ChannelEntry, name: str) -> np.ndarray:
    """Relative errors of a staterror, from the samples that share it."""
    n_bin = len(channel.samples[0].data)
    variance, total = np.zeros(n_bin), np.zeros(n_bin)
    for sample in channel.samples:
        for modifier in sample.modifiers:
            if (modifier.type, modifier.name) == ("staterror", name):
                variance += numbers_in_bins(where, modifier.data, n_bin) ** 2
                total += np.array(sample.data, float)
    is_open = total > 0.0
    return np.where(is_open, np.sqrt(variance) / np.where(is_open, total, 1.0), 0.0)
