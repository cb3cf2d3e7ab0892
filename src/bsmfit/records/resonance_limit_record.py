"""What a publication of a limit on a two-body decay against the mass states.

For searches of which the limit curve is public and the counts are not: a peak of the
mass of a particle that leaves no trace and recoils against a visible one, or that
decays to a final state that is seen. The count that makes the limit is reconstructed,
so that the record must say what is assumed of the background behind it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bsmfit.records.quantity import Quantity, quantity_check
from bsmfit.records.shared_entries import (
    ArxivNumber,
    Axis,
    ChannelId,
    CsvBeside,
    Doi,
    LevelQuantity,
    LimitMethod,
    MassSegments,
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

__all__ = ["FlightRecord", "ResonanceLimitCurve", "ResonanceLimitRecord"]

Events = Annotated[Quantity, quantity_check("events", above=0.0, maximum=25.0)]
Width = Annotated[Quantity, quantity_check("GeV", above=0.0)]


class ResonanceLimitCurve(StrictModel):
    """A published upper limit against the mass.

    Attributes:
        file: CSV file beside the record: mass_gev, limit, provenance. For a particle
            that decays at once where the search sees its decay, else for one that
            does not decay.
        by_lifetime: CSV file of limits for other lifetimes: mass_gev, lifetime_ps,
            branching_ratio_limit; None where there are none.
        quantity: What is limited: the branching ratio of the process, or the squared
            mixing of a heavy neutral lepton.
        confidence_level: Confidence level [1].
        method: Name of the publication's method; None where it is not known.
        source: Texkey with figure or table.
        plotted_for: Model card whose coupling the squared mixing is, or None.
    """

    file: CsvBeside
    by_lifetime: CsvBeside | None = None
    quantity: Literal["branching-ratio", "mixing-squared"]
    confidence_level: LevelQuantity
    method: LimitMethod | None = None
    source: Text
    plotted_for: Identifier | None = None

    @model_validator(mode="after")
    def _plots_a_coupling(self) -> ResonanceLimitCurve:
        if self.plotted_for is not None and self.quantity != "mixing-squared":
            text = (
                f"is {self.plotted_for!r} but a limit on a branching ratio is drawn in "
                "no plane of a coupling; leave it out"
            )
            raise invalid_value(text, key="plotted_for")
        if self.by_lifetime is not None and self.quantity != "branching-ratio":
            text = "has a meaning for limits on a branching ratio only; leave it out"
            raise invalid_value(text, key="by_lifetime")
        return self


_NAMES = {"K+": "kaon", "pi+": "pion", "e+": "e", "mu+": "mu"}
"""Particles in the names of processes; a recoiling pi+ is a pion too."""


class FlightRecord(StrictModel):
    """Where the particle must not decay to count.

    Attributes:
        setup: Setup record (beam, decay volume, veto), by folder name or path.
        parent: The beam particle.
        recoil: The particle that is seen.
    """

    setup: Text
    parent: Literal["K+", "pi+"]
    recoil: Literal["e+", "mu+", "pi+"]


class ResonanceLimitRecord(StrictModel):
    """A published limit on a two-body decay into one new particle.

    Attributes:
        id: Channel id, the name on the command line.
        kind: Always "resonance-limit".
        experiment: Experiment.
        texkey: Key of the publication in `refs.bib`.
        arxiv: arXiv number.
        doi: DOI of the publication, or None.
        hepdata: DOI of the HEPData record, or None.
        title: Title of the publication.
        datasets: Names of the data that went into it; searches that share a name are
            never combined.
        process: Production process, whose strength is its branching ratio. Where its
            name is a decay ("kaon-to-mu-n") it must be that of the flight.
        final_states: Decays of the particle that the search sees, as models name them
            ("mumu"); none where it must leave no trace.
        flight: Where it must not decay; None where its lifetime does not matter or
            limits are published by lifetime.
        published_limit: The limit.
        segments: Masses at which the search says something; all of the published limit
            where none is given.
        background: Background of the count that stands for the search [events].
        expected_window: Half width of the window of mass over which the published
            limits are averaged to the expected one [GeV].
        default_mass: Mass axis of a scan, in equal steps [GeV].
        default_coupling: Coupling axis of a scan by model, in equal ratios.
        nuisances: Uncertainties of the signal and of the background.
        caveats: What a user of the numbers must know.
    """

    id: ChannelId
    kind: Literal["resonance-limit"]
    experiment: Text
    texkey: Text
    arxiv: ArxivNumber
    doi: Doi | None = None
    hepdata: Doi | None = None
    title: Text
    datasets: Annotated[Items[Identifier], Field(min_length=1)]
    process: Text
    final_states: Annotated[Items[Identifier], distinct_names()] = ()
    flight: FlightRecord | None = None
    published_limit: ResonanceLimitCurve
    segments: MassSegments = ()
    background: Events
    expected_window: Width
    default_mass: Axis
    default_coupling: dict[Identifier, Axis]
    nuisances: RecordNuisances = ()
    caveats: Items[Text] = ()

    @model_validator(mode="after")
    def _knows_one_flight(self) -> ResonanceLimitRecord:
        if "invisible" in self.final_states:
            text = "is what leaves no trace; give no final state for a search of that"
            raise invalid_value(text, key="final_states")
        if self.flight is not None and self.final_states:
            text = (
                "is for a particle that must not decay; give the lifetimes of a search "
                "for decays by published_limit.by_lifetime"
            )
            raise invalid_value(text, key="flight")
        if self.flight is not None and self.published_limit.by_lifetime is not None:
            text = (
                "says how limits depend on the lifetime, as by_lifetime does; drop one"
            )
            raise invalid_value(text, key="flight")
        return self

    @model_validator(mode="after")
    def _flies_from_its_process(self) -> ResonanceLimitRecord:
        flight = self.flight
        if flight is None:
            return self
        start = f"{_NAMES[flight.parent]}-to-{_NAMES[flight.recoil]}"
        is_decay = self.process.startswith(("kaon-to-", "pion-to-"))
        if is_decay and not f"{self.process}-".startswith(f"{start}-"):
            text = (
                f"is {flight.parent} to {flight.recoil} but the process is "
                f"{self.process!r}; it must begin with {start!r}"
            )
            raise invalid_value(text, key="flight")
        return self
