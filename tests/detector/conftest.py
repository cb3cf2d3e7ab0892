from __future__ import annotations

import jax.numpy as jnp
import pytest

from bsmfit.detector.spectrometer import Spectrometer


@pytest.fixture
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
