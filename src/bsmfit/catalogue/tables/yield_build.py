"""Contract the acceptance of a search with production spectra into its yield table.

Needs no detector simulation: a change of a spectrum, a form factor or a cut on the
transverse momentum is a minute's work. The table lies beside the search's record.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from bsmfit._version import __version__
from bsmfit.catalogue.files import data_root, locate_geometry, sha256_of
from bsmfit.catalogue.records import (
    locate_channel,
    read_beam_dump_record,
    read_dump_geometry,
)
from bsmfit.catalogue.tables.acceptance_build import daughter_mass_of
from bsmfit.catalogue.tables.archive import write_archive
from bsmfit.catalogue.tables.physics_tables import load_proton_form_factor
from bsmfit.catalogue.tables.region_tables import RegionTables
from bsmfit.catalogue.tables.table_files import (
    BEAUTY_SPECTRA,
    KAON_SPECTRA,
    MESON_SPECTRA,
    meson_spectra_path,
    read_beauty_spectra,
    read_meson_spectra,
)
from bsmfit.detector.acceptance_table import AcceptanceTable
from bsmfit.detector.contraction import (
    DecayContraction,
    accepted_spectrum,
    momentum_nodes,
)
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.alp_dump_production import ALP_DUMP_PROCESSES
from bsmfit.physics.alp_mixing import ALP_MIXINGS
from bsmfit.physics.beauty_production import (
    PAIRS_PER_PROTON,
    beauty_decay_points,
    parent_spectrum,
)
from bsmfit.physics.beauty_to_strange import BEAUTY_PROCESSES
from bsmfit.physics.bremsstrahlung import (
    MOMENTUM_FRACTION_MAX,
    MOMENTUM_FRACTION_MIN,
    TRANSVERSE_MOMENTUM_MAX,
    bremsstrahlung_rate,
)
from bsmfit.physics.dark_photon import DARK_PHOTON_PROCESSES
from bsmfit.physics.dump_kaon_production import (
    KAON_INTERACTION_LENGTH,
    dump_kaon_points,
    dump_kaon_spectrum,
)
from bsmfit.physics.dump_kaons import DUMP_KAON_PROCESSES
from bsmfit.physics.gauge_invariant_bremsstrahlung import (
    GAUGE_INVARIANT,
    gauge_invariant_rate,
)
from bsmfit.physics.hadronic_final_states import CHARGED_PAIR_STATES
from bsmfit.physics.meson_decay import MESON_DECAYS
from bsmfit.physics.primakoff import COPPER, NUCLEI, PRIMAKOFF, Nucleus
from bsmfit.physics.primakoff_spectrum import (
    PHOTON_SOURCES,
    photon_points,
    primakoff_points,
)
from bsmfit.physics.production_spectrum import (
    MesonSpectrum,
    SpectrumPoints,
    bremsstrahlung_points,
    decay_points,
    mixing_points,
)
from bsmfit.physics.vector_mixing import VECTOR_MIXINGS
from bsmfit.records.beam_dump_record import BeamDumpRecord

__all__ = [
    "DUMP_PROCESSES",
    "REDUCED_LIFETIMES",
    "build_yields",
    "process_points",
    "processes_at",
    "transverse_share",
    "write_yields",
]

DUMP_PROCESSES = (
    *DARK_PHOTON_PROCESSES,
    *BEAUTY_PROCESSES,
    *DUMP_KAON_PROCESSES,
    *ALP_DUMP_PROCESSES,
)
"""Production processes that have yields in a beam dump, by name."""

_OF_LIGHT_MESONS = (*MESON_DECAYS, *VECTOR_MIXINGS, *ALP_DUMP_PROCESSES)

REDUCED_LIFETIMES = np.linspace(-np.log(700.0), np.log(1.0e5), 129)
"""Nodes of the reduced lifetime, from 700 decay lengths to the volume to 1e-5."""

_POINTS_PER_BIN = 64
_BEAUTY_POINTS_PER_BIN = 512
_SEED = 400
_GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)
_FORM_FACTOR_END = 2.0
"""Last mass of the proton form factors [GeV], where the dark photon ends too; heavier
nodes keep the value."""

_NO_YIELD = -1.0e4
"""Reduced log yield that stands for no accepted particle at all."""

_SOFTEST, _WIDEST = 15.0, 0.04
"""Mesons below this momentum [GeV] or beyond this angle [rad] cannot contribute:
the acceptance ends at 20 GeV and 9 mrad. B mesons have no such limit on the angle: what
they decay to turns away from theirs by more than it. A window that softer particles
reach, or wider ones, has no limits on mesons but the momentum of what they decay to."""


def processes_at(beam_momentum: float, final_state: str = "ee") -> tuple[str, ...]:
    """Processes of which there are spectra.

    Args:
        beam_momentum: Momentum of the beam [GeV].
        final_state: Final state; a vector does not decay to two photons.

    Returns:
        Names out of `DUMP_PROCESSES`: bremsstrahlung at any momentum, decays and mixing
        of light mesons, decays of kaons and of B mesons where they were simulated.
    """
    has_mesons = beam_momentum in MESON_SPECTRA
    has_beauty = beam_momentum in BEAUTY_SPECTRA
    has_kaons = beam_momentum in KAON_SPECTRA
    return tuple(
        process
        for process in DUMP_PROCESSES
        if (has_mesons or process not in _OF_LIGHT_MESONS)
        and (has_beauty or process not in BEAUTY_PROCESSES)
        and (has_kaons or process not in DUMP_KAON_PROCESSES)
        and (final_state != "gammagamma" or process not in DARK_PHOTON_PROCESSES)
    )


def _meson_range(acceptance: AcceptanceTable) -> tuple[float, float]:
    """Lowest momentum [GeV] and largest angle [rad] of mesons that can contribute."""
    lowest, widest = float(acceptance.momenta[0]), float(acceptance.angles[-1])
    if lowest >= 10.0 and widest <= 0.0091:
        return _SOFTEST, _WIDEST
    return lowest, np.inf


@lru_cache(maxsize=8)
def _meson_spectra(
    sample: str, beam_momentum: float, momentum_min: float, angle_max: float
) -> dict[str, MesonSpectrum]:
    spectra = read_meson_spectra(sample, beam_momentum=beam_momentum)
    return {
        name: spectrum.within(momentum_min=momentum_min, angle_max=angle_max)
        for name, spectrum in spectra.items()
    }


@lru_cache(maxsize=2)
def _photons(sample: str, beam_momentum: float, *meson_range: float) -> SpectrumPoints:
    """Photons of the dump, from all decays that make them."""
    spectra = _meson_spectra(sample, beam_momentum, *meson_range)
    unit = _unit_points(dimension=6)[:, :4]
    decays = [MESON_DECAYS[name] for name in PHOTON_SOURCES]
    parts = [photon_points(spectra[d.meson], d, unit_points=unit) for d in decays]
    momentum, angle, weight = (
        np.concatenate(values) for values in zip(*(p[:3] for p in parts), strict=True)
    )
    return SpectrumPoints(momentum, angle, weight)


def _primakoff_points(
    photons: SpectrumPoints, mass: float, nucleus: Nucleus
) -> SpectrumPoints:
    unit = _unit_points(dimension=6)[:, 4:]
    bins = np.arange(photons.weight.size // unit.shape[0])
    # other transfers in every bin: the same in all would be wrong the same way in all
    shifts = bins[:, None, None] * np.array([_GOLDEN, np.sqrt(2.0)])
    shifted = ((unit[None] + shifts) % 1.0).reshape(-1, 2)
    return primakoff_points(photons, mass, nucleus=nucleus, unit_points=shifted)


@lru_cache(maxsize=1)
def _beauty_spectrum() -> MesonSpectrum:
    spectrum = parent_spectrum(read_beauty_spectra())
    return spectrum.within(momentum_min=_SOFTEST, angle_max=np.inf)


@lru_cache(maxsize=2)
def _beauty_points(
    recoil_mass: float, mass: float, momentum_min: float, angle_max: float
) -> SpectrumPoints:
    return beauty_decay_points(
        _beauty_spectrum(),
        recoil_mass,
        mass,
        unit_points=_unit_points(_BEAUTY_POINTS_PER_BIN),
        momentum_min=momentum_min,
        angle_max=angle_max,
    )


def process_points(
    process: str,
    mass: float,
    *,
    beam_momentum: float,
    sample: str = "pp_inelastic",
    transverse_momentum_max: float = TRANSVERSE_MOMENTUM_MAX,
    reach: tuple[float, float] = (0.0, np.inf),
    meson_range: tuple[float, float] = (_SOFTEST, _WIDEST),
    nucleus: Nucleus = COPPER,
) -> SpectrumPoints:
    """Spectrum of a production process in the dump at unit strength.

    Args:
        process: Name of the process, out of `DUMP_PROCESSES`.
        mass: Mass [GeV].
        beam_momentum: Momentum of the beam [GeV].
        sample: Sample of meson spectra.
        transverse_momentum_max: Largest transverse momentum of bremsstrahlung [GeV].
        reach: Smallest momentum [GeV] and largest angle [rad] of particles that matter;
            of B mesons, a few per cent of whose daughters do, others are left out.
        meson_range: Lowest momentum [GeV] and largest angle [rad] of light mesons.
        nucleus: Nucleus of the dump, for photons.

    Returns:
        The spectrum, particles per inelastic interaction.

    Raises:
        UnknownNameError: An unknown process.
    """
    if process not in DUMP_PROCESSES:
        kind = "production process"
        raise UnknownNameError.from_choices(kind, process, DUMP_PROCESSES)
    if process in BEAUTY_PROCESSES:
        return _beauty_points(BEAUTY_PROCESSES[process].recoil_mass, mass, *reach)
    if process in DUMP_KAON_PROCESSES:
        kaon = DUMP_KAON_PROCESSES[process]
        sample = KAON_SPECTRA[beam_momentum]
        spectra = _meson_spectra(sample, beam_momentum, *meson_range)
        spectrum = dump_kaon_spectrum(spectra, kaon)
        return dump_kaon_points(spectrum, kaon, mass, unit_points=_unit_points())
    if process in MESON_DECAYS:
        decay = MESON_DECAYS[process]
        spectrum = _meson_spectra(sample, beam_momentum, *meson_range)[decay.meson]
        return decay_points(spectrum, decay, mass, unit_points=_unit_points())
    if process == PRIMAKOFF:
        photons = _photons(sample, beam_momentum, *meson_range)
        return _primakoff_points(photons, mass, nucleus)
    mixings = VECTOR_MIXINGS | ALP_MIXINGS
    if process in mixings:
        mixing = mixings[process]
        return mixing_points(
            _meson_spectra(sample, beam_momentum, *meson_range)[mixing.meson],
            mixing,
            mass,
            beam_momentum=beam_momentum,
            unit_points=_unit_points(),
        )

    def rate(fraction: np.ndarray, pt_squared: np.ndarray) -> np.ndarray:
        z, q = jnp.asarray(fraction), jnp.asarray(pt_squared)
        if process == GAUGE_INVARIANT:
            at = jnp.asarray(min(mass, _FORM_FACTOR_END))
            dirac, pauli = load_proton_form_factor()(at)
            return np.asarray(
                gauge_invariant_rate(
                    z,
                    q,
                    jnp.full_like(z, mass),
                    dirac=dirac,
                    pauli=pauli,
                    beam_momentum=beam_momentum,
                )
            )
        return np.asarray(
            bremsstrahlung_rate(
                process, z, q, jnp.full_like(z, mass), beam_momentum=beam_momentum
            )
        )

    return bremsstrahlung_points(
        rate,
        mass,
        beam_momentum=beam_momentum,
        fraction_range=(MOMENTUM_FRACTION_MIN, MOMENTUM_FRACTION_MAX),
        transverse_momentum_max=transverse_momentum_max,
    )


def _unit_points(n_point: int = _POINTS_PER_BIN, dimension: int = 4) -> np.ndarray:
    # scipy.stats is slow to import, and only those who make tables need it
    from scipy.stats import qmc

    return qmc.Sobol(dimension, rng=_SEED).random(n_point)


def _nucleus_of(material: str) -> Nucleus:
    if material not in NUCLEI:
        known = ", ".join(NUCLEI)
        msg = f"no nucleus of {material!r} for photons in the dump (known: {known})"
        raise InputError(msg)
    return NUCLEI[material]


def build_yields(
    acceptance: AcceptanceTable,
    *,
    origin: float,
    beam_momentum: float,
    processes: tuple[str, ...] = DUMP_PROCESSES,
    polarisation: Callable[[float], float] = lambda mass: 0.0,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> np.ndarray:
    """Contract an acceptance table with the spectra of production processes.

    Args:
        acceptance: The acceptance of a search.
        origin: Where the particles are made [m].
        beam_momentum: Momentum of the beam [GeV].
        processes: Production processes.
        polarisation: Share of the second moment of the acceptance that a particle has
            which is transverse about its flight, by mass; see `transverse_share`.
        progress: Called with (masses done, masses in all).
        **options: Passed to `process_points`.

    Returns:
        Reduced log yield G, [mass, reduced lifetime, process].
    """
    contraction = DecayContraction.from_geometry(
        momentum_nodes(acceptance.momenta),
        reduced_lifetimes=REDUCED_LIFETIMES,
        vertices=acceptance.vertices,
        origin=origin,
        beam_momentum=beam_momentum,
    )
    grid = (acceptance.momenta, acceptance.angles)
    reach = (float(acceptance.momenta[0]), float(acceptance.angles[-1]))
    options.setdefault("reach", reach)
    options.setdefault("meson_range", _meson_range(acceptance))
    shape = (acceptance.masses.size, REDUCED_LIFETIMES.size, len(processes))
    reduced = np.empty(shape, dtype=np.float32)
    for i, mass in enumerate(acceptance.masses):
        values = acceptance.acceptance[i].astype(float)
        polarised = None
        if acceptance.alignment is not None:
            share = polarisation(float(mass))
            polarised = share * acceptance.alignment[i].astype(float)
        for k, process in enumerate(processes):
            points = process_points(
                process, float(mass), beam_momentum=beam_momentum, **options
            )
            spectrum = accepted_spectrum(
                *points, grid=grid, acceptance=values, polarised=polarised
            )
            log_yield = contraction.reduced_log_yield(spectrum)
            reduced[i, :, k] = np.maximum(log_yield, _NO_YIELD)
        if progress is not None:
            progress(i + 1, acceptance.masses.size)
    return reduced


def transverse_share(final_state: str, mass: float) -> float:
    r"""Weight of the second moment for the decay of a transverse vector.

    $1+\lambda\cos^2\theta$, normalised: $\lambda/(1+\lambda/3)$. Two leptons have
    $\lambda=(1-x)/(1+x)$, $x=4m_\ell^2/m^2$, and the weight $3(1-x)/(4+2x)$: 3/4 for
    light leptons, 0 at threshold. Pseudoscalars with a spin axis have $\lambda=-1$, and
    the weight -3/2.

    Args:
        final_state: Final state; one that is neither leptons nor has a spin axis is
            isotropic.
        mass: Mass [GeV].

    Returns:
        The weight.

    Examples:
        >>> transverse_share("ee", 0.3)  # doctest: +ELLIPSIS
        0.7499...
    """
    if final_state in CHARGED_PAIR_STATES:
        return -1.5 if CHARGED_PAIR_STATES[final_state].spin_axis else 0.0
    if final_state not in ("ee", "mumu"):
        return 0.0
    x = min((2.0 * daughter_mass_of(final_state) / mass) ** 2, 1.0)
    return 3.0 * (1.0 - x) / (4.0 + 2.0 * x)


def write_yields(
    path: Path,
    channel: str | Path,
    acceptance: AcceptanceTable,
    *,
    acceptance_path: Path,
    progress: Callable[[int, int], None] | None = None,
    record: BeamDumpRecord | RegionTables | None = None,
) -> None:
    """Make the yield table of a search and write it.

    Args:
        path: The file.
        channel: Channel id, or path of a record.
        acceptance: The acceptance of the search.
        acceptance_path: File of the acceptance, whose digest is recorded.
        progress: Called with (masses done, masses in all).
        record: Its id, final state, geometry and selection; those of the channel's
            record where None.

    Raises:
        InputError: A dump of another material than those of `NUCLEI`.
        OutputError: The file cannot be written.
    """
    record = record or read_beam_dump_record(channel)
    folder = locate_channel(channel).parent
    geometry_file = locate_geometry(record.geometry, beside=folder)
    geometry = read_dump_geometry(record.geometry, beside=folder)
    origin = geometry.dump.impact_point.z.value
    momentum = geometry.beam.momentum.value
    processes = processes_at(momentum, record.final_state)
    reduced = build_yields(
        acceptance,
        origin=origin,
        beam_momentum=momentum,
        processes=processes,
        nucleus=_nucleus_of(geometry.dump.layers[0].material),
        polarisation=lambda mass: transverse_share(record.final_state, mass),
        progress=progress,
    )
    metadata: dict[str, Any] = {
        "content": "reduced log yield ln Y + exp(-u) [mass, reduced lifetime, process]",
        "units": {"masses": "GeV", "reduced_lifetimes": "1"},
        "normalisation": "accepted decays per proton on target, one inelastic "
        "interaction each, at unit production strength and unit branching ratio",
        "channel": record.id,
        "final_state": record.final_state,
        "selection": record.selection.model_dump(mode="json"),
        "distance_m": float(acceptance.vertices[0] - origin),
        "beam_momentum_gev": momentum,
        "bremsstrahlung": {
            "momentum_fraction": [MOMENTUM_FRACTION_MIN, MOMENTUM_FRACTION_MAX],
            "transverse_momentum_max_gev": TRANSVERSE_MOMENTUM_MAX,
        },
        "primakoff_nucleus": geometry.dump.layers[0].material,
        "polarisation": "transverse about the flight (bremsstrahlung) or the flight "
        "from the meson (decays); none (mixing)",
        "meson_points_per_bin": _POINTS_PER_BIN,
        "beauty_points_per_bin": _BEAUTY_POINTS_PER_BIN,
        "beauty_pairs_per_proton": PAIRS_PER_PROTON,
        "kaon_interaction_length_m": KAON_INTERACTION_LENGTH,
        "seed": _SEED,
        "provenance": "computed",
        "made_by": f"bsmfit {__version__}, bsmfit tables build",
        "acceptance_sha256": sha256_of(acceptance_path),
        "geometry_sha256": sha256_of(geometry_file),
    }
    if momentum in MESON_SPECTRA:
        spectra = meson_spectra_path("pp_inelastic", momentum)
        metadata["meson_spectra_sha256"] = sha256_of(spectra)
    if momentum in KAON_SPECTRA:
        kaons = meson_spectra_path(KAON_SPECTRA[momentum], momentum)
        metadata["kaon_spectra_sha256"] = sha256_of(kaons)
    if momentum in BEAUTY_SPECTRA:
        beauty = data_root() / BEAUTY_SPECTRA[momentum]
        metadata["beauty_spectra_sha256"] = sha256_of(beauty)
    arrays = {
        "masses": acceptance.masses,
        "reduced_lifetimes": REDUCED_LIFETIMES,
        "processes": np.array(processes),
        "reduced_log_yield": reduced,
    }
    write_archive(path, arrays, metadata)
