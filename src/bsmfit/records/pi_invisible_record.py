"""What a publication of a search for K+ -> pi+ X, X invisible, states.

The selection in regions of squared missing mass and momentum, the sensitivity, the
expected background, and what was seen: a published limit curve for stable X, or the
observed count of the whole signal region.
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
    Doi,
    LevelQuantity,
    LimitMethod,
    MassSegments,
    OrderedEnds,
    RecordNuisances,
)
from bsmfit.records.strict_model import (
    Identifier,
    Items,
    NuisanceName,
    StrictModel,
    Text,
    invalid_value,
)

__all__ = [
    "LimitRecord",
    "PiInvisibleRecord",
    "SampleRecord",
    "SignalRegion",
    "Window",
]

BranchingRatio = Annotated[Quantity, quantity_check("1", above=0.0, maximum=1.0)]
Events = Annotated[Quantity, quantity_check("events", minimum=0.0)]


class Window(OrderedEnds):
    """An interval that events are selected in.

    Attributes:
        low: Lower end, in `unit`.
        high: Upper end, in `unit`.
        unit: Unit of both.
        provenance: How far the numbers can be trusted.
        source: Texkey with section; or words.
    """

    unit: Literal["GeV", "GeV^2"]
    provenance: Provenance
    source: Text


class SignalRegion(StrictModel):
    """A window of squared missing mass and pion momentum.

    Attributes:
        missing_mass_squared: Squared missing mass [GeV^2].
        momentum: Pion momentum [GeV].
    """

    missing_mass_squared: Window
    momentum: Window

    @model_validator(mode="after")
    def _have_their_units(self) -> SignalRegion:
        for name, unit in (("missing_mass_squared", "GeV^2"), ("momentum", "GeV")):
            given = getattr(self, name).unit
            if given != unit:
                text = f"is {given!r} but must be {unit!r}"
                raise invalid_value(text, key=f"{name}.unit")
        if self.momentum.low < 0.0:
            text = f"is {self.momentum.low:g} but must be >= 0"
            raise invalid_value(text, key="momentum.low")
        return self


class SampleRecord(StrictModel):
    """Data taken with one selection.

    Attributes:
        name: Name of the sample.
        expected_events: Its expected pi nu nu events, which weight the samples.
        regions: Its regions, in the same order and of the same missing mass in all
            samples.
    """

    name: Identifier
    expected_events: Annotated[Quantity, quantity_check("events", above=0.0)]
    regions: Annotated[Items[SignalRegion], Field(min_length=1)]


class LimitRecord(StrictModel):
    """A published limit on BR(K+ -> pi+ X) for stable X.

    Attributes:
        file: CSV file beside the record: mass_gev, branching_ratio_limit.
        confidence_level: Confidence level [1].
        method: Name of the publication's method.
        source: Texkey with figure or table.
    """

    file: CsvBeside
    confidence_level: LevelQuantity
    method: LimitMethod
    source: Text


class PiInvisibleRecord(StrictModel):
    """A published search for an invisible X in K+ -> pi+ X.

    Attributes:
        id: Channel id, the name on the command line.
        kind: Always "pi-invisible".
        experiment: Experiment.
        texkey: Key of the publication in `refs.bib`.
        arxiv: arXiv number.
        doi: DOI of the publication, or None.
        hepdata: DOI of the HEPData record, or None.
        title: Title of the publication.
        setup: Setup record (beam, tracking, veto), by folder name or path.
        datasets: Names of the data that went into it; searches that share a name are
            never combined.
        samples: Data by selection.
        single_event_sensitivity: Branching ratio of one expected event: of pi nu nu,
            or of pi X at `reference_mass`.
        reference_mass: Mass of X that the sensitivity belongs to [GeV], or None for
            pi nu nu.
        neutrino_events: Expected pi nu nu events in the regions (background here).
        background: Other expected background in the regions.
        published_limit: Limit for stable X, or None.
        n_observed: Observed events of all regions, or None; one of the two is given.
        background_shape: "information" for the background of a count with the same
            information as a fit of the peak; "region" for that of all regions.
        segments: Masses at which the search says something.
        default_mass: Mass axis of a scan, in equal steps [GeV].
        default_coupling: Coupling axis of a scan by model, in equal ratios.
        nuisances: Uncertainties of the signal and of the background.
        veto_nuisance: Name of the uncertainty of the end of the veto.
        caveats: What a user of the numbers must know.
    """

    id: ChannelId
    kind: Literal["pi-invisible"]
    experiment: Text
    texkey: Text
    arxiv: ArxivNumber
    doi: Doi | None = None
    hepdata: Doi | None = None
    title: Text
    setup: Text
    datasets: Annotated[Items[Identifier], Field(min_length=1)]
    samples: Annotated[Items[SampleRecord], Field(min_length=1)]
    single_event_sensitivity: BranchingRatio
    reference_mass: Annotated[float, Field(ge=0)] | None = None
    neutrino_events: Events
    background: Events
    published_limit: LimitRecord | None = None
    n_observed: Count | None = None
    background_shape: Literal["information", "region"]
    segments: Annotated[MassSegments, Field(min_length=1)]
    default_mass: Axis
    default_coupling: dict[Identifier, Axis]
    nuisances: RecordNuisances = ()
    veto_nuisance: NuisanceName
    caveats: Items[Text] = ()

    @model_validator(mode="after")
    def _has_one_result(self) -> PiInvisibleRecord:
        if (self.published_limit is None) == (self.n_observed is None):
            text = (
                "needs one of 'published_limit' and 'n_observed': what the search saw"
            )
            raise invalid_value(text, key="published_limit")
        return self

    @model_validator(mode="after")
    def _samples_share_regions(self) -> PiInvisibleRecord:
        def windows(sample: SampleRecord) -> list[tuple[float, float]]:
            return [
                (region.missing_mass_squared.low, region.missing_mass_squared.high)
                for region in sample.regions
            ]

        for sample in self.samples[1:]:
            if windows(sample) != windows(self.samples[0]):
                text = (
                    f"{sample.name!r} has other regions of missing mass than "
                    f"{self.samples[0].name!r}; they must be the same"
                )
                raise invalid_value(text, key="samples")
        if self.reference_mass is None and not math.isclose(
            sum(sample.expected_events.value for sample in self.samples),
            self.neutrino_events.value,
            rel_tol=0.02,
        ):
            text = (
                f"is {self.neutrino_events.value:g} but the samples expect "
                f"{sum(s.expected_events.value for s in self.samples):g} events"
            )
            raise invalid_value(text, key="neutrino_events.value")
        return self
