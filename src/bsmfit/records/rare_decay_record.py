r"""What a publication of a search for one rare decay states.

A count in a signal region, the background expected there by source, and the
single-event sensitivity SES, the branching ratio of one expected event:

$$SES = \frac{1}{N_K\,A\,\epsilon\,B},$$

with the kaon decays $N_K$, the acceptance A, what else was lost $\epsilon$, and the
branching ratio B of the decay that the parent comes from (1 for a kaon). Regions
without signal (sidebands) enter the likelihood too: a source of background that is
named in several regions may have one normalisation in all of them (`nuisances`).

Where the sensitivity or one of its factors was inferred from the published limit
(`inferred_from_limit`), that limit is an input: to find it again proves nothing.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bsmfit.records.quantity import Count, Quantity, quantity_check
from bsmfit.records.shared_entries import (
    ArxivNumber,
    ChannelId,
    Doi,
    LevelQuantity,
    LimitMethod,
    NuisanceEntry,
    distinct_names,
)
from bsmfit.records.strict_model import (
    Identifier,
    Items,
    NuisanceName,
    StrictModel,
    Text,
    first_duplicate,
    invalid_value,
)

__all__ = [
    "BranchingRatioLimit",
    "CountRegion",
    "DecayBackground",
    "RareDecayRecord",
    "Sensitivity",
    "SourceNuisance",
]

BranchingRatio = Annotated[Quantity, quantity_check("1", above=0.0, maximum=1.0)]
Events = Annotated[Quantity, quantity_check("events", minimum=0.0)]
# factors that are published to two or three digits
_AGREEMENT = 0.025


class Sensitivity(StrictModel):
    """The branching ratio of one expected event, and the factors it is made of.

    Attributes:
        value: The single-event sensitivity [1], with its uncertainty.
        inferred_from_limit: What of it was inferred from the published limit, in
            words; None where nothing was.
        n_kaon_decays: Kaon decays in the decay volume [events], or None.
        acceptance: Share of the signal decays that are selected [1], or None.
        efficiency: What else was lost [1], or None for nothing.
        parent_branching_ratio: Branching ratio of the decay that makes the parent [1],
            or None where the parent is the kaon.
    """

    value: BranchingRatio
    inferred_from_limit: Text | None = None
    n_kaon_decays: Annotated[Quantity, quantity_check("events", above=0.0)] | None = (
        None
    )
    acceptance: BranchingRatio | None = None
    efficiency: BranchingRatio | None = None
    parent_branching_ratio: BranchingRatio | None = None

    @property
    def from_factors(self) -> float | None:
        """The sensitivity that the factors make; None where one is not known."""
        if self.n_kaon_decays is None or self.acceptance is None:
            return None
        others = (self.efficiency, self.parent_branching_ratio)
        product = self.n_kaon_decays.value * self.acceptance.value
        return 1.0 / (product * math.prod(one.value for one in others if one))

    @model_validator(mode="after")
    def _is_consistent(self) -> Sensitivity:
        if self.value.uncertainty_down is not None:
            text = "has no meaning here: the uncertainty is one factor, up and down"
            raise invalid_value(text, key="value.uncertainty_down")
        made = self.from_factors
        if made is not None and not math.isclose(
            made, self.value.value, rel_tol=_AGREEMENT
        ):
            text = (
                f"is {self.value.value:g} but the factors make {made:.4g}; they must "
                f"agree within {_AGREEMENT:.1%}"
            )
            raise invalid_value(text, key="value.value")
        return self


class DecayBackground(StrictModel):
    """One source of background in one region.

    Attributes:
        name: The source; the same name is the same source in every region.
        events: Expected events, with their own uncertainty in this region.
    """

    name: NuisanceName
    events: Events

    @model_validator(mode="after")
    def _is_symmetric(self) -> DecayBackground:
        if self.events.uncertainty_down is not None:
            text = "has no meaning here: the uncertainty is one factor, up and down"
            raise invalid_value(text, key="events.uncertainty_down")
        if self.events.value == 0.0 and self.events.uncertainty:
            text = "is above 0 where 0 events are expected; leave it out"
            raise invalid_value(text, key="events.uncertainty")
        return self


class CountRegion(StrictModel):
    """What was counted in one region.

    Attributes:
        name: The region.
        selection: What defines it, in words.
        has_signal: Whether the decay is looked for here; a sideband has none.
        n_observed: Observed events.
        backgrounds: Expected events by source; none where nothing is known.
        total_background: Their sum, as published, or None.
    """

    name: Identifier
    selection: Text
    has_signal: bool
    n_observed: Count
    backgrounds: Annotated[
        Items[DecayBackground], distinct_names("one entry per source")
    ] = ()
    total_background: Events | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> CountRegion:
        if self.total_background is None:
            return self
        total, error = self.total_background.value, self.total_background.uncertainty
        found = sum(entry.events.value for entry in self.backgrounds)
        if abs(found - total) > max(error or 0.0, 1e-9 * total):
            text = f"is {total:g} events but the sources add up to {found:g}"
            raise invalid_value(text, key="total_background.value")
        return self


class SourceNuisance(NuisanceEntry):
    """An uncertainty of sources of background, the same in all regions.

    Attributes:
        sources: The sources that it moves.
    """

    sources: Annotated[Items[NuisanceName], Field(min_length=1)]


class BranchingRatioLimit(StrictModel):
    """An upper limit on the branching ratio that somebody published.

    Attributes:
        value: The limit [1].
        confidence_level: Its confidence level [1].
        method: Name of the publication's method.
    """

    value: BranchingRatio
    confidence_level: LevelQuantity
    method: LimitMethod | Literal["not known"]


class RareDecayRecord(StrictModel):
    """A published search for one rare decay.

    Attributes:
        id: Channel id, the name on the command line.
        kind: Always "rare-decay".
        experiment: Experiment.
        texkey: Key of the publication in `refs.bib`.
        arxiv: arXiv number.
        doi: DOI of the publication, or None.
        title: Title of the publication.
        decay: The decay, for example "K+ -> pi- mu+ mu+".
        process: Name of the decay as a production process; its strength is the
            branching ratio.
        violates: What it violates, in words.
        sample: The data, in words.
        datasets: Names of the data that went into it; searches that share a name are
            never combined.
        sensitivity: Branching ratio of one expected event.
        is_count_known: Whether the observed count and the background are known; where
            they are not, the record assumes a count and says so.
        regions: What was counted; one region at least has signal.
        nuisances: Uncertainties that sources share across regions.
        published_limit: The limit that was published.
        earlier_limit: The limit before this search, or None.
        superseded_by: Id of the search that contains this one, or None.
        caveats: What a user of the numbers must know.
    """

    id: ChannelId
    kind: Literal["rare-decay"]
    experiment: Text
    texkey: Text
    arxiv: ArxivNumber
    doi: Doi | None = None
    title: Text
    decay: Text
    process: ChannelId
    violates: Text
    sample: Text
    datasets: Annotated[Items[Identifier], Field(min_length=1), distinct_names()]
    sensitivity: Sensitivity
    is_count_known: bool = True
    regions: Annotated[Items[CountRegion], Field(min_length=1), distinct_names()]
    nuisances: Annotated[
        Items[SourceNuisance], distinct_names("one entry per parameter")
    ] = ()
    published_limit: BranchingRatioLimit
    earlier_limit: BranchingRatioLimit | None = None
    superseded_by: ChannelId | None = None
    caveats: Items[Text] = ()

    @model_validator(mode="after")
    def _has_a_signal_region(self) -> RareDecayRecord:
        n_signal = sum(region.has_signal for region in self.regions)
        if n_signal != 1:
            text = (
                f"have {n_signal} with signal (has_signal: true) but must have "
                "exactly 1: the sensitivity is that of one count"
            )
            raise invalid_value(text, key="regions")
        return self

    @model_validator(mode="after")
    def _sources_exist(self) -> RareDecayRecord:
        known = {b.name for region in self.regions for b in region.backgrounds}
        for nuisance in self.nuisances:
            for source in nuisance.sources:
                if source not in known:
                    text = (
                        f"names the source {source!r}, which no region has; known are "
                        f"{', '.join(sorted(known))}"
                    )
                    raise invalid_value(text, key="nuisances")
            if (twice := first_duplicate(nuisance.sources)) is not None:
                text = f"names the source {twice!r} twice"
                raise invalid_value(text, key="nuisances")
        return self
