"""Simulated decays of dark photons in a dump search, for studies of cuts.

A production spectrum of the package gives a particle, the decay law a vertex, the
package's kinematics two tracks, and the package's spectrometer a verdict. The package's
acceptance and yield tables are not used, so that the two check each other. Cuts that no
publication states become masks on the same decays: their ratios have small errors.

The vertices are drawn for several couplings at once and weighted with the density of
the mixture: one sample serves all couplings around an edge.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

from bsmfit.catalogue.channels import load_channel
from bsmfit.catalogue.models import load_model
from bsmfit.catalogue.records import read_beam_dump_record, read_geometry
from bsmfit.catalogue.spectrometers import selected_spectrometer
from bsmfit.catalogue.tables.acceptance_build import daughter_mass_of
from bsmfit.catalogue.tables.physics_tables import (
    load_hadronic_ratio,
    load_proton_form_factor,
)
from bsmfit.catalogue.tables.table_files import read_meson_spectra
from bsmfit.catalogue.tables.yield_build import process_points
from bsmfit.detector.spectrometer import Spectrometer, is_pair_accepted
from bsmfit.detector.two_body_decay import daughter_momenta, flight_direction
from bsmfit.physics.bremsstrahlung import (
    MOMENTUM_FRACTION_MAX,
    MOMENTUM_FRACTION_MIN,
    TRANSVERSE_MOMENTUM_MAX,
    bremsstrahlung_rate,
)
from bsmfit.physics.dark_photon import DARK_PHOTON_PROCESSES, DarkPhoton
from bsmfit.physics.mediator import lifetime_length
from bsmfit.physics.meson_decay import MESON_DECAYS
from bsmfit.physics.production_spectrum import (
    SpectrumPoints,
    bremsstrahlung_points,
    decay_points,
)
from bsmfit.physics.proton_form_factor import vmd_form_factor_squared
from bsmfit.scan.exclusion_point import ExclusionPoint
from bsmfit.validation.dump_mumu import CHANNEL, published_contour

BREMS, ETA = "proton-bremsstrahlung", "eta-decay"
VMD = "brems x vmd"
"""Not a process of its own: Bluemlein-Brunner times the squared form factor."""

CALIBRATION = 0.30
"""Mass of the one point, on the lower edge, at which the efficiency is fixed [GeV]."""

VOLUME = (102.0, 182.0)
"""Vertices are drawn in the widest decay volume [m]; a selection keeps a part."""

TRIALS = {"lower": (0.70, 1.0, 1.3), "upper": (0.80, 1.0, 1.25, 1.6)}
"""Couplings that vertices are drawn for, over that of the published edge."""

# Recalled from the detector papers, unverified: 60 urad at 10 GeV, 20 urad at 50 GeV.
SLOPE_NOISE, SLOPE_SCATTERING = 16e-6, 0.58e-3  # rad, rad GeV
POSITION_NOISE = 130e-6  # m
MOMENTUM_NOISE, MOMENTUM_NOISE_RISE = 0.003, 5e-5  # relative, relative per GeV


@dataclass(frozen=True)
class Search:
    """What the package knows about one search, and the limit on its signal events."""

    channel: str
    spectrometer: Spectrometer
    volume: tuple[float, float]
    beam_momentum: float
    daughter_mass: float
    final_state: str
    protons: float
    efficiency: float
    limit: float

    @classmethod
    def load(cls, channel: str) -> Search:
        """Read a shipped search; the limit is that for no observed event."""
        record = read_beam_dump_record(channel)
        geometry = read_geometry(record.geometry)
        volume = record.selection.decay_volume
        point = ExclusionPoint.from_model(
            load_model("dark-photon", "bremsstrahlung"), [load_channel(CHANNEL)]
        )
        result = point.exclusion(jnp.asarray(CALIBRATION), jnp.asarray(4.05e-7))
        return cls(
            channel=channel,
            spectrometer=selected_spectrometer(geometry, record.selection),
            volume=(volume.start.value, volume.end.value),
            beam_momentum=geometry.beam.momentum.value,
            daughter_mass=daughter_mass_of(record.final_state),
            final_state=record.final_state,
            protons=record.protons_on_target.value,
            efficiency=record.selection_efficiency.value,
            limit=float(result.n_up_obs),
        )


@cache
def published_edge(mass: float, side: str) -> float:
    """Coupling on the published contour, between its masses in the logarithm."""
    masses, lower, upper = published_contour()
    edge = lower if side == "lower" else upper
    return float(np.exp(np.interp(mass, masses, np.log(edge))))


@cache
def dark_photon(mass: float) -> tuple[float, dict[str, float], dict[str, float]]:
    """Return c tau [m], branching ratios and production strengths at unit mixing."""
    model = DarkPhoton(
        processes=DARK_PHOTON_PROCESSES,
        form_factor="none",
        hadronic_ratio=load_hadronic_ratio(),
        proton_form_factor=load_proton_form_factor(),
    )
    mediator = model(jnp.asarray(mass), jnp.asarray(1.0))
    strength = {name: float(value) for name, value in mediator.production.items()}
    strength[VMD] = float(vmd_form_factor_squared(jnp.asarray(mass))) * strength[BREMS]
    branching = {k: float(v) for k, v in mediator.branching_ratios.items()}
    return float(lifetime_length(mediator)), branching, strength


# ------------------------------------------------------------------ simulated decays


@dataclass(frozen=True)
class Decays:
    """Simulated decays of one process at one mass.

    Attributes:
        momentum: Momenta of the particle [GeV].
        angle: Its angles to the beam [rad].
        vertex: Decay points [m], (n, 3).
        tracks: Momenta of the two tracks [GeV], (n, 3) each.
        cos_theta: Cosines of the decay angle about the flight.
        spin_axis: Squared cosines of the angle between spin axis and flight, in the
            rest frame.
        flight: Distances from the production to the vertex along the beam [m].
        slowness: m / p_z [1].
        proposal: Density the vertices were drawn with, over that of the spectrum [1/m].
        rate: Events at unit mixing and unit efficiency, without the decay law.
        lifetime: c tau at unit mixing [m].
    """

    momentum: np.ndarray
    angle: np.ndarray
    vertex: np.ndarray
    tracks: tuple[np.ndarray, np.ndarray]
    cos_theta: np.ndarray
    spin_axis: np.ndarray
    flight: np.ndarray
    slowness: np.ndarray
    proposal: np.ndarray
    rate: float
    lifetime: float

    def weights(self, coupling: float) -> np.ndarray:
        """Expected events per simulated decay, at unit efficiency and acceptance."""
        per_metre = self.slowness * coupling**2 / self.lifetime
        density = per_metre * np.exp(-self.flight * per_metre)
        return self.rate * coupling**2 * density / self.proposal


def simulate(
    points: SpectrumPoints,
    *,
    strength: float,
    mass: float,
    couplings: Iterable[float],
    search: Search,
    n_log2: int,
    spin_axis: np.ndarray | None = None,
) -> Decays:
    """Draw particles, vertices and decay angles, stratified by quasi-random points."""
    lifetime, branching, _ = dark_photon(mass)
    origin = float(search.spectrometer.impact_point[2])
    order = np.argsort(points.momentum, kind="stable")
    order = order[(points.angle[order] < 0.012) & (points.momentum[order] > 10.0)]
    order = order[points.weight[order] > 0.0]
    p, theta, w = (column[order] for column in points[:3])
    axis = np.ones_like(p) if spin_axis is None else spin_axis[order]
    slowness = mass / (p * np.cos(theta))
    rates = [slowness * coupling**2 / lifetime for coupling in couplings]
    span = VOLUME[1] - VOLUME[0]
    inside = [
        w * np.exp(-(VOLUME[0] - origin) * r) * -np.expm1(-span * r) for r in rates
    ]
    index, z, angles = [], [], []
    for k, (r, chance) in enumerate(zip(rates, inside, strict=True)):
        u = qmc.Sobol(5, rng=620 + k).random_base2(n_log2)
        cumulative = np.cumsum(chance) / chance.sum()
        chosen = np.minimum(np.searchsorted(cumulative, u[:, 0]), p.size - 1)
        z.append(
            VOLUME[0] - np.log1p(u[:, 1] * np.expm1(-span * r[chosen])) / r[chosen]
        )
        index.append(chosen)
        angles.append(u[:, 2:])
    i, vertex_z, unit = (np.concatenate(item) for item in (index, z, angles))
    flight = vertex_z - origin
    proposal = np.zeros_like(flight)
    for r, chance in zip(rates, inside, strict=True):
        proposal += 2.0**n_log2 * r[i] * np.exp(-flight * r[i]) / chance.sum()
    direction = np.asarray(
        jax.vmap(lambda a, f: flight_direction(a, f[None])[0])(
            jnp.asarray(theta[i]), jnp.asarray(2.0 * np.pi * unit[:, 0])
        )
    )
    cos_theta = 2.0 * unit[:, 1] - 1.0
    first, second = jax.vmap(
        lambda q, d, c, f: tuple(
            item[0]
            for item in daughter_momenta(
                jnp.asarray(mass),
                q,
                direction=d[None],
                cos_theta=c[None],
                azimuth=f[None],
                daughter_mass=jnp.asarray(search.daughter_mass),
            )
        )
    )(p[i], direction, cos_theta, 2.0 * np.pi * unit[:, 2])
    start = np.asarray(search.spectrometer.impact_point)
    return Decays(
        momentum=p[i],
        angle=theta[i],
        vertex=start + direction * (flight / direction[:, 2])[:, None],
        tracks=(np.asarray(first), np.asarray(second)),
        cos_theta=cos_theta,
        spin_axis=axis[i],
        flight=flight,
        slowness=slowness[i],
        proposal=proposal,
        rate=search.protons * strength * branching[search.final_state],
        lifetime=lifetime,
    )


def bremsstrahlung(
    mass: float,
    search: Search,
    *,
    process: str = BREMS,
    fraction_max: float = MOMENTUM_FRACTION_MAX,
    transverse_momentum_max: float = TRANSVERSE_MOMENTUM_MAX,
) -> SpectrumPoints:
    """Bremsstrahlung in other ranges than those of the shipped tables."""

    def rate(z: np.ndarray, pt_squared: np.ndarray) -> np.ndarray:
        shape = jnp.asarray(z)
        masses = jnp.full_like(shape, mass)
        return np.asarray(
            bremsstrahlung_rate(process, shape, jnp.asarray(pt_squared), masses)
        )

    return bremsstrahlung_points(
        rate,
        mass,
        beam_momentum=search.beam_momentum,
        fraction_range=(MOMENTUM_FRACTION_MIN, fraction_max),
        transverse_momentum_max=transverse_momentum_max,
    )


def simulate_spinning(
    process: str, mass: float, lab: Laboratory, trials: tuple[float, ...]
) -> Decays:
    """Decays with the spin axis of a particle from a meson decay: its flight there."""
    axis = None
    if process in MESON_DECAYS:
        decay = MESON_DECAYS[process]
        spectrum = read_meson_spectra()[decay.meson]
        spectrum = spectrum.within(momentum_min=15.0, angle_max=0.04)
        unit = qmc.Sobol(4, rng=400).random(64)
        points = decay_points(spectrum, decay, mass, unit_points=unit)
        meson = spectrum.mesons(unit[:, :2])
        parent = decay.parent_mass
        in_parent = (parent**2 + mass**2 - decay.recoil_mass**2) / (2 * parent * mass)
        in_lab = np.hypot(points.momentum, mass) / mass
        lorentz = np.hypot(meson.momentum, parent) / parent
        axis = (in_parent * in_lab - lorentz) ** 2 / (
            (in_parent**2 - 1.0) * (in_lab**2 - 1.0)
        )
    else:
        points = process_points(process, mass, beam_momentum=lab.search.beam_momentum)
    return simulate(
        points,
        strength=dark_photon(mass)[2][process],
        mass=mass,
        couplings=trials,
        search=lab.search,
        n_log2=lab.n_log2,
        spin_axis=axis,
    )


def is_open(process: str, mass: float) -> bool:
    """Whether a process can make a particle of this mass."""
    return dark_photon(mass)[2][process] > 0.0


class Laboratory:
    """Simulated decays of one search, made once and kept."""

    def __init__(self, channel: str, n_log2: int) -> None:
        self.search = Search.load(channel)
        self.n_log2 = n_log2
        self._kept: dict[tuple, Decays] = {}

    def decays(
        self,
        process: str,
        mass: float,
        side: str,
        *,
        sample: str = "pp_inelastic",
        couplings: tuple[float, ...] | None = None,
        **ranges: float,
    ) -> Decays:
        """Decays of an open process around an edge."""
        strength = dark_photon(mass)[2][process]
        key = (process, mass, side, sample, couplings, tuple(sorted(ranges.items())))
        if key not in self._kept:
            name = BREMS if process == VMD else process
            if ranges:
                points = bremsstrahlung(mass, self.search, process=name, **ranges)
            else:
                points = process_points(
                    name,
                    mass,
                    beam_momentum=self.search.beam_momentum,
                    sample=sample,
                )
            trials = couplings or tuple(
                factor * published_edge(mass, side) for factor in TRIALS[side]
            )
            self._kept[key] = simulate(
                points,
                strength=strength,
                mass=mass,
                couplings=trials,
                search=self.search,
                n_log2=self.n_log2,
            )
        return self._kept[key]


def is_accepted(
    decays: Decays,
    search: Search,
    *,
    volume: tuple[float, float] | None = None,
    **changes: Any,
) -> np.ndarray:
    """Whether decays pass the selection of a search, with changes to it."""
    spectrometer = replace(search.spectrometer, **changes)
    start, end = volume or search.volume
    inside = (decays.vertex[:, 2] > start) & (decays.vertex[:, 2] < end)
    tracks = (jnp.asarray(decays.tracks[0]), jnp.asarray(decays.tracks[1]))
    passed = _passes(jnp.asarray(decays.vertex), tracks, spectrometer)
    return np.asarray(passed) & inside


@jax.jit
def _passes(
    vertex: jax.Array,
    tracks: tuple[jax.Array, jax.Array],
    spectrometer: Spectrometer,
) -> jax.Array:
    return is_pair_accepted(vertex, tracks, charge=1.0, spectrometer=spectrometer)


# ------------------------------------------------------------ what would be measured


@dataclass(frozen=True)
class Measured:
    """What the spectrometer measures of a pair; errors as stated at the top.

    Attributes:
        momentum_min: Softer track [GeV].
        opening: Opening angle [rad].
        vertex_error: Error of the vertex along the beam, from the opening angle [m].
        separation: Distance of the tracks in the first chamber [m].
        cda: Closest approach of the pair's smeared line of flight to the beam [m].
        z_tax: Where that is, along the beam [m].
    """

    momentum_min: np.ndarray
    opening: np.ndarray
    vertex_error: np.ndarray
    separation: np.ndarray
    cda: np.ndarray
    z_tax: np.ndarray


def impacts(
    decays: Decays, plane_z: float, search: Search
) -> tuple[np.ndarray, np.ndarray]:
    """Impacts (n, 2) of both tracks at a plane [m], kicked behind the magnet."""
    magnet = float(search.spectrometer.magnet_z)
    found = []
    for track, charge in zip(decays.tracks, (1.0, -1.0), strict=True):
        slope = track[:, :2] / track[:, 2:]
        at = decays.vertex[:, :2] + slope * (plane_z - decays.vertex[:, 2:])
        kick = charge * float(search.spectrometer.magnet_kick) / track[:, 2]
        at[:, 0] += kick * max(plane_z - magnet, 0.0)
        found.append(at)
    return found[0], found[1]


def measure(decays: Decays, search: Search) -> Measured:
    """Smear both tracks and extrapolate the pair back to the dump."""
    random = np.random.default_rng(62)
    chamber = float(search.spectrometer.straw_z[0])
    at, slopes, momenta = [], [], []
    for track, hit in zip(decays.tracks, impacts(decays, chamber, search), strict=True):
        p = np.linalg.norm(track, axis=1)[:, None]
        noise = np.hypot(SLOPE_NOISE, SLOPE_SCATTERING / p)
        at.append(hit + POSITION_NOISE * random.standard_normal(hit.shape))
        slope = track[:, :2] / track[:, 2:]
        slopes.append(slope + noise * random.standard_normal(slope.shape))
        resolution = np.hypot(MOMENTUM_NOISE, MOMENTUM_NOISE_RISE * p)
        momenta.append(p * (1.0 + resolution * random.standard_normal(p.shape)))
    gap, turn = at[0] - at[1], slopes[0] - slopes[1]
    back = -np.sum(gap * turn, axis=1) / np.maximum(np.sum(turn**2, axis=1), 1e-14)
    vertex = 0.5 * sum(a + s * back[:, None] for a, s in zip(at, slopes, strict=True))
    pair = sum(q * s for q, s in zip(momenta, slopes, strict=True)) / sum(momenta)
    offset = vertex - np.asarray(search.spectrometer.impact_point)[:2]
    steep = np.maximum(np.linalg.norm(pair, axis=1), 1e-9)
    first, second = decays.tracks
    p1, p2 = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    true = first[:, :2] / first[:, 2:] - second[:, :2] / second[:, 2:]
    opening = np.linalg.norm(true, axis=1)
    noise = np.hypot(
        np.hypot(SLOPE_NOISE, SLOPE_SCATTERING / p1),
        np.hypot(SLOPE_NOISE, SLOPE_SCATTERING / p2),
    )
    apart = np.subtract(*impacts(decays, chamber, search))
    return Measured(
        momentum_min=np.minimum(p1, p2),
        opening=opening,
        vertex_error=(chamber - decays.vertex[:, 2]) * noise / opening,
        separation=np.linalg.norm(apart, axis=1),
        cda=np.abs(offset[:, 0] * pair[:, 1] - offset[:, 1] * pair[:, 0]) / steep,
        z_tax=chamber + back - np.sum(offset * pair, axis=1) / steep**2,
    )


def polarisation(decays: Decays, mass: float, search: Search) -> np.ndarray:
    """Weights that turn an isotropic decay into that of a transverse vector.

    About the spin axis 1 + lambda cos^2, lambda = (1-x)/(1+x), x = 4 m_l^2/m^2. Where
    the axis is not the flight the mean over the azimuth about the flight is taken.
    """
    x = (2.0 * search.daughter_mass / mass) ** 2
    anisotropy = (1.0 - x) / (1.0 + x)
    along = decays.spin_axis * decays.cos_theta**2
    across = 0.5 * (1.0 - decays.spin_axis) * (1.0 - decays.cos_theta**2)
    return (1.0 + anisotropy * (along + across)) / (1.0 + anisotropy / 3.0)


def cell(position: np.ndarray, *sizes: float) -> np.ndarray:
    """Numbers of the cells of a plane that impacts fall into."""
    return np.floor(position / np.array(sizes)).astype(int)
