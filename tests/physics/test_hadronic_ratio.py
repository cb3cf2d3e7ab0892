"""The ratio R: parts, join, limits, gradients."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from bsmfit.errors import UnknownNameError
from bsmfit.physics.hadronic_ratio import TABLE_COLUMNS, HadronicRatio

TABLE = Path(__file__).parents[2] / "data" / "hadrons" / "exclusive_ratios.csv"
THRESHOLDS = [0.1349768, 0.27914078, 0.41411758, 0.547862, 0.987354, 0.995222]
KNOTS = [0.8, 1.04, 1.08, 1.5]


def _columns() -> dict[str, np.ndarray]:
    lines = [
        line for line in TABLE.read_text().splitlines() if not line.startswith("#")
    ]
    rows = list(csv.DictReader(lines))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


@pytest.fixture(scope="module")
def ratio() -> HadronicRatio:
    return HadronicRatio.from_table(_columns())


def test_table_has_the_documented_columns() -> None:
    assert tuple(_columns()) == TABLE_COLUMNS


def test_missing_and_unknown_columns_are_named() -> None:
    columns = _columns()
    with pytest.raises(UnknownNameError, match="kaon_pair_ratio"):
        HadronicRatio.from_table(
            {name: columns[name] for name in columns if name != "kaon_pair_ratio"}
        )
    with pytest.raises(UnknownNameError, match="two_pion"):
        HadronicRatio.from_table({**columns, "two_pion": columns["mass"]})


def test_ratio_is_the_sum_of_its_final_states(ratio: HadronicRatio) -> None:
    for mass in (0.3, 0.9, 1.06, 1.7):
        parts = ratio.by_final_state(jnp.array(mass))
        assert all(float(value) >= 0.0 for value in parts.values())
        total = sum(float(value) for value in parts.values())
        np.testing.assert_allclose(float(ratio(jnp.array(mass))), total, rtol=1e-14)


@pytest.mark.parametrize("mode", [jax.jacfwd, jax.jacrev])
def test_values_and_gradients_around_all_thresholds(
    ratio: HadronicRatio, mode: Callable[..., Callable[..., jax.Array]]
) -> None:
    at = jnp.array(THRESHOLDS + KNOTS)
    closed = jnp.linspace(0.001, THRESHOLDS[0], at.size)  # one shape: compiled once
    below = jnp.nextafter(at, jnp.zeros_like(at))
    above = jnp.nextafter(at, jnp.full_like(at, 3.0))
    value = jax.jit(jax.vmap(ratio))
    gradient = jax.jit(jax.vmap(mode(lambda mass: ratio(mass))))
    assert np.all(np.asarray(value(closed)) == 0.0)
    assert np.all(np.asarray(gradient(closed)) == 0.0)
    for side in (below, above):
        np.testing.assert_allclose(
            np.asarray(value(side)), np.asarray(value(at)), rtol=1e-10, atol=1e-20
        )
        assert np.all(np.isfinite(np.asarray(gradient(side))))
    assert np.all(np.isfinite(np.asarray(gradient(at))))


@pytest.mark.parametrize("mass", [1.1, 1.25, 1.5, 1.9, 2.0])
def test_tabulated_final_states_are_reproduced_at_their_masses(
    ratio: HadronicRatio, mass: float
) -> None:
    columns = _columns()
    row = int(np.flatnonzero(np.isclose(columns["mass"], mass))[0])
    parts = ratio.by_final_state(jnp.array(mass))
    for name in set(columns) - {"mass"}:
        np.testing.assert_allclose(
            float(parts[name.removesuffix("_ratio")]), columns[name][row], atol=1e-12
        )


def test_resonance_formulae_alone_act_below_the_join(ratio: HadronicRatio) -> None:
    mass = jnp.array(1.03)
    parts, narrow = ratio.by_final_state(mass), ratio.narrow_resonances(mass)
    kaons = narrow["charged_kaon_pair"] + narrow["neutral_kaon_pair"]
    assert float(parts["kaon_pair"]) == float(kaons)
    assert float(parts["three_pion"]) == float(narrow["three_pion"])


def test_join_falls_smoothly_from_the_phi(ratio: HadronicRatio) -> None:
    mass = jnp.linspace(1.025, 1.14, 116)
    value = np.asarray(jax.vmap(ratio)(mass))
    # Allow the small shoulder where formula and digitised table differ.
    assert np.all(np.diff(value) < 0.003)


def test_ratio_at_2_gev_is_near_perturbation_theory(ratio: HadronicRatio) -> None:
    alpha_s = 0.30  # at 2 GeV, Navas:2024vhm
    expected = 3 * (4 / 9 + 1 / 9 + 1 / 9) * (1 + alpha_s / np.pi)
    assert float(ratio(jnp.array(2.0))) == pytest.approx(expected, rel=0.06)


def test_gradient_agrees_with_finite_differences(ratio: HadronicRatio) -> None:
    check_grads(
        jax.jit(jax.vmap(ratio)),
        (jnp.array([0.2, 0.3, 0.43, 0.78, 0.99, 1.02, 1.06, 1.33, 1.9]),),
        order=1,
        modes=("fwd", "rev"),
        rtol=1e-4,
        eps=1e-7,
    )


def test_mapped_ratio_equals_the_scalar_one(ratio: HadronicRatio) -> None:
    mass = jnp.array([0.05, 0.5, 1.0, 1.8])
    together = jax.jit(jax.vmap(ratio))(mass)
    np.testing.assert_allclose(
        np.asarray(together), [float(ratio(m)) for m in mass], rtol=1e-12
    )


@settings(deadline=None, max_examples=50)
@given(mass=st.floats(0.001, 2.0))
def test_ratio_is_finite_and_not_negative(ratio: HadronicRatio, mass: float) -> None:
    value = float(ratio(jnp.array(mass)))
    assert np.isfinite(value)
    assert value >= 0.0
