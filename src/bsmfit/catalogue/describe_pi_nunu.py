"""Measurements of K+ -> pi+ nu nu in words."""

from __future__ import annotations

from bsmfit.catalogue.quantity_words import Section, quantity_in_words
from bsmfit.catalogue.records import read_pi_nunu_record
from bsmfit.records.pi_nunu_record import Category, Subset
from bsmfit.records.quantity import Quantity

__all__ = ["describe_pi_nunu"]


def describe_pi_nunu(name: str) -> list[Section]:
    """Describe a measurement of K+ -> pi+ nu nu.

    Args:
        name: Id of the data set.

    Returns:
        Sections of rows.
    """
    record = read_pi_nunu_record(name)
    dataset = next(entry for entry in record.datasets if entry.id == name)
    normalisation = record.normalisation
    head = [
        ("title", dataset.title),
        ("cite", f"{dataset.texkey}, arXiv:{dataset.arxiv}"),
        ("periods", ", ".join(dataset.categories)),
        ("reference", quantity_in_words(record.reference_branching_ratio)),
        ("BR(K+ -> pi+ pi0)", quantity_in_words(normalisation.branching_ratio)),
        ("downscaling", quantity_in_words(normalisation.downscaling)),
    ]
    kept = [one for one in record.categories if one.name in dataset.categories]
    subsets = {subset.name for category in kept for subset in category.subsets}
    nuisances = [
        (
            entry.name,
            f"{entry.size:.3g} of the sensitivity of "
            f"{', '.join(one for one in entry.subsets if one in subsets)} "
            f"[{entry.provenance}] {entry.source}",
        )
        for entry in record.nuisances
        if subsets & set(entry.subsets)
    ]
    return [
        (f"measurement {dataset.id}", head),
        *[(f"period {category.name}", _category(category)) for category in kept],
        ("nuisances", nuisances),
        ("caveats", [("", text) for text in (*dataset.caveats, *record.caveats)]),
    ]


def _category(category: Category) -> list[tuple[str, str]]:
    """Counts, sensitivities and backgrounds of a period."""
    rows = [("observed", quantity_in_words(category.n_observed))]
    for subset in category.subsets:
        prefix = f"{subset.name}: " if len(category.subsets) > 1 else ""
        rows += [(f"{prefix}{key}", text) for key, text in _subset(subset)]
    return rows


def _subset(subset: Subset) -> list[tuple[str, str]]:
    """Sensitivity, its factors and backgrounds."""
    rows = [
        ("expected at reference", quantity_in_words(subset.expected_standard_model)),
        ("sensitivity", quantity_in_words(subset.sensitivity)),
    ]
    if subset.inputs is not None:
        rows += [
            (key.replace("_", " "), quantity_in_words(value))
            for key, value in subset.inputs
            if isinstance(value, Quantity)
        ]
    return rows + [
        (f"background {entry.name}", quantity_in_words(entry.events))
        for entry in subset.backgrounds
    ]
