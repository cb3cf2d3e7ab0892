from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.stats import qmc

from bsmfit.core.constants import PION_CHARGED_MASS, PION_NEUTRAL_MASS
from bsmfit.detector.charged_pair_decays import charged_pair_decays, photon_pair
from bsmfit.physics.hadronic_final_states import CHARGED_PAIR_STATES, ChargedPairState
from bsmfit.physics.three_pion_phase_space import three_pion_phase_space

POINTS = jnp.asarray(qmc.Sobol(8, rng=3).random(2**14))


def kallen(a, b, c):
    return a * a + b * b + c * c - 2 * (a * b + a * c + b * c)


def two_body(m, a, b):
    return np.sqrt(max(kallen(m * m, a * a, b * b), 0.0)) / (8 * np.pi * m * m)


def dalitz_volume(m, a, b, c):
    """Three-body phase space as the area of the Dalitz plot over 128 pi^3 m^2."""

    def width(s):
        e2 = (s - a * a + b * b) / (2 * np.sqrt(s))
        e3 = (m * m - s - c * c) / (2 * np.sqrt(s))
        p2, p3 = (np.sqrt(max(x, 0.0)) for x in (e2**2 - b * b, e3**2 - c * c))
        return 4 * p2 * p3

    area = quad(width, (a + b) ** 2, (m - c) ** 2, epsrel=1e-9)[0]
    return area / (128 * np.pi**3 * m * m)


def four_body(m, a, b):
    """Four-body phase space by its recursion, over both squared pair masses."""

    def integrand(s, t):
        q = np.sqrt(max(kallen(m * m, s, t), 0.0)) / (8 * np.pi * m * m)
        pairs = two_body(np.sqrt(s), a, a) * two_body(np.sqrt(t), b, b)
        return q * pairs / (2 * np.pi) ** 2

    low, high = 4 * b * b, (m - 2 * a) ** 2
    return dblquad(
        integrand,
        low,
        high,
        lambda t: 4 * a * a,
        lambda t: (m - np.sqrt(t)) ** 2,
        epsrel=1e-5,
    )[0]


def volume(state, mass):
    return float(jnp.mean(charged_pair_decays(mass, POINTS, state=state).weight))


def test_the_mean_weight_is_the_phase_space_volume() -> None:
    pion, kaon, neutral = PION_CHARGED_MASS, 0.493677, PION_NEUTRAL_MASS
    flat = ChargedPairState(pion, 1)
    three = volume(flat, jnp.array(0.7))
    assert three == pytest.approx(dalitz_volume(0.7, pion, pion, neutral), rel=2e-4)
    three = volume(CHARGED_PAIR_STATES["k+k-pi0"], jnp.array(1.4))
    assert three == pytest.approx(dalitz_volume(1.4, kaon, kaon, neutral), rel=2e-4)
    four = volume(CHARGED_PAIR_STATES["pi+pi-2pi0"], jnp.array(1.2))
    assert four == pytest.approx(four_body(1.2, pion, neutral), rel=5e-4)
    two = volume(CHARGED_PAIR_STATES["pi+pi-"], jnp.array(0.6))
    assert two == pytest.approx(two_body(0.6, pion, pion), rel=1e-12)


def test_light_daughters_have_the_massless_phase_space() -> None:
    r"""$(2\pi)^{4-3n}(\pi/2)^{n-1}M^{2n-4}/((n-1)!(n-2)!)$, up to m^2/M^2."""
    heavy = jnp.array(100.0)
    three = volume(ChargedPairState(0.001, 1), heavy)
    assert three == pytest.approx(100.0**2 / (256 * np.pi**3), rel=1e-3)
    four = volume(ChargedPairState(0.001, 2), heavy)
    expected = (2 * np.pi) ** -8 * (np.pi / 2) ** 3 * 100.0**4 / 12.0
    assert four == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("name", CHARGED_PAIR_STATES)
def test_momenta_add_up_and_energies_make_the_mass(name) -> None:
    state, mass = CHARGED_PAIR_STATES[name], 1.4
    decays = charged_pair_decays(jnp.array(mass), POINTS[:64], state=state)
    everything = [*decays.charged, *decays.neutral]
    masses = [state.charged_mass] * 2 + [PION_NEUTRAL_MASS] * state.n_neutral
    np.testing.assert_allclose(sum(everything), 0.0, atol=1e-12)
    energy = sum(
        np.sqrt(np.sum(np.asarray(p) ** 2, -1) + m * m)
        for p, m in zip(everything, masses, strict=True)
    )
    np.testing.assert_allclose(energy, mass, rtol=1e-12)
    for meson in decays.neutral:
        photons = photon_pair(meson, POINTS[:64, :2], mass=PION_NEUTRAL_MASS)
        np.testing.assert_allclose(sum(photons), meson, atol=1e-12)
        sizes = [np.linalg.norm(p, axis=-1) for p in photons]
        whole = np.sqrt(np.sum(np.asarray(meson) ** 2, -1) + PION_NEUTRAL_MASS**2)
        np.testing.assert_allclose(sum(sizes), whole, rtol=1e-12)


def test_rho_pi_grows_as_the_integral_of_the_width_does() -> None:
    """The mean weight against the Gauss-Legendre integral of the narrow resonances."""
    state = CHARGED_PAIR_STATES["pi+pi-pi0"]
    masses = np.array([0.5, 0.78, 1.0, 1.4])
    ours = np.array([volume(state, jnp.array(m)) * m for m in masses])
    # the phase space has a 1/M that the integral leaves out
    ratio = ours / three_pion_phase_space(masses)
    np.testing.assert_allclose(ratio / ratio[0], 1.0, rtol=2e-3)


def test_weights_have_finite_gradients_down_to_threshold() -> None:
    for state in CHARGED_PAIR_STATES.values():

        def total(mass, state=state):
            points = POINTS[:128]
            return jnp.mean(charged_pair_decays(mass, points, state=state).weight)

        masses = state.threshold + jnp.array([0.0, 1e-6, 0.1])
        values, slopes = jax.jit(jax.vmap(jax.value_and_grad(total)))(masses)
        assert np.all(np.isfinite(values))
        assert np.all(np.isfinite(slopes))
