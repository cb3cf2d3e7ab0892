from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from bsmfit.core.constants import KAON_CHARGED_MASS, PION_CHARGED_MASS
from bsmfit.detector.invisible_table import (
    DataSample,
    InvisibleSearch,
    make_invisible_table,
)
from bsmfit.detector.kaon_decays import N_COORDINATE, KaonBeam
from bsmfit.detector.missing_mass import TrackingErrors
from bsmfit.detector.spectrometer import Spectrometer


@pytest.fixture(scope="session")
def spectrometer() -> Spectrometer:
    """Round numbers near those of NA62, with off-axis holes."""
    return Spectrometer(
        impact_point=jnp.array([0.0, -0.022, 23.07]),
        straw_z=jnp.array([183.5, 194.0, 204.5, 218.9]),
        straw_hole_x=jnp.array([0.10, 0.11, 0.09, 0.05]),
        straw_inner_radius=jnp.full(4, 0.1),
        straw_outer_radius=jnp.full(4, 1.0),
        magnet_z=jnp.array(197.0),
        magnet_kick=jnp.array(0.27),
        chod_z=jnp.array(238.9),
        chod_outer_radius=jnp.array(1.21),
        lkr_z=jnp.array(241.5),
        lkr_inner_radius=jnp.array(0.15),
        lkr_outer_radius=jnp.array(1.465),
        muv3_z=jnp.array(246.85),
        muv3_half_side=jnp.array(1.32),
        muv3_inner_radius=jnp.array(0.11),
        momentum_min=jnp.array(10.0),
        separation_min=jnp.array(0.0),
        required=("straw", "muv3"),
    )


@pytest.fixture(scope="session")
def tracking() -> TrackingErrors:
    """Errors of the beam spectrometer and the straws, with a pion angle between."""
    return TrackingErrors(
        kaon_momentum=jnp.array(0.002),
        kaon_angle=jnp.array(16e-6),
        pion_momentum=jnp.array(0.003),
        pion_momentum_slope=jnp.array(5e-5),
        pion_angle_momenta=jnp.array([10.0, 50.0]),
        pion_angles=jnp.array([45e-6, 15e-6]),
    )


@pytest.fixture(scope="session")
def beam() -> KaonBeam:
    return KaonBeam(*map(jnp.array, (75.0, 0.01, 105.0, 165.0)))


@pytest.fixture(scope="session")
def points() -> np.ndarray:
    sampler = qmc.Sobol(N_COORDINATE, scramble=True, rng=np.random.default_rng(5))
    return sampler.random_base2(12)


@pytest.fixture(scope="session")
def search(beam, spectrometer, tracking) -> InvisibleSearch:
    """Two samples, of which the second takes faster pions in the second region."""
    regions = jnp.array([[0.0, 0.01], [0.026, 0.068]])

    def sample(fraction: float, fastest: float) -> DataSample:
        momenta = jnp.array([[15.0, 35.0], [15.0, fastest]])
        return DataSample(jnp.array(fraction), regions, momenta)

    samples = (sample(0.3, 35.0), sample(0.7, 45.0))
    return InvisibleSearch(beam, spectrometer, tracking, samples, jnp.array(252.0))


def phase_space_density(squared_mass):
    r"""$\lambda^{3/2}(m_K^2, m_\pi^2, q^2)$, its integral set to 1 by a fine sum."""
    grid = np.linspace(0.0, (KAON_CHARGED_MASS - PION_CHARGED_MASS) ** 2, 20001)
    return _cubed_momentum(squared_mass) / np.trapezoid(_cubed_momentum(grid), grid)


def _cubed_momentum(squared_mass):
    plus = (KAON_CHARGED_MASS + PION_CHARGED_MASS) ** 2 - squared_mass
    minus = (KAON_CHARGED_MASS - PION_CHARGED_MASS) ** 2 - squared_mass
    return np.clip(plus * minus, 0.0, None) ** 1.5


@pytest.fixture(scope="session")
def neutrino_density():
    return phase_space_density


def _gauss_masses() -> np.ndarray:
    """Masses whose squares are 8 Gauss nodes in each region of `search`."""
    x = np.polynomial.legendre.leggauss(8)[0]
    ends = ((0.0, 0.01), (0.026, 0.068))
    squares = [0.5 * (b - a) * (x + 1.0) + a for a, b in ends]
    return np.sqrt(np.concatenate(squares))


@pytest.fixture(scope="session")
def table(search, points):
    """A table with nodes half as far apart as those of the shipped ones.

    The first 16 masses are `_gauss_masses`, the 17th lies between the regions.
    """
    masses = [*_gauss_masses(), 0.133, 0.198, 0.199, 0.200, 0.201, 0.202]
    return make_invisible_table(
        search,
        np.array(masses),
        log_rates=np.linspace(-16.0, 4.0, 161),
        points=points,
        neutrino_spectrum=lambda q2: jnp.asarray(phase_space_density(np.asarray(q2))),
    )
