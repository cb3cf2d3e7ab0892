from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from bsmfit.catalogue.tables.physics_tables import load_scalar_widths
from bsmfit.core.constants import (
    ELECTRON_MASS,
    HBAR_C,
    HIGGS_VEV,
    KAON_CHARGED_MASS,
    MUON_MASS,
    PION_CHARGED_MASS,
)
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.scalar_width import (
    ScalarWidths,
    multi_meson_width,
    pair_velocity,
    scalar_leptonic_width,
)

THRESHOLDS = {
    "ee": 2 * ELECTRON_MASS,
    "mumu": 2 * MUON_MASS,
    "pipi": 2 * PION_CHARGED_MASS,
    "kk": 2 * KAON_CHARGED_MASS,
    "multi-meson": 4 * PION_CHARGED_MASS,
}


@pytest.fixture(scope="module")
def widths() -> ScalarWidths:
    return load_scalar_widths()


@pytest.mark.parametrize(
    ("mass", "lepton_mass", "published"),
    [
        # test_decay.py of scalar_portal (cross-checked there), with v = 246.0 GeV;
        # lepton masses of another year: 1e-6
        (0.1, ELECTRON_MASS, 1.7165714271571945e-14),
        (0.5, MUON_MASS, 2.732025043654036e-9),
        (1.0, MUON_MASS, 6.853907708050072e-9),
        (4.0, 1.7769, 8.028575393027576e-7),
    ],
)
def test_leptonic_width_of_another_program(mass, lepton_mass, published):
    ours = float(scalar_leptonic_width(jnp.array(mass), lepton_mass=lepton_mass))
    assert ours * (HIGGS_VEV / 246.0) ** 2 == pytest.approx(published, rel=1e-6)


def test_heavy_scalar_has_the_massless_limit():
    # beta -> 1: m_l^2 m / (8 pi v^2)
    expected = MUON_MASS**2 * 1e4 / (8 * np.pi * HIGGS_VEV**2)
    ours = scalar_leptonic_width(jnp.array(1e4), lepton_mass=MUON_MASS)
    assert float(ours) == pytest.approx(expected, rel=1e-8)


@pytest.fixture(scope="module")
def values_and_slopes(widths):
    """All widths and their slopes at masses relative to a threshold."""
    both = jax.jit(
        jax.vmap(
            lambda m: (widths.by_final_state(m), jax.jacfwd(widths.by_final_state)(m))
        )
    )
    steps = 1.0 + jnp.array([-1e-9, 0.0, 1e-10, 1e-8])
    return {state: both(edge * steps) for state, edge in THRESHOLDS.items()}


@pytest.mark.parametrize("state", THRESHOLDS)
def test_closed_final_state_has_zero_width_and_zero_gradient(values_and_slopes, state):
    for quantity in values_and_slopes[state]:
        np.testing.assert_array_equal(quantity[state][:2], 0.0)


@pytest.mark.parametrize("state", THRESHOLDS)
def test_open_final_state_rises_from_zero_with_finite_gradient(
    values_and_slopes, state
):
    width, slope = (quantity[state] for quantity in values_and_slopes[state])
    assert np.all(np.isfinite(slope))
    power = 3 if state in ("ee", "mumu") else 1  # P-wave leptons, S-wave mesons
    assert float(width[3] / width[2]) == pytest.approx(10.0**power, rel=1e-4)


def test_velocity_is_momentum_over_energy():
    mass = 0.3
    momentum = np.sqrt((mass / 2) ** 2 - PION_CHARGED_MASS**2)
    beta = pair_velocity(jnp.array(mass), threshold=2 * PION_CHARGED_MASS)
    assert float(beta) == pytest.approx(momentum / (mass / 2), rel=1e-12)


@pytest.mark.parametrize(
    ("state", "charged", "mass", "published", "tolerance"),
    [
        # test_decay.py of scalar_portal: its own reading of figure 4 of 1809.01876
        ("pipi", 2 / 3, 0.3, 1.8927616589680657e-9, 0.05),
        ("pipi", 2 / 3, 0.5, 1.475091932044681e-8, 0.05),
        ("pipi", 2 / 3, 1.0, 4.019482951592148e-7, 0.30),
        ("kk", 1 / 2, 1.4, 4.558339609849428e-8, 0.10),
    ],
)
def test_charged_mesons_of_another_program(
    widths, state, charged, mass, published, tolerance
):
    ours = charged * float(widths.by_final_state(jnp.array(mass))[state])
    assert ours == pytest.approx(published, rel=tolerance)


@pytest.mark.parametrize(
    ("state", "mass", "form_factors", "tolerance"),
    [
        # 3 beta |7/9 (Gamma + Delta) + 2/9 Theta|^2 / (32 pi v^2 m), kaons beta / 8 pi:
        # the form factors of figures 2 and 3 of 1809.01876, read by other people
        # (ALPINIST, BSD-3), give these widths over beta [GeV]
        ("pipi", 0.3004, 8.24e-9, 0.07),
        ("pipi", 0.4195, 1.81e-8, 0.06),
        ("pipi", 0.5012, 2.747e-8, 0.06),
        ("pipi", 0.6999, 5.80e-8, 0.06),
        ("pipi", 1.2227, 1.024e-8, 0.06),
        ("kk", 1.0630, 3.22e-7, 0.06),
        ("kk", 1.4003, 1.295e-7, 0.03),
        ("kk", 1.7882, 5.95e-8, 0.03),
    ],
)
def test_mesons_agree_with_the_form_factors(
    widths, state, mass, form_factors, tolerance
):
    beta = pair_velocity(jnp.array(mass), threshold=THRESHOLDS[state])
    reduced = widths.by_final_state(jnp.array(mass))[state] / beta
    assert float(reduced) == pytest.approx(form_factors, rel=tolerance)


def test_low_energy_theorem_bounds_two_pions_from_below(widths):
    """Leading chiral order, 2/9 m^2 + 11/9 m_pi^2: final-state interaction adds."""
    for mass in (0.29, 0.3, 0.32):
        bracket = 2 / 9 * mass**2 + 11 / 9 * PION_CHARGED_MASS**2
        beta = float(pair_velocity(jnp.array(mass), threshold=THRESHOLDS["pipi"]))
        leading = 3 * beta * bracket**2 / (32 * np.pi * HIGGS_VEV**2 * mass)
        ours = float(widths.by_final_state(jnp.array(mass))["pipi"])
        assert leading < ours < 3.0 * leading


def test_multi_meson_width_is_the_quoted_power():
    # 5.1e-9 GeV^-2 m^3 sqrt(1 - 16 m_pi^2 / m^2) at 0.6 and 1 GeV
    ours = multi_meson_width(jnp.array([0.6, 1.0]))
    np.testing.assert_allclose(ours, [4.03593e-10, 4.23122e-9], rtol=1e-5)


# mass [GeV], c tau sin^2(theta) [m] in EventCalc, in FORESEE (public codes)
LIFETIMES = [
    (0.02, 5.789e-2, None),
    (0.1, 1.1535e-2, 1.1864e-2),
    (0.2, 5.767e-3, 5.823e-3),
    (0.25, 7.068e-7, 7.209e-7),
    (0.3, 5.459e-8, 5.578e-8),
    (0.4, 1.5277e-8, 1.5436e-8),
    (0.5, 7.965e-9, 8.098e-9),
    (0.7, 3.328e-9, 3.512e-9),
    (0.9, 1.0274e-9, 1.0430e-9),
    (0.98, 3.209e-10, 3.247e-10),
    (1.05, 6.490e-10, 6.730e-10),
    (1.1, 1.046e-9, 1.123e-9),
]


@pytest.mark.parametrize(("mass", "event_calc", "foresee"), LIFETIMES)
def test_lifetime_of_public_codes(widths, mass, event_calc, foresee):
    """3 % below 0.6 GeV, 10 % to 1.1 GeV."""
    tolerance = 0.03 if mass < 0.6 else 0.10
    ours = HBAR_C / float(widths(jnp.array(mass)))
    assert ours == pytest.approx(event_calc, rel=tolerance)
    if foresee is not None:
        assert ours == pytest.approx(foresee, rel=tolerance)


def test_total_is_the_sum(widths):
    mass = jnp.array(0.8)
    parts = [float(width) for width in widths.by_final_state(mass).values()]
    assert float(widths(mass)) == pytest.approx(sum(parts), rel=1e-12)


def test_gradients(widths):
    function = jax.jit(jax.vmap(lambda m: jnp.log(widths(m))))
    masses = jnp.array([0.25, 0.3, 0.5, 1.03, 1.3])
    check_grads(function, (masses,), 1, modes=("fwd", "rev"), rtol=1e-3)


def table(**changes) -> dict:
    columns = {
        "final_state": np.array(["pipi", "pipi", "kk", "kk"]),
        "mass": np.array([0.3, 0.5, 1.1, 1.5]),
        "width": np.array([1e-9, 2e-9, 3e-9, 4e-9]),
    }
    return {**columns, **changes}


def test_nodes_are_reproduced():
    widths = ScalarWidths.from_table(table())
    ours = float(widths.by_final_state(jnp.array(0.5))["pipi"])
    assert ours == pytest.approx(2e-9, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"mass": np.array([0.2, 0.5, 1.1, 1.5])}, InputError, "rise from above"),
        ({"mass": np.array([0.3, 0.5, 1.5, 1.1])}, InputError, "or turn back"),
        ({"width": np.array([1e-9, 2e-9, 0.0, 1e-9])}, InputError, "kk: width = 0"),
        (
            {"final_state": np.array(["pipi", "pipi", "pipi", "pipi"])},
            UnknownNameError,
            "final state of the table of scalar widths 'kk'",
        ),
        (
            {"final_state": np.array(["pipi", "pipi", "kk", "kkk"])},
            UnknownNameError,
            "did you mean 'kk'",
        ),
    ],
)
def test_faulty_table_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        ScalarWidths.from_table(table(**changes))
