r"""Build channels of the $K^+\to\pi^+\nu\bar\nu$ measurement from its record."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.catalogue.files import sha256_of
from bsmfit.catalogue.records import locate_pi_nunu, read_pi_nunu_record
from bsmfit.channels.pi_nunu import (
    BackgroundSource,
    PiNunuCategory,
    PiNunuChannel,
    PiNunuSubset,
    SensitivityNuisance,
)
from bsmfit.channels.pi_nunu_sensitivity import (
    SensitivityErrors,
    SensitivityFactors,
    single_event_sensitivity,
)
from bsmfit.core.argument import choice
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.records.pi_nunu_record import (
    Category,
    DataSet,
    PiNunuRecord,
    SensitivityInputs,
    Subset,
)
from bsmfit.records.quantity import Quantity

__all__ = [
    "SENSITIVITIES",
    "load_pi_nunu",
    "sensitivity_errors",
    "sensitivity_factors",
]

SENSITIVITIES = ("stated", "computed")
"""Where sensitivities come from: the published signal events, or their factors."""


def load_pi_nunu(name: str, *, sensitivity: str = "stated") -> PiNunuChannel:
    """Build the channel of a data set.

    Args:
        name: Id of the data set.
        sensitivity: ``"stated"``, the reference branching ratio over the published
            signal events, which carry one digit more than the published
            sensitivities; or ``"computed"`` from the factors, where a subset has them.

    Returns:
        The channel.

    Raises:
        UnknownNameError: There is no such data set, or no such choice.
        DataFileError: The record is not valid.

    Examples:
        >>> load_pi_nunu("na62-pi-nunu-run1").n_observed
        20
    """
    choice("choice of sensitivity", sensitivity, SENSITIVITIES)
    path = locate_pi_nunu(name)
    record = read_pi_nunu_record(name)
    dataset = next(entry for entry in record.datasets if entry.id == name)
    categories = tuple(
        _category(record, category, is_computed=sensitivity == "computed")
        for category in record.categories
        if category.name in dataset.categories
    )
    reference = record.reference_branching_ratio
    return PiNunuChannel(
        name=name,
        measurement=record.id,
        nuisances=_nuisances(record, dataset),
        inputs=((f"{path.parent.name}/{path.name}", sha256_of(path)),),
        categories=categories,
        reference_branching_ratio=_float(reference.value),
        reference_error=_float(reference.uncertainty or 0.0),
    )


def sensitivity_factors(record: PiNunuRecord, subset: str) -> SensitivityFactors:
    """The factors of the sensitivity of a subset.

    Args:
        record: The record.
        subset: Name of the subset.

    Returns:
        The factors.

    Raises:
        UnknownNameError: There is no such subset.
        InputError: The record has no factors for it.
    """
    inputs, normalisation = _inputs(record, subset), record.normalisation
    return SensitivityFactors(
        branching_ratio=_float(normalisation.branching_ratio.value),
        downscaling=_float(normalisation.downscaling.value),
        n_normalisation=_float(inputs.n_normalisation.value),
        acceptance_normalisation=_float(inputs.acceptance_normalisation.value),
        acceptance_signal=_float(inputs.acceptance_signal.value),
        veto_efficiency=_float(inputs.veto_efficiency.value),
        trigger_efficiency=_float(inputs.trigger_efficiency.value),
    )


def sensitivity_errors(record: PiNunuRecord, subset: str) -> SensitivityErrors:
    """The relative errors of these factors.

    Args:
        record: The record.
        subset: Name of the subset.

    Returns:
        Relative errors; 0 where the record has none.

    Raises:
        UnknownNameError: There is no such subset.
        InputError: The record has no factors for it.
    """
    inputs = _inputs(record, subset)

    def relative(quantity: Quantity) -> Float[Array, ""]:
        return _float((quantity.uncertainty or 0.0) / quantity.value)

    return SensitivityErrors(
        branching_ratio=relative(record.normalisation.branching_ratio),
        acceptance_normalisation=relative(inputs.acceptance_normalisation),
        acceptance_signal=relative(inputs.acceptance_signal),
        veto_efficiency=relative(inputs.veto_efficiency),
        trigger_efficiency=relative(inputs.trigger_efficiency),
        remaining=_float(inputs.remaining_error.value),
    )


def _inputs(record: PiNunuRecord, name: str) -> SensitivityInputs:
    subsets = {s.name: s for category in record.categories for s in category.subsets}
    if name not in subsets:
        kind = "subset"
        raise UnknownNameError.from_choices(kind, name, subsets)
    inputs = subsets[name].inputs
    if inputs is None:
        known = ", ".join(key for key, subset in subsets.items() if subset.inputs)
        msg = f"the record has no sensitivity factors for {name!r} (it has: {known})"
        raise InputError(msg)
    return inputs


def _category(
    record: PiNunuRecord, category: Category, *, is_computed: bool
) -> PiNunuCategory:
    return PiNunuCategory(
        name=category.name,
        n_observed=category.n_observed.value,
        subsets=tuple(
            _subset(record, subset, is_computed=is_computed)
            for subset in category.subsets
        ),
    )


def _subset(record: PiNunuRecord, subset: Subset, *, is_computed: bool) -> PiNunuSubset:
    expected = subset.expected_standard_model
    value = _float(record.reference_branching_ratio.value / expected.value)
    if is_computed and subset.inputs is not None:
        value = single_event_sensitivity(sensitivity_factors(record, subset.name))
    return PiNunuSubset(
        name=subset.name,
        sensitivity=value,
        relative_error=_float((expected.uncertainty or 0.0) / expected.value),
        backgrounds=tuple(
            _background(entry.name, entry.events) for entry in subset.backgrounds
        ),
    )


def _background(name: str, events: Quantity) -> BackgroundSource:
    up = events.uncertainty or 0.0
    down = up if events.uncertainty_down is None else events.uncertainty_down
    return BackgroundSource(
        name=name,
        is_symmetric=events.uncertainty_down is None,
        events=_float(events.value),
        error_up=_float(up),
        error_down=_float(down),
    )


def _nuisances(
    record: PiNunuRecord, dataset: DataSet
) -> tuple[SensitivityNuisance, ...]:
    """Shared errors of the sensitivities of the categories of a data set."""
    kept = {
        subset.name
        for category in record.categories
        if category.name in dataset.categories
        for subset in category.subsets
    }
    return tuple(
        SensitivityNuisance(
            name=entry.name,
            kappa=1.0 + entry.size,
            subsets=tuple(name for name in entry.subsets if name in kept),
        )
        for entry in record.nuisances
        if kept & set(entry.subsets)
    )


def _float(value: float) -> Float[Array, ""]:
    return jnp.asarray(float(value))
