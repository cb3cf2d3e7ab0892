"""Acceptance tables of a charged pair with photons: nodes, points and errors.

As `bsmfit.detector.acceptance_table`, of which settings and content are those here, for
the final states of `bsmfit.physics.hadronic_final_states`.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from bsmfit.detector.acceptance_table import AcceptanceTable, TableSettings
from bsmfit.detector.charged_pair_acceptance import PhotonCuts, charged_pair_slab
from bsmfit.detector.charged_pair_decays import n_coordinate
from bsmfit.detector.spectrometer import Spectrometer
from bsmfit.physics.hadronic_final_states import ChargedPairState

__all__ = ["CHARGED_PAIR_SETTINGS", "make_charged_pair_table"]

CHARGED_PAIR_SETTINGS = TableSettings(
    n_momentum=32, n_angle_fine=13, n_angle_coarse=12, n_vertex=10
)
"""Coarser nodes than those of lepton pairs: yields move by less than 1 %."""


def make_charged_pair_table(
    spectrometer: Spectrometer,
    masses: Float64[np.ndarray, " n_mass"],
    *,
    state: ChargedPairState,
    cuts: PhotonCuts,
    decay_volume: tuple[float, float],
    beam_momentum: float,
    settings: TableSettings = CHARGED_PAIR_SETTINGS,
    momentum_nodes: slice = slice(None),
    progress: Callable[[int, int], None] | None = None,
) -> AcceptanceTable:
    """Sample an acceptance table.

    Args:
        spectrometer: Planes and cuts on tracks.
        masses: Mass nodes [GeV], above threshold.
        state: The final state.
        cuts: Cuts on photons.
        decay_volume: Beginning and end of the decay volume [m].
        beam_momentum: Momentum of the beam [GeV].
        settings: Nodes and sampling.
        momentum_nodes: Which of the momentum nodes to make; all by default.
        progress: Called with (masses done, masses in all).

    Returns:
        The table, identical for identical arguments.
    """
    # scipy.stats is slow to import, and only those who make tables need it
    from scipy.stats import qmc

    lowest = 2.0 * float(spectrometer.momentum_min)
    momenta = np.geomspace(lowest, beam_momentum, settings.n_momentum)
    angles = settings.angles()
    vertices = np.linspace(*decay_volume, settings.n_vertex)
    n_dimension = 1 + n_coordinate(state)
    points = qmc.Sobol(n_dimension, rng=settings.seed).random(settings.n_point)
    generator = np.random.default_rng(settings.seed)
    shape = (settings.n_replica, momenta.size, angles.size, vertices.size, n_dimension)
    shifts = generator.random(shape, dtype=np.float32)[:, momentum_nodes]
    momenta = momenta[momentum_nodes]

    def single(value: object) -> jax.Array:
        return jnp.asarray(value, jnp.float32)

    detector, photon_cuts = jax.tree.map(single, (spectrometer, cuts))
    grid = (masses.size, momenta.size, angles.size, vertices.size)
    mean, aligned, error = (np.empty(grid, np.float32) for _ in range(3))
    for i, mass in enumerate(masses):
        moments = [
            charged_pair_slab(
                single(mass),
                momenta=single(momenta),
                angles=single(angles),
                vertices=single(vertices),
                points=single(points),
                shifts=single(shift),
                state=state,
                cuts=photon_cuts,
                spectrometer=detector,
            )
            for shift in shifts
        ]
        replicas = np.stack(moments)[..., 0]
        mean[i] = np.mean(replicas, axis=0)
        aligned[i] = np.mean(moments, axis=0)[..., 1]
        error[i] = np.std(replicas, axis=0, ddof=1) / np.sqrt(settings.n_replica)
        if progress is not None:
            progress(i + 1, masses.size)
    alignment = None if state.spin_axis is None else aligned
    return AcceptanceTable(masses, momenta, angles, vertices, mean, error, alignment)
