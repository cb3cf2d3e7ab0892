r"""What publications of a $K^+\to\pi^+\nu\bar\nu$ measurement state.

One record holds every data-taking period of an experiment, and the data sets that were
published from them. A *category* is what was counted: one observed number. It has one
or more *subsets* with a sensitivity and backgrounds of their own; where two subsets
were counted together, only the sum of their events is known.

The response to a background of error $+u-d$ is given by
`bsmfit.channels.pi_nunu_likelihood`; the response to a sensitivity nuisance of relative
`size` is $(1 + \mathrm{size})^{-\theta}$ in the sensitivity.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from bsmfit.errors import closest_name
from bsmfit.records.quantity import Count, Quantity, quantity_check
from bsmfit.records.shared_entries import (
    ArxivNumber,
    Doi,
    NuisanceEntry,
    distinct_names,
)
from bsmfit.records.strict_model import (
    Items,
    NuisanceName,
    StrictModel,
    Text,
    first_duplicate,
    invalid_value,
)

__all__ = [
    "Background",
    "Category",
    "DataSet",
    "Normalisation",
    "PiNunuRecord",
    "SensitivityInputs",
    "SensitivityNuisance",
    "Subset",
]

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
SubsetName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=40)]
Efficiency = Annotated[Quantity, quantity_check("1", above=0.0, maximum=1.0)]
Rate = Annotated[Quantity, quantity_check("1", above=0.0)]
Events = Annotated[Quantity, quantity_check("events", above=0.0)]

# rounding of a sensitivity that is published to two digits
_AGREEMENT = 0.02


class Normalisation(StrictModel):
    r"""The decay $K^+\to\pi^+\pi^0$ that the signal is measured against.

    Attributes:
        branching_ratio: Its branching ratio [1].
        downscaling: Downscaling of its trigger [1].
    """

    branching_ratio: Efficiency
    downscaling: Rate


class SensitivityInputs(StrictModel):
    """The factors of a single-event sensitivity.

    Attributes:
        n_normalisation: Selected normalisation decays [events].
        acceptance_normalisation: Acceptance of the normalisation [1].
        acceptance_signal: Acceptance of the signal [1].
        veto_efficiency: Efficiency against random vetoes [1].
        trigger_efficiency: Efficiency of the signal trigger [1].
        remaining_error: Relative error of all else [1].
    """

    n_normalisation: Events
    acceptance_normalisation: Efficiency
    acceptance_signal: Efficiency
    veto_efficiency: Efficiency
    trigger_efficiency: Efficiency
    remaining_error: Annotated[Quantity, quantity_check("1", minimum=0.0)]


class Background(StrictModel):
    """One source of background in one subset.

    Attributes:
        name: The source.
        events: Expected events, with errors.
    """

    name: NuisanceName
    events: Events

    @model_validator(mode="after")
    def _has_errors(self) -> Background:
        events = self.events
        if not events.uncertainty:
            text = "is missing or 0; a background needs its error"
            raise invalid_value(text, key="events.uncertainty")
        down = events.uncertainty_down
        if down is not None and not 0.0 < down < events.value:
            text = f"is {down:g} events but must be > 0 and below {events.value:g}"
            raise invalid_value(text, key="events.uncertainty_down")
        return self


class Subset(StrictModel):
    """A period with a sensitivity and backgrounds of its own.

    Attributes:
        name: The subset, unique in the record.
        expected_standard_model: Signal events expected at the reference branching
            ratio; its error is that of the sensitivity alone.
        sensitivity: Branching ratio of one expected signal event [1], as published.
        inputs: The factors of the sensitivity, or None where they are not known.
        backgrounds: Backgrounds by source.
    """

    name: SubsetName
    expected_standard_model: Events
    sensitivity: Rate
    inputs: SensitivityInputs | None = None
    backgrounds: Annotated[
        Items[Background], Field(min_length=1), distinct_names("one entry per source")
    ]


class Category(StrictModel):
    """What was counted together.

    Attributes:
        name: The category, unique in the record.
        n_observed: Observed events, of all subsets together.
        subsets: The subsets whose events were counted.
    """

    name: Slug
    n_observed: Count
    subsets: Annotated[Items[Subset], Field(min_length=1)]


class SensitivityNuisance(NuisanceEntry):
    """An error that the sensitivities of several subsets share.

    Attributes:
        subsets: The subsets it acts on.
    """

    subsets: Annotated[Items[SubsetName], Field(min_length=1)]


class DataSet(StrictModel):
    """Categories that were published together.

    Attributes:
        id: Channel id, the name on the command line.
        title: What it is.
        texkey: Key of the publication in `refs.bib`.
        arxiv: arXiv number.
        doi: DOI of the publication, or None.
        categories: Names of the categories.
        caveats: What a user of the numbers must know.
    """

    id: Slug
    title: Text
    texkey: Text
    arxiv: ArxivNumber
    doi: Doi | None = None
    categories: Annotated[Items[Slug], Field(min_length=1)]
    caveats: Items[Text] = ()


class PiNunuRecord(StrictModel):
    r"""All periods of a $K^+\to\pi^+\nu\bar\nu$ measurement.

    Attributes:
        id: Name of the measurement; regions and nuisances begin with it.
        experiment: Experiment.
        reference_branching_ratio: Branching ratio [1] at which expected signal events
            are quoted; its error is external: it never enters a fit.
        normalisation: The normalisation decay.
        categories: What was counted.
        nuisances: Shared errors of the sensitivities; each subset is in exactly one.
        datasets: What was published together.
        caveats: What a user of the numbers must know.
    """

    id: Slug
    experiment: Text
    reference_branching_ratio: Rate
    normalisation: Normalisation
    categories: Annotated[Items[Category], Field(min_length=1)]
    nuisances: Items[SensitivityNuisance]
    datasets: Annotated[Items[DataSet], Field(min_length=1)]
    caveats: Items[Text] = ()

    @model_validator(mode="after")
    def _names_fit(self) -> PiNunuRecord:
        categories = [category.name for category in self.categories]
        subsets = [
            entry.name for category in self.categories for entry in category.subsets
        ]
        lists = {
            "categories": categories,
            "categories.subsets": subsets,
            "nuisances": [nuisance.name for nuisance in self.nuisances],
            "nuisances.subsets": [
                name for nuisance in self.nuisances for name in nuisance.subsets
            ],
            "datasets": [dataset.id for dataset in self.datasets],
        }
        for key, names in lists.items():
            twice = first_duplicate(names)
            if twice is not None:
                text = f"names {twice!r} twice"
                raise invalid_value(text, key=key.split(".")[0])
        _refuse_unknown(lists["nuisances.subsets"], subsets, key="nuisances")
        for subset in subsets:
            if subset not in lists["nuisances.subsets"]:
                text = f"has no entry for the subset {subset!r}; each needs one"
                raise invalid_value(text, key="nuisances")
        for dataset in self.datasets:
            _refuse_unknown(dataset.categories, categories, key="datasets")
        return self

    @model_validator(mode="after")
    def _sensitivities_agree(self) -> PiNunuRecord:
        reference = self.reference_branching_ratio.value
        for category in self.categories:
            for subset in category.subsets:
                implied = reference / subset.expected_standard_model.value
                stated = subset.sensitivity.value
                if abs(stated / implied - 1.0) > _AGREEMENT:
                    text = (
                        f"has sensitivity {stated:.4g} for the subset {subset.name!r}, "
                        f"but {reference:.4g} over expected_standard_model is "
                        f"{implied:.4g}; they must agree to {100 * _AGREEMENT:g} %"
                    )
                    raise invalid_value(text, key="categories")
        return self


def _refuse_unknown(
    given: tuple[str, ...] | list[str], known: list[str], *, key: str
) -> None:
    """Refuse a name that the record does not define."""
    for name in given:
        if name not in known:
            guess = closest_name(name, known)
            hint = f"; did you mean {guess!r}?" if guess else ""
            text = f"names {name!r}{hint} (known: {', '.join(known)})"
            raise invalid_value(text, key=key)
