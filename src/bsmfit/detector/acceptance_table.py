"""Acceptance tables: how their nodes, points and errors are made.

A table holds A(mass, momentum, angle, vertex) of one final state. At every node several
replicas of the same low-discrepancy point set, each with its own random shift, give the
mean and its statistical error. A seed fixes everything, so that any part of a table can
be made again and compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, Float64

from bsmfit.detector.acceptance import PairDetector, moments_slab

__all__ = ["AcceptanceTable", "TableSettings", "make_acceptance_table"]


@dataclass(frozen=True)
class TableSettings:
    """Nodes and sampling of an acceptance table.

    Attributes:
        n_momentum: Momentum nodes, geometric between the lowest momentum of a pair
            and the beam momentum.
        n_angle_fine: Angle nodes below `angle_fine`, evenly spaced.
        n_angle_coarse: Angle nodes from there to `angle_max`, evenly spaced.
        angle_fine: End of the fine angle nodes [rad].
        angle_max: Largest angle [rad]; beyond, the momentum-weighted centre of the
            pair misses every detector.
        n_vertex: Vertex nodes, evenly spaced over the decay volume.
        n_point: Points per replica, a power of two.
        n_replica: Replicas with independent shifts.
        seed: Seed of the point set and of the shifts.
    """

    n_momentum: int = 48
    n_angle_fine: int = 21
    n_angle_coarse: int = 20
    angle_fine: float = 3.0e-3
    angle_max: float = 9.0e-3
    n_vertex: int = 16
    n_point: int = 256
    n_replica: int = 4
    seed: int = 62

    def to_dict(self) -> dict[str, float | int]:
        """All settings by name, for the metadata of a table."""
        return asdict(self)

    def angles(self) -> Float64[np.ndarray, " n_angle"]:
        """Angle nodes [rad]."""
        fine = np.linspace(0.0, self.angle_fine, self.n_angle_fine)
        coarse = np.linspace(self.angle_fine, self.angle_max, self.n_angle_coarse + 1)
        return np.concatenate([fine, coarse[1:]])


@dataclass(frozen=True)
class AcceptanceTable:
    """Acceptance of one final state on a grid, with its statistical error.

    Attributes:
        masses: Mass nodes [GeV].
        momenta: Momentum nodes [GeV].
        angles: Angle nodes [rad].
        vertices: Vertex nodes, the ends of the decay volume included [m].
        acceptance: Accepted fraction, [mass, momentum, angle, vertex].
        error: Statistical error of every entry.
        alignment: Second moment of the decay angle over accepted decays, A_2 of
            `bsmfit.detector.acceptance.pair_moments`; None where decays are isotropic.
    """

    masses: Float64[np.ndarray, " n_mass"]
    momenta: Float64[np.ndarray, " n_momentum"]
    angles: Float64[np.ndarray, " n_angle"]
    vertices: Float64[np.ndarray, " n_vertex"]
    acceptance: Float32[np.ndarray, "n_mass n_momentum n_angle n_vertex"]
    error: Float32[np.ndarray, "n_mass n_momentum n_angle n_vertex"]
    alignment: Float32[np.ndarray, "n_mass n_momentum n_angle n_vertex"] | None = None


def make_acceptance_table(
    spectrometer: PairDetector,
    masses: Float64[np.ndarray, " n_mass"],
    *,
    daughter_mass: float,
    decay_volume: tuple[float, float],
    beam_momentum: float,
    settings: TableSettings,
    anisotropy: Callable[[float], float] = lambda mass: 0.0,
    momentum_nodes: slice = slice(None),
    progress: Callable[[int, int], None] | None = None,
) -> AcceptanceTable:
    """Sample an acceptance table.

    Args:
        spectrometer: Planes and cuts.
        masses: Mass nodes [GeV].
        daughter_mass: Mass of either daughter [GeV].
        decay_volume: Beginning and end of the decay volume [m].
        beam_momentum: Momentum of the beam [GeV].
        settings: Nodes and sampling.
        anisotropy: Coefficient of the decay-angle distribution of `acceptance` as a
            function of the mass, see `bsmfit.detector.acceptance.pair_acceptance`;
            isotropic by default, which `alignment` completes.
        momentum_nodes: Which of the momentum nodes to make; all by default.
        progress: Called with (masses done, masses in all).

    Returns:
        The table, identical for identical arguments.
    """
    # scipy.stats is slow to import, and only those who make tables need it
    from scipy.stats import qmc

    momenta = np.geomspace(
        spectrometer.lowest_momentum, beam_momentum, settings.n_momentum
    )
    angles = settings.angles()
    vertices = np.linspace(*decay_volume, settings.n_vertex)
    points = qmc.Sobol(3, rng=settings.seed).random(settings.n_point)
    generator = np.random.default_rng(settings.seed)
    shape = (settings.n_replica, momenta.size, angles.size, vertices.size, 3)
    shifts = generator.random(shape, dtype=np.float32)[:, momentum_nodes]
    momenta = momenta[momentum_nodes]
    grid = (masses.size, momenta.size, angles.size, vertices.size)
    mean, aligned, error = (np.empty(grid, dtype=np.float32) for _ in range(3))
    single = _as_single(spectrometer)
    for i, mass in enumerate(masses):
        moments = np.stack(
            [
                np.asarray(
                    moments_slab(
                        jnp.float32(mass),
                        momenta=jnp.asarray(momenta, jnp.float32),
                        angles=jnp.asarray(angles, jnp.float32),
                        vertices=jnp.asarray(vertices, jnp.float32),
                        points=jnp.asarray(points, jnp.float32),
                        shifts=jnp.asarray(shift),
                        daughter_mass=jnp.float32(daughter_mass),
                        spectrometer=single,
                    )
                )
                for shift in shifts
            ]
        )
        coefficient = anisotropy(float(mass))
        share = coefficient / (1.0 + coefficient / 3.0)
        replicas = moments[..., 0] + np.float32(share) * moments[..., 1]
        mean[i] = replicas.mean(axis=0)
        aligned[i] = moments[..., 1].mean(axis=0)
        error[i] = replicas.std(axis=0, ddof=1) / np.sqrt(settings.n_replica)
        if progress is not None:
            progress(i + 1, masses.size)
    return AcceptanceTable(masses, momenta, angles, vertices, mean, error, aligned)


def _as_single(spectrometer: PairDetector) -> PairDetector:
    """The same detector in 32-bit floats, in which the sampling runs."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), spectrometer)
