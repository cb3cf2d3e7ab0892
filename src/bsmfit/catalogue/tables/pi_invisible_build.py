"""Simulate the shipped table of a search for K+ -> pi+ X: selection in, table out.

The table lies beside the search's record, states its inputs, and comes out the same
when made again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from bsmfit._version import __version__
from bsmfit.catalogue.files import locate_geometry, locate_kaon_setup, sha256_of
from bsmfit.catalogue.records import (
    locate_channel,
    read_geometry,
    read_kaon_setup,
    read_pi_invisible_record,
)
from bsmfit.catalogue.spectrometers import make_spectrometer
from bsmfit.catalogue.tables.archive import write_archive
from bsmfit.detector.invisible_table import (
    DataSample,
    InvisibleSearch,
    InvisibleTable,
    make_invisible_table,
)
from bsmfit.detector.kaon_decays import N_COORDINATE, KaonBeam
from bsmfit.detector.missing_mass import TrackingErrors
from bsmfit.physics.kaon_to_pion_neutrinos import neutrino_pair_spectrum
from bsmfit.records.kaon_setup_record import KaonSetupRecord
from bsmfit.records.pi_invisible_record import SampleRecord

__all__ = [
    "build_invisible_table",
    "invisible_search",
    "mass_nodes",
    "table_inputs",
    "write_invisible_table",
]

_WORDS = ("provenance", "source")
LOG2_POINTS = 15
SEED = 2103
LOG_RATES = np.linspace(-16.0, 4.0, 81)
"""Nodes of ln[m/(c tau)], from 1e7 to 2e-2 metres for 1 GeV."""


def mass_nodes() -> np.ndarray:
    """Mass nodes of the tables: 2 MeV steps up to 350 MeV, and the end of phase space.

    Returns:
        Masses [GeV].
    """
    return np.linspace(0.0, 0.350, 176)


def build_invisible_table(
    channel: str | Path,
    *,
    log2_points: int = LOG2_POINTS,
    masses: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> InvisibleTable:
    """Simulate a search.

    Args:
        channel: Channel id, or path of a record.
        log2_points: Binary logarithm of the number of simulated decays per mass.
        masses: Masses [GeV]; `mass_nodes` by default.
        progress: Called with (masses done, masses in all).

    Returns:
        The table.

    Raises:
        UnknownNameError: No such channel.
        DataFileError: A record is not valid.
    """
    # scipy.stats is slow to import, and only those who make tables need it
    from scipy.stats import qmc

    sampler = qmc.Sobol(N_COORDINATE, scramble=True, rng=np.random.default_rng(SEED))
    return make_invisible_table(
        invisible_search(channel),
        mass_nodes() if masses is None else masses,
        log_rates=LOG_RATES,
        points=sampler.random_base2(log2_points),
        neutrino_spectrum=neutrino_pair_spectrum,
        progress=progress,
    )


def invisible_search(channel: str | Path) -> InvisibleSearch:
    """From the records of a search to what its simulation needs.

    Args:
        channel: Channel id, or path of a record.

    Returns:
        Beam, spectrometer, errors, samples and the end of the veto.
    """
    record = read_pi_invisible_record(channel)
    folder = locate_channel(channel).parent
    setup = read_kaon_setup(record.setup, beside=folder)
    beside = locate_kaon_setup(record.setup, beside=folder).parent
    total = sum(sample.expected_events.value for sample in record.samples)
    return InvisibleSearch(
        beam=KaonBeam(
            momentum=jnp.asarray(setup.beam.momentum.value),
            momentum_spread=jnp.asarray(setup.beam.momentum_spread.value),
            start=jnp.asarray(setup.decay_volume.start.value),
            end=jnp.asarray(setup.decay_volume.end.value),
        ),
        spectrometer=make_spectrometer(
            read_geometry(setup.geometry, beside=beside), detectors=setup.detectors
        ),
        errors=_tracking(setup),
        samples=tuple(_sample(sample, total) for sample in record.samples),
        veto_end=jnp.asarray(setup.veto_end.value),
    )


def table_inputs(channel: str | Path) -> dict[str, Any]:
    """Every input that the table of a search depends on.

    Args:
        channel: Channel id, or path of a record.

    Returns:
        Numbers and digests that a table states in its metadata.
    """
    record = read_pi_invisible_record(channel)
    folder = locate_channel(channel).parent
    setup = read_kaon_setup(record.setup, beside=folder)
    beside = locate_kaon_setup(record.setup, beside=folder).parent
    return {
        "geometry_sha256": sha256_of(locate_geometry(setup.geometry, beside=beside)),
        "beam": _numbers(setup.beam.model_dump(mode="json")),
        "decay_volume": _numbers(setup.decay_volume.model_dump(mode="json")),
        "detectors": list(setup.detectors),
        "tracking": _numbers(setup.tracking.model_dump(mode="json")),
        "veto_end": setup.veto_end.value,
        "samples": [_numbers(s.model_dump(mode="json")) for s in record.samples],
    }


def write_invisible_table(
    path: Path,
    channel: str | Path,
    table: InvisibleTable,
    *,
    log2_points: int = LOG2_POINTS,
) -> None:
    """Write the table of a search.

    Args:
        path: The file.
        channel: Channel id, or path of a record.
        table: The table.
        log2_points: Binary logarithm of the number of simulated decays per mass.

    Raises:
        OutputError: The file cannot be written.
    """
    metadata = {
        "content": "r(m), resolution, density of pi nu nu, escape [mass, rate, (g, h)]",
        "units": {"masses": "GeV", "resolution": "GeV^2", "neutrino_density": "GeV^-2"},
        "channel": read_pi_invisible_record(channel).id,
        "provenance": "computed",
        "made_by": f"bsmfit {__version__}, bsmfit tables build",
        "points": 2**log2_points,
        "seed": SEED,
        "inputs": table_inputs(channel),
        "first_region_share": table.first_region_share,
    }
    arrays = {
        "masses": table.masses,
        "log_rates": table.log_rates,
        "acceptance_ratio": table.acceptance_ratio,
        "acceptance_error": table.acceptance_error.astype(np.float32),
        "resolution": table.resolution,
        "neutrino_density": table.neutrino_density,
        "escape": table.escape,
        "neutrino_acceptance": table.neutrino_acceptance,
    }
    write_archive(path, arrays, metadata)


def _tracking(setup: KaonSetupRecord) -> TrackingErrors:
    """Errors of the tracking as arrays."""
    tracking = setup.tracking

    def pair(low: float, high: float) -> jnp.ndarray:
        return jnp.asarray(np.array([low, high]))

    return TrackingErrors(
        kaon_momentum=jnp.asarray(tracking.kaon_momentum.value),
        kaon_angle=jnp.asarray(tracking.kaon_angle.value),
        pion_momentum=jnp.asarray(tracking.pion_momentum.value),
        pion_momentum_slope=jnp.asarray(tracking.pion_momentum_slope.value),
        pion_angle_momenta=pair(
            tracking.momentum_low.value, tracking.momentum_high.value
        ),
        pion_angles=pair(tracking.pion_angle_low.value, tracking.pion_angle_high.value),
    )


def _sample(sample: SampleRecord, total: float) -> DataSample:
    """The windows of a sample as arrays."""

    def windows(name: str) -> jnp.ndarray:
        ends = [getattr(region, name) for region in sample.regions]
        return jnp.asarray(np.array([[window.low, window.high] for window in ends]))

    return DataSample(
        fraction=jnp.asarray(sample.expected_events.value / total),
        missing_mass_squared=windows("missing_mass_squared"),
        momentum=windows("momentum"),
    )


def _numbers(content: object) -> object:
    """The numbers and names of a record, without their sources."""
    if isinstance(content, dict):
        if "value" in content:
            return content["value"]
        kept = {key: value for key, value in content.items() if key not in _WORDS}
        return {key: _numbers(value) for key, value in kept.items()}
    if isinstance(content, list | tuple):
        return [_numbers(entry) for entry in content]
    return content
