"""What a publication of several final states in beam-dump mode states.

As `bsmfit.records.beam_dump_record`, for a charged pair with photons: the data, the
selection and the efficiency are common, each final state is a region with counts of its
own. A record of kind "beam-dump" is of this form where it has the key `regions`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bsmfit.records.beam_dump_record import (
    Axis,
    Counts,
    DefaultPlane,
    MassResolution,
    MassWindow,
    Selection,
    Statistics,
)
from bsmfit.records.quantity import Quantity, quantity_check
from bsmfit.records.shared_entries import (
    ArxivNumber,
    ChannelId,
    Doi,
    RecordNuisances,
    distinct_names,
)
from bsmfit.records.strict_model import (
    Identifier,
    Items,
    StrictModel,
    Text,
    invalid_value,
)

__all__ = ["DumpRegion", "DumpRegionsRecord", "HadronSelection"]


class HadronSelection(Selection):
    """The part of the selection that the acceptance simulates.

    Attributes:
        chambers: Names of the chambers that both tracks must cross.
        photon_energy_min: Lowest energy of every photon [GeV].
        photon_separation_min: Smallest distance of two photons at the calorimeter [m].
    """

    chambers: Annotated[Items[Identifier], Field(min_length=1), distinct_names()]
    photon_energy_min: Annotated[Quantity, quantity_check("GeV", minimum=0.0)]
    photon_separation_min: Annotated[Quantity, quantity_check("m", minimum=0.0)]


class DumpRegion(StrictModel):
    """One final state.

    Attributes:
        name: Name of the region and of its tables.
        final_state: Final state, by its name in a mediator's branching ratios.
        counts: Observed and expected events.
        nuisances: Uncertainties of this region, besides those of all.
    """

    name: ChannelId
    final_state: Literal["pi+pi-", "pi+pi-pi0", "pi+pi-2pi0", "k+k-", "k+k-pi0"]
    counts: Counts
    nuisances: RecordNuisances = ()

    @model_validator(mode="after")
    def _has_masses(self) -> DumpRegion:
        if self.counts.observed_masses is None:
            text = "is missing; give [] where no event was observed"
            raise invalid_value(text, key="counts.observed_masses")
        return self


class DumpRegionsRecord(StrictModel):
    """A published search for decays into several final states in beam-dump mode.

    Attributes:
        kind: Always "beam-dump".
        id: Channel id, the name on the command line.
        experiment: Experiment.
        texkey: Key of the publication in `refs.bib`.
        arxiv: arXiv number.
        doi: DOI of the publication, or None.
        hepdata: DOI of the HEPData record, or None.
        title: Title of the publication.
        geometry: Geometry record of the detector, by folder name or path.
        model: Benchmark model that the published limit is about.
        default_plane: Plane of a scan that names none.
        default_coupling: Coupling axis of a scan of other models, in equal ratios.
        default_preset: Preset that the efficiency belongs to.
        protons_on_target: Protons on target.
        selection: What the acceptance simulates.
        selection_efficiency: Efficiency of what it does not, in (0, 1].
        mass_resolution: Resolution of the invariant mass.
        mass_window: Which events count for a mass.
        nuisances: Uncertainties of all regions.
        regions: The final states.
        statistics: How the publication sets its limit.
        caveats: What a user of the numbers must know.
    """

    kind: Literal["beam-dump"] = "beam-dump"
    id: ChannelId
    experiment: Text
    texkey: Text
    arxiv: ArxivNumber
    doi: Doi | None = None
    hepdata: Doi | None = None
    title: Text
    geometry: Text
    model: Identifier
    default_plane: DefaultPlane
    default_coupling: dict[Identifier, Axis] = Field(default_factory=dict)
    default_preset: Identifier
    protons_on_target: Annotated[Quantity, quantity_check("protons", above=0.0)]
    selection: HadronSelection
    selection_efficiency: Annotated[
        Quantity, quantity_check("1", above=0.0, maximum=1.0)
    ]
    mass_resolution: MassResolution
    mass_window: MassWindow
    nuisances: RecordNuisances = ()
    regions: Annotated[Items[DumpRegion], Field(min_length=1), distinct_names()]
    statistics: Statistics
    caveats: Items[Text] = ()
