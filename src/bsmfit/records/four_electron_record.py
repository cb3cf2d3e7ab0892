r"""What a publication of a search for $K^+\to\pi^+e^+e^-e^+e^-$ states.

Yields are given by source and region, as printed. A region that contains another one
says so (`contains`): the likelihood has the part outside it, so that no event counts
twice.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bsmfit.records.quantity import Count, Provenance, Quantity, quantity_check
from bsmfit.records.shared_entries import (
    ArxivNumber,
    Axis,
    ChannelId,
    CsvBeside,
    DetectorNames,
    Doi,
    LevelQuantity,
    LimitMethod,
    OrderedEnds,
    RecordNuisances,
    distinct_names,
)
from bsmfit.records.strict_model import (
    Items,
    NuisanceName,
    StrictModel,
    Text,
    invalid_value,
)

__all__ = [
    "BackgroundSource",
    "CountedRegion",
    "EfficiencyRecord",
    "FourElectronRecord",
    "FourElectronSelection",
    "MassAxis",
    "PublishedCurve",
    "VertexRecord",
]

Length = Annotated[Quantity, quantity_check("m", above=0.0)]
Energy = Annotated[Quantity, quantity_check("GeV", above=0.0)]
Fraction = Annotated[Quantity, quantity_check("1", above=0.0, maximum=1.0)]
Factor = Annotated[Quantity, quantity_check("1", above=0.0)]
Events = Annotated[Quantity, quantity_check("events", minimum=0.0)]


class FourElectronSelection(StrictModel):
    """Cuts of the selection.

    Attributes:
        detectors: Detectors that all five tracks must cross.
        hole_radius: Radius of the holes of the chambers [m].
        position_error: Error of a point in the first chamber [m].
        track_separation: Smallest distance of two tracks in the first chamber [m].
        kaon_mass_low: Lower end of the window of m(pi 4e) [GeV].
        kaon_mass_high: Upper end [GeV].
        pi0_exclusion: Half width of the excluded m(4e) around the pi0 [GeV].
        missing_exclusion: Half width of the excluded m_miss around the pi0 [GeV].
        pion_momentum: Lowest momentum of the pion [GeV].
        momentum_balance: Largest |p(5 tracks) - p(beam)| [GeV].
        mass_window: Half width of the window of m_ee over the mass [1].
    """

    detectors: DetectorNames
    hole_radius: Length
    position_error: Length
    track_separation: Length
    kaon_mass_low: Energy
    kaon_mass_high: Energy
    pi0_exclusion: Energy
    missing_exclusion: Energy
    pion_momentum: Energy
    momentum_balance: Energy
    mass_window: Fraction

    @model_validator(mode="after")
    def _is_ordered(self) -> FourElectronSelection:
        low, high = self.kaon_mass_low.value, self.kaon_mass_high.value
        if high <= low:
            text = f"is {high:g} GeV but must lie above kaon_mass_low = {low:g} GeV"
            raise invalid_value(text, key="kaon_mass_high.value")
        return self


class VertexRecord(StrictModel):
    """What a pair that starts away from the kaon's vertex passes.

    Attributes:
        resolution: Error of the vertex of a pair along the beam [m].
        n_resolution: Number of errors within which it is kept [1].
        nuisance: Name of the uncertainty of the length.
        size: Relative size of that uncertainty.
        provenance: Where the size comes from.
        source: The reason for it.
    """

    resolution: Length
    n_resolution: Factor
    nuisance: NuisanceName
    size: Annotated[float, Field(gt=0, lt=10)]
    provenance: Provenance
    source: Text


class CalibratedLimit(StrictModel):
    """The one published limit that the efficiency was fitted to.

    Attributes:
        mass: Mass of a [GeV].
        limit: Published limit on BR(K+ -> pi+ a a) [1].
        source: Where it is from.
    """

    mass: Annotated[float, Field(gt=0)]
    limit: Annotated[float, Field(gt=0, lt=1)]
    source: Text


class EfficiencyRecord(StrictModel):
    """Everything that is not in the acceptance, one number for all masses.

    Attributes:
        value: Efficiency [1].
        unit: Always "1".
        provenance: Always "calibrated".
        source: What it contains.
        calibrated_at: The published limit that fixes it.
    """

    value: Annotated[float, Field(gt=0, le=1)]
    unit: Literal["1"]
    provenance: Literal["calibrated"]
    source: Text
    calibrated_at: CalibratedLimit


class CountedRegion(StrictModel):
    """A region in which events are counted.

    Attributes:
        name: Its name; the signal region is called "signal".
        n_observed: Observed events, as published.
        background: Total expected background, as published.
        contains: A region that is part of it, or None.
    """

    name: NuisanceName
    n_observed: Count
    background: Events
    contains: NuisanceName | None = None


class BackgroundSource(StrictModel):
    """One background.

    Attributes:
        name: Its name.
        decays: How often it takes each branching ratio of the record.
        multiplicity: Number of ways, for example 2 for one of two pi0.
        published_ratio: Product of branching ratios as published [1].
        events: Expected events by region; none where a region is missing.
    """

    name: NuisanceName
    decays: dict[NuisanceName, Annotated[int, Field(ge=1)]]
    multiplicity: Annotated[int, Field(ge=1)] = 1
    published_ratio: Fraction
    events: Annotated[dict[NuisanceName, Events], Field(min_length=1)]


class PublishedCurve(StrictModel):
    """The published limit on BR(K+ -> pi+ a a).

    Attributes:
        file: The CSV file in the record's folder.
        confidence_level: Its confidence level.
        method: How it was made.
        source: Where it is from.
    """

    file: CsvBeside
    confidence_level: LevelQuantity
    method: LimitMethod
    source: Text


class MassAxis(OrderedEnds):
    """A mass axis in equal steps.

    Attributes:
        low: First mass [GeV].
        high: Last mass [GeV].
        n_points: Number of points.
    """

    low: Annotated[float, Field(gt=0)]
    n_points: Annotated[int, Field(ge=2)]


class FourElectronRecord(StrictModel):
    """A search for a pion and four electrons.

    Attributes:
        id: Channel id.
        kind: Always "four-electron".
        experiment: Experiment.
        texkey: INSPIRE key of the publication.
        arxiv: arXiv number.
        doi: DOI, or None.
        hepdata: HEPData record, or None.
        title: Title of the publication.
        setup: Setup of the searches in kaon decays, by folder name or path.
        datasets: Data that went in.
        kaon_decays: Kaon decays in the volume [1].
        efficiency: What the acceptance leaves out.
        selection: The cuts.
        vertex: What displaced pairs pass.
        branching_ratios: Measured branching ratios of the backgrounds.
        regions: The regions; one is "signal".
        sources: The backgrounds.
        published_limit: The published limit.
        standard_limit: Published limit on the SM-like four-electron mode [1].
        scalar_segments: Masses of S at which the chain is seen [GeV].
        close_tracks: Name of the uncertainty of the distance of close tracks: one
            standard deviation doubles it.
        nuisances: Other uncertainties.
        default_mass: Mass axis of a scan that names none [GeV].
        default_coupling: Coupling axis by "model" or "model/coupling".
        caveats: What a user must know.
    """

    id: ChannelId
    kind: Literal["four-electron"]
    experiment: Text
    texkey: Text
    arxiv: ArxivNumber
    doi: Doi | None
    hepdata: Text | None
    title: Text
    setup: Text
    datasets: Annotated[Items[Text], Field(min_length=1)]
    kaon_decays: Factor
    efficiency: EfficiencyRecord
    selection: FourElectronSelection
    vertex: VertexRecord
    branching_ratios: dict[NuisanceName, Fraction]
    regions: Annotated[Items[CountedRegion], distinct_names()]
    sources: Annotated[Items[BackgroundSource], distinct_names()]
    published_limit: PublishedCurve
    standard_limit: Fraction
    scalar_segments: Annotated[Items[OrderedEnds], Field(min_length=1)]
    close_tracks: NuisanceName
    nuisances: RecordNuisances
    default_mass: MassAxis
    default_coupling: dict[str, Axis]
    caveats: Items[Text] = ()

    @model_validator(mode="after")
    def _regions_are_known(self) -> FourElectronRecord:
        names = [region.name for region in self.regions]
        known = ", ".join(names)
        if "signal" not in names:
            text = f"has no region 'signal' (it has: {known})"
            raise invalid_value(text, key="regions")
        for place, region in enumerate(self.regions):
            if region.contains is not None and region.contains not in names:
                text = f"is {region.contains!r}, no region (known: {known})"
                raise invalid_value(text, key=f"regions.{place}.contains")
        for place, source in enumerate(self.sources):
            for name in source.events:
                if name not in names:
                    text = f"names {name!r}, no region (known: {known})"
                    raise invalid_value(text, key=f"sources.{place}.events")
            for name in source.decays:
                if name not in self.branching_ratios:
                    ratios = ", ".join(self.branching_ratios)
                    text = f"names {name!r}, no branching ratio (known: {ratios})"
                    raise invalid_value(text, key=f"sources.{place}.decays")
        return self

    @model_validator(mode="after")
    def _contained_regions_are_smaller(self) -> FourElectronRecord:
        counts = {region.name: region.n_observed.value for region in self.regions}
        for place, region in enumerate(self.regions):
            if region.contains is None:
                continue
            if counts[region.name] < counts[region.contains]:
                text = f"has fewer events than {region.contains!r}, which it contains"
                raise invalid_value(text, key=f"regions.{place}.n_observed")
            for source in self.sources:
                inner = source.events.get(region.contains)
                outer = source.events.get(region.name)
                inside = 0.0 if inner is None else inner.value
                if (0.0 if outer is None else outer.value) < inside - 1e-9:
                    text = f"has less {source.name!r} than {region.contains!r}"
                    raise invalid_value(text, key=f"regions.{place}.name")
        return self

    def product(self, source: BackgroundSource) -> float:
        """Product of branching ratios of a source.

        Args:
            source: The source.

        Returns:
            The product [1].
        """
        ratios = self.branching_ratios
        return source.multiplicity * math.prod(
            ratios[name].value ** power for name, power in source.decays.items()
        )
