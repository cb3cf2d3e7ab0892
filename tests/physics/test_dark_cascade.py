"""Scalar to dark photons: width from polarisation sums, thresholds, fixed couplings."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.core.constants import HBAR_C
from bsmfit.errors import DataFileError
from bsmfit.physics.dark_cascade import (
    CASCADE,
    CascadeMasses,
    dark_photon_pair_width,
)


def test_width_is_the_sum_over_polarisations():
    # M = 2 g m e1.e2; sum |e1.e2|^2 = 2 + (k1.k2)^2 / m^4; two identical particles
    g, scalar, photon = 0.3, 0.3, 0.07
    product = 0.5 * scalar**2 - photon**2
    squared = 4.0 * g**2 * photon**2 * (2.0 + product**2 / photon**4)
    momentum = np.sqrt(scalar**2 / 4.0 - photon**2)
    expected = 0.5 * squared * momentum / (8.0 * np.pi * scalar**2)
    ours = dark_photon_pair_width(
        jnp.asarray(scalar), jnp.asarray(photon), dark_coupling=jnp.asarray(g)
    )
    assert float(ours) == pytest.approx(expected, rel=1e-12)


def test_threshold():
    def width(scalar):
        return dark_photon_pair_width(
            scalar, jnp.asarray(0.1), dark_coupling=jnp.asarray(0.1)
        )

    for mass in (0.2, 0.15):
        assert float(width(jnp.asarray(mass))) == 0.0
        assert float(jax.grad(width)(jnp.asarray(mass))) == 0.0
    assert np.isfinite(float(jax.grad(width)(jnp.asarray(0.2 + 1e-9))))


def test_masses_of_the_other_particle():
    by_ratio = CascadeMasses(is_scalar=True, mass_ratio=0.25)(jnp.asarray(0.2))
    assert [float(m) for m in by_ratio] == [0.2, 0.05]
    back = CascadeMasses(is_scalar=False, mass_ratio=0.25)(jnp.asarray(0.05))
    assert [float(m) for m in back] == [0.2, 0.05]


def test_each_coupling_does_its_part():
    at = jnp.asarray
    mixing = bsmfit.load_model("dark-cascade", "scalar")
    one, two = mixing(at(0.3), at(1e-6)), mixing(at(0.3), at(2e-6))
    ratio = two.production[CASCADE] / one.production[CASCADE]
    assert float(ratio) == pytest.approx(2.0, rel=1e-6)
    kinetic = bsmfit.load_model("dark-cascade", "dark-photon")
    near, far = kinetic(at(0.02), at(1e-4)), kinetic(at(0.02), at(1e-5))
    assert float(near.production[CASCADE]) == float(far.production[CASCADE])
    # corrections.md: a dark photon of 20 MeV and 10 GeV flies 0.2 m at 1e-4
    flight = 10.0 / 0.02 * HBAR_C / float(near.photon_width)
    assert flight == pytest.approx(0.2, rel=0.02)
    assert float(far.photon_width / near.photon_width) == pytest.approx(0.01)
    strong = bsmfit.load_model("dark-cascade", "dark-coupling")
    share = [float(strong(at(0.05), at(g)).branching_ratios["ee"]) for g in (1e-9, 1.0)]
    assert share == pytest.approx([1.0, 1.0])  # those of the dark photon
    made = [float(strong(at(0.05), at(g)).production[CASCADE]) for g in (1e-9, 1.0)]
    assert made[0] < 1e-3 * made[1]


def test_scalar_below_two_dark_photons_makes_none():
    model = bsmfit.load_model("dark-cascade", "dark-photon")
    found = model(jnp.asarray(0.16), jnp.asarray(1e-3))
    assert float(found.production[CASCADE]) == 0.0


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("fixed: {epsilon: 1.0e-3, dark_coupling: 0.1}", "fixed: {}", "lacks"),
        ("dark_coupling: 0.1}", "dark_coupling: 0.1, g: 1.0}", "no coupling of this"),
        (
            "coupling: sin_theta_squared\n    fixed",
            "coupling: epsilon\n    fixed",
            "fix",
        ),
        ("mass_ratio: 0.25", "mass_ratio: 0.6", "must be < 0.5"),
        ("    mass_ratio: 0.25\n", "", "give one of the two"),
    ],
)
def test_faults_of_a_card_are_named(tmp_path, old, new, text):
    from bsmfit.catalogue.files import locate_model

    content = locate_model("dark-cascade").read_text(encoding="utf-8")
    assert old in content
    path = tmp_path / "dark-cascade.yaml"
    path.write_text(content.replace(old, new, 1))
    with pytest.raises(DataFileError, match=text):
        bsmfit.load_model(path)
