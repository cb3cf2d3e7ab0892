"""Searches for one rare decay: records, channels and words."""

from __future__ import annotations

import math
from pathlib import Path

import jax.numpy as jnp

from bsmfit.catalogue.files import sha256_of
from bsmfit.catalogue.quantity_words import Section, quantity_in_words
from bsmfit.catalogue.records import channel_names, locate_channel
from bsmfit.catalogue.yaml_file import read_yaml, top_level_text
from bsmfit.channels.channel import ChannelNuisance
from bsmfit.channels.rare_decay import RareDecayChannel, RareDecayRegion
from bsmfit.channels.search_region import BackgroundTerm, LogResponse
from bsmfit.records.quantity import Quantity
from bsmfit.records.rare_decay_record import (
    BranchingRatioLimit,
    CountRegion,
    DecayBackground,
    RareDecayRecord,
)

__all__ = ["describe", "load_channel", "rare_decay_names", "read_rare_decay_record"]

_KIND = "rare-decay"
_UNKNOWN = (
    "neither the observed count nor the background is known here: zero events over no "
    "background are assumed, so that the expected limit means nothing"
)


def rare_decay_names() -> tuple[str, ...]:
    """Ids of the shipped searches for rare decays.

    Returns:
        Ids, sorted.

    Examples:
        >>> rare_decay_names()[0]
        'na62-mu-minus-nu-e-e'
    """
    return tuple(
        name
        for name in channel_names()
        if top_level_text(locate_channel(name), "kind") == _KIND
    )


def read_rare_decay_record(name: str | Path) -> RareDecayRecord:
    """Read the record of a search for a rare decay.

    Args:
        name: Channel id or folder name of a shipped search, or path of a record.

    Returns:
        The validated record.

    Raises:
        UnknownNameError: There is no shipped search of that name.
        DataFileError: The file is not a valid record.
    """
    return read_yaml(locate_channel(name), RareDecayRecord)


def load_channel(name: str | Path) -> RareDecayChannel:
    """Build the channel of a record.

    Args:
        name: Channel id, or path of a record.

    Returns:
        The channel.
    """
    path, record = locate_channel(name), read_rare_decay_record(name)
    value = record.sensitivity.value
    own = f"{record.id.replace('-', '_')}_sensitivity"
    has_error = bool(value.uncertainty)
    kappa = 1.0 + _relative(value)
    return RareDecayChannel(
        name=record.id,
        decay=record.decay,
        process=record.process,
        datasets=record.datasets,
        nuisances=(ChannelNuisance(own, kappa, "signal"),) if has_error else (),
        notes=_notes(record),
        is_count_known=record.is_count_known,
        is_independent=record.sensitivity.inferred_from_limit is None,
        inputs=((f"{path.parent.name}/{path.name}", sha256_of(path)),),
        changes=(),
        fingerprint="",
        single_event_sensitivity=jnp.asarray(value.value),
        counts=tuple(_region(record, region) for region in record.regions),
    ).as_published()


def describe(name: str | Path) -> list[Section]:
    """Describe a search for a rare decay.

    Args:
        name: Channel id.

    Returns:
        Sections of rows.
    """
    record = read_rare_decay_record(name)
    shared = [
        (
            entry.name,
            f"{entry.size:.3g} of {', '.join(entry.sources)} in all regions "
            f"[{entry.provenance}] {entry.source}",
        )
        for entry in record.nuisances
    ]
    return [
        (f"channel {record.id}", _head(record)),
        ("sensitivity", _sensitivity(record)),
        *[(f"region {region.name}", _counted(region)) for region in record.regions],
        *([("shared uncertainties", shared)] if shared else []),
        ("limits", _limits(record)),
        ("caveats", [("", text) for text in _notes(record)]),
    ]


def _relative(quantity: Quantity) -> float:
    """Uncertainty over value; 0 where there is none."""
    return (quantity.uncertainty or 0.0) / quantity.value if quantity.value else 0.0


def _region(record: RareDecayRecord, region: CountRegion) -> RareDecayRegion:
    # a search of one region is called by its own name
    name = record.id if len(record.regions) == 1 else f"{record.id}-{region.name}"
    return RareDecayRegion(
        name=name,
        has_signal=region.has_signal,
        n_observed=jnp.asarray(float(region.n_observed.value)),
        background=tuple(
            BackgroundTerm(
                entry.name,
                jnp.asarray(entry.events.value),
                _responses(record, name, entry),
            )
            for entry in region.backgrounds
        )
        or (BackgroundTerm("none", jnp.zeros(())),),
    )


def _responses(
    record: RareDecayRecord, region: str, entry: DecayBackground
) -> tuple[LogResponse, ...]:
    """The uncertainty of a source in its region, and those of the source everywhere."""
    own = f"{region}-{entry.name}".replace("-", "_")
    sizes = {own: _relative(entry.events)} if entry.events.uncertainty else {}
    sizes |= {n.name: n.size for n in record.nuisances if entry.name in n.sources}
    return tuple(LogResponse(name, math.log1p(size)) for name, size in sizes.items())


def _notes(record: RareDecayRecord) -> tuple[str, ...]:
    """Caveats of a record, what was assumed or inferred among them."""
    replaced = f"superseded by {record.superseded_by}, which contains its data"
    inferred = record.sensitivity.inferred_from_limit
    proves = "so that finding that limit again proves nothing"
    return (
        *([replaced] if record.superseded_by else []),
        *([_UNKNOWN] if not record.is_count_known else []),
        *(
            [f"inferred from the published limit: {inferred}; {proves}"]
            if inferred
            else []
        ),
        *record.caveats,
    )


def _head(record: RareDecayRecord) -> list[tuple[str, str]]:
    return [
        ("title", record.title),
        ("cite", f"{record.texkey}, arXiv:{record.arxiv}"),
        ("decay", record.decay),
        ("violates", record.violates),
        ("process", record.process),
        ("sample", record.sample),
        ("data", ", ".join(record.datasets)),
    ]


def _sensitivity(record: RareDecayRecord) -> list[tuple[str, str]]:
    given = record.sensitivity
    factors = {
        "kaon decays": given.n_kaon_decays,
        "acceptance": given.acceptance,
        "other efficiency": given.efficiency,
        "BR of the parent": given.parent_branching_ratio,
    }
    rows = [("BR of one event", quantity_in_words(given.value))]
    rows += [(key, quantity_in_words(one)) for key, one in factors.items() if one]
    if given.from_factors is not None:
        rows.append(("from its factors", f"{given.from_factors:.4g}"))
    return rows


def _counted(region: CountRegion) -> list[tuple[str, str]]:
    rows = [
        ("selection", region.selection),
        ("role", "signal" if region.has_signal else "sideband, without signal"),
        ("observed", quantity_in_words(region.n_observed)),
    ]
    rows += [(one.name, quantity_in_words(one.events)) for one in region.backgrounds]
    if region.total_background is not None:
        rows.append(("total as published", quantity_in_words(region.total_background)))
    return rows


def _limits(record: RareDecayRecord) -> list[tuple[str, str]]:
    def words(limit: BranchingRatioLimit) -> str:
        level = f"{100 * limit.confidence_level.value:g} % CL, {limit.method}"
        return f"{quantity_in_words(limit.value)} ({level})"

    rows = [("published", words(record.published_limit))]
    if record.earlier_limit is not None:
        rows.append(("before it", words(record.earlier_limit)))
    return rows
