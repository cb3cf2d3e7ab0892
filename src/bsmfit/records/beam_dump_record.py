r"""What a publication of a search in beam-dump mode states.

A record carries the numbers that the likelihood needs (protons on target, observed and
expected background counts, mass resolution, nuisances) and the definition of the
selection that the acceptance needs (momentum, decay volume, detectors). It carries no
formula: `bsmfit.catalogue` builds a channel from it and from the geometry it names.

The response to a log-normal nuisance of relative `size` is
$(1 + \mathrm{size})^{\theta}$ with $\theta$ unit normal, so a "factor 2" is size 1.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bsmfit.errors import closest_name
from bsmfit.records.dump_selection import CloseTrackCuts, Selection, VertexCut
from bsmfit.records.quantity import Count, Provenance, Quantity, quantity_check
from bsmfit.records.shared_entries import (
    ArxivNumber,
    Axis,
    ChannelId,
    CsvBeside,
    Doi,
    LevelQuantity,
    LimitMethod,
    RecordNuisances,
)
from bsmfit.records.strict_model import (
    Identifier,
    Items,
    StrictModel,
    Text,
    invalid_value,
)

__all__ = [
    "BeamDumpRecord",
    "CloseTrackCuts",
    "Counts",
    "DefaultPlane",
    "MassResolution",
    "MassWindow",
    "Selection",
    "Statistics",
    "VertexCut",
]


class Counts(StrictModel):
    """Observed and expected events in the signal region.

    Attributes:
        n_observed: Events observed.
        observed_masses: Invariant mass of each observed event [GeV]; None where masses
            were not measured and every event counts at every mass.
        background: Expected background [events].
    """

    n_observed: Count
    observed_masses: (
        Items[Annotated[Quantity, quantity_check("GeV", above=0.0)]] | None
    ) = None
    background: Annotated[Quantity, quantity_check("events", minimum=0.0)]

    @model_validator(mode="after")
    def _has_one_mass_per_event(self) -> Counts:
        if self.observed_masses is None:
            return self
        n_masses, n_observed = len(self.observed_masses), self.n_observed.value
        if n_masses != n_observed:
            text = (
                f"has {n_masses} masses but n_observed is {n_observed}; give one mass "
                "per observed event"
            )
            raise invalid_value(text, key="observed_masses")
        return self


class MassResolution(StrictModel):
    """Resolution of the invariant mass as a table.

    Linear between the nodes; the first and the last value outside them.

    Attributes:
        mass: Nodes [GeV], strictly increasing.
        sigma: Standard deviation at the nodes [GeV], > 0.
        unit: Always "GeV", for both columns.
        interpolation: Always "linear".
        provenance: How far the table can be trusted.
        source: Texkey with table or figure; or words.
    """

    mass: Annotated[Items[Annotated[float, Field(ge=0)]], Field(min_length=1)]
    sigma: Annotated[Items[Annotated[float, Field(gt=0)]], Field(min_length=1)]
    unit: Literal["GeV"]
    interpolation: Literal["linear"]
    provenance: Provenance
    source: Text

    @model_validator(mode="after")
    def _is_a_table(self) -> MassResolution:
        if len(self.sigma) != len(self.mass):
            text = (
                f"has {len(self.sigma)} values but mass has {len(self.mass)} nodes; "
                "give one sigma per mass"
            )
            raise invalid_value(text, key="sigma")
        for low, high in itertools.pairwise(self.mass):
            if high <= low:
                text = f"must increase strictly, but {high:g} follows {low:g}"
                raise invalid_value(text, key="mass")
        return self


class MassWindow(StrictModel):
    """Which observed events count for a mass hypothesis.

    Attributes:
        half_width: Half width of the window, in units of the mass resolution.
        method: The rule in words.
    """

    half_width: Annotated[Quantity, quantity_check("sigma_m", above=0.0)]
    method: Text


class Statistics(StrictModel):
    """How the publication sets its limit.

    Attributes:
        confidence_level: Confidence level of the published limit [1].
        method: Name of the method.
        provenance: How far the method's name can be trusted.
        source: Texkey with section; or words.
    """

    confidence_level: LevelQuantity
    method: LimitMethod
    provenance: Provenance
    source: Text


class DefaultPlane(StrictModel):
    """The plane that is scanned where none is asked for.

    Attributes:
        mass: Masses [GeV].
        coupling: Couplings.
    """

    mass: Axis
    coupling: Axis


class BeamDumpRecord(StrictModel):
    """A published search for a decaying particle in beam-dump mode.

    Attributes:
        id: Channel id, the name on the command line.
        experiment: Experiment.
        texkey: Key of the publication in `refs.bib`.
        arxiv: arXiv number, or None.
        doi: DOI of the publication, or None.
        hepdata: DOI of the HEPData record, or None.
        title: Title of the publication.
        final_state: Final state, by its name in a mediator's branching ratios.
        geometry: Geometry record of the detector, by folder name or path.
        model: Benchmark model that the published limit is about.
        default_plane: Plane that holds the published limit, with a margin.
        default_coupling: Coupling axis of a scan of other models, in equal ratios.
        default_preset: Preset that the publication's own limit corresponds to.
        protons_on_target: Protons on target.
        selection: What the acceptance simulates.
        selection_efficiency: Efficiency of what it does not, in (0, 1].
        counts: Observed and expected events.
        mass_resolution: Resolution of the invariant mass, where it was measured.
        mass_window: Which events count for a mass, likewise.
        nuisances: Systematic uncertainties.
        statistics: How the publication sets its limit.
        significance: Published significance of the observation [sigma], or None.
        consistent_presets: Other presets whose norms were fixed with the efficiency
            of this record, so that no caveat is due.
        production_note: What a reader must know who takes another preset than
            `default_preset` or one of `consistent_presets`, or None.
        published_contour: CSV file of the published limit beside the record, or None.
        contour_source: Whose contour it is, where not that of the publication.
        is_projection: Whether the counts are assumed: no search has been published.
        caveats: What a user of the numbers must know.
    """

    id: ChannelId
    experiment: Text
    texkey: Text
    arxiv: ArxivNumber | None
    doi: Doi | None = None
    hepdata: Doi | None = None
    title: Text
    final_state: Literal["ee", "mumu", "hadrons", "gammagamma"]
    geometry: Text
    model: Identifier
    default_plane: DefaultPlane
    default_coupling: dict[Identifier, Axis] = Field(default_factory=dict)
    default_preset: Identifier
    protons_on_target: Annotated[Quantity, quantity_check("protons", above=0.0)]
    selection: Selection
    selection_efficiency: Annotated[
        Quantity, quantity_check("1", above=0.0, maximum=1.0)
    ]
    counts: Counts
    mass_resolution: MassResolution | None = None
    mass_window: MassWindow | None = None
    nuisances: RecordNuisances = ()
    statistics: Statistics
    significance: Annotated[Quantity, quantity_check("sigma", minimum=0.0)] | None = (
        None
    )
    consistent_presets: Items[Identifier] = ()
    production_note: Text | None = None
    published_contour: CsvBeside | None = None
    contour_source: Text | None = None
    is_projection: bool = False
    caveats: Items[Text] = ()

    @model_validator(mode="after")
    def _photons_have_cuts(self) -> BeamDumpRecord:
        is_pair = self.final_state == "gammagamma"
        if is_pair != (self.selection.photons is not None):
            text = "is needed by the final state 'gammagamma', and by no other"
            raise invalid_value(text, key="selection.photons")
        return self

    @model_validator(mode="after")
    def _masses_come_with_a_window(self) -> BeamDumpRecord:
        for key in ("mass_resolution", "mass_window"):
            is_given = getattr(self, key) is not None
            if self.counts.observed_masses is not None and not is_given:
                text = "is missing; counts.observed_masses needs it"
                raise invalid_value(text, key=key)
            if self.counts.observed_masses is None and is_given:
                text = "is given, but counts has no observed_masses"
                raise invalid_value(text, key=key)
        return self

    @model_validator(mode="after")
    def _calibration_uses_the_default_preset(self) -> BeamDumpRecord:
        point = self.selection_efficiency.calibrated_at
        if point is not None and point.preset != self.default_preset:
            guess = closest_name(point.preset, [self.default_preset])
            hint = f"; did you mean {guess!r}?" if guess else ""
            text = (
                f"is {point.preset!r} but must be default_preset = "
                f"{self.default_preset!r}, the preset of the published limit{hint}"
            )
            raise invalid_value(text, key="selection_efficiency.calibrated_at.preset")
        return self
