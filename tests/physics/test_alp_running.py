from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from bsmfit.errors import InputError
from bsmfit.physics.alp_couplings_at_scale import COUPLINGS
from bsmfit.physics.alp_running import (
    LOW_COUPLINGS,
    running_matrix,
    strong_coupling,
    weak_scale_matching,
)

FOUR_PI_TEV = 4e3 * math.pi


def entry(low: str, high: str, scale: float) -> float:
    matrix = running_matrix(scale)
    return float(matrix[LOW_COUPLINGS.index(low), COUPLINGS.index(high)])


@pytest.mark.parametrize(
    ("coupling", "public_code", "published", "tolerance"),
    [
        ("top", 1.85e-2, 1.9e-2, 0.05),
        ("gluon", -5.7e-5, -6.1e-5, 0.10),
        ("weak", -2.8e-5, -2.8e-5, 0.05),
        ("hypercharge", -1.69e-7, -1.8e-7, 0.05),
    ],
)
def test_flavour_change_from_four_pi_tev(coupling, public_code, published, tolerance):
    """ALPaca, and arXiv:2110.10698 as quoted in ALPINIST."""
    found = entry("flavour_changing", coupling, FOUR_PI_TEV)
    assert found == pytest.approx(public_code, rel=tolerance)
    assert found == pytest.approx(published, rel=tolerance)


@pytest.mark.parametrize("scale", [300.0, 1000.0, FOUR_PI_TEV, 1e8])
def test_top_loop_is_the_integral_of_its_source(scale):
    """Runge-Kutta of our own: y_t, alpha_s at one loop to 2 %, c_tt and k."""
    step = math.log(scale / 162.8) / 400
    state = np.array([0.01022, 0.0336, 0.1081, (162.8 / 246.22) ** 2 / (2 * math.pi)])

    def flow(a):
        pull = 4.5 * a[3] - 8 * a[2] - 2.25 * a[1] - 17 / 12 * a[0]
        slopes = [41 / 6 * a[0] ** 2, -19 / 6 * a[1] ** 2, -7 * a[2] ** 2, a[3] * pull]
        return np.array(slopes) / (2 * math.pi)

    tops = [state[3]]
    for _ in range(400):
        middle = state + 0.5 * step * flow(state)
        state = state + step * flow(middle)
        tops.append(state[3])
    loops = np.array(tops) / (4 * math.pi)
    # c_tt at each scale for 1 at Lambda; then k from Lambda down
    inner = np.concatenate([[0], np.cumsum(0.5 * (loops[1:] + loops[:-1])) * step])
    top = np.exp(-9 * (inner[-1] - inner))
    log_part = np.sum(0.5 * ((loops * top)[1:] + (loops * top)[:-1])) * step
    matched = weak_scale_matching(math.sqrt(4 * math.pi * tops[0]))[0] * top[0]
    found = entry("flavour_changing", "top", scale)
    assert found == pytest.approx(log_part + matched, rel=0.02)


def test_matching_of_the_top_is_finite_and_small():
    """x -> 1: (1 - x + ln x)/(1 - x)^2 -> -1/2, so -1/4 + 3/4; at 4.1 they cancel."""
    top, weak = weak_scale_matching(1.0)
    assert abs(top) < 0.05 / (16 * math.pi**2)
    x = (162.8 / 80.37) ** 2
    expected = -1.5 / 127.95 / math.pi / 0.2312 * (1 - x + x * math.log(x))
    assert weak == pytest.approx(expected / (1 - x) ** 2 / (16 * math.pi**2))


def test_gluons_drive_light_quarks_by_the_change_of_alpha_s():
    """Without quark couplings, dc/d ln mu = 2 alpha_s^2/pi^2: an integral over scales.

    Five flavours from the top to the bottom quark, four below, one loop.
    """

    def alpha(mu, flavours, start, at):
        b = (11 - 2 / 3 * flavours) / (2 * math.pi)
        return at / (1 + b * at * math.log(mu / start))

    at_bottom = alpha(4.18, 5, 162.8, 0.1081)
    pieces = [
        quad(
            lambda t: alpha(math.exp(t), 5, 162.8, 0.1081) ** 2, *np.log([4.18, 162.8])
        ),
        quad(lambda t: alpha(math.exp(t), 4, 4.18, at_bottom) ** 2, *np.log([2, 4.18])),
    ]
    expected = -2 / math.pi**2 * sum(piece[0] for piece in pieces)
    # from the top down: at the scale of new physics itself little more
    found = entry("strange", "gluon", 246.0)
    assert found == pytest.approx(expected, rel=0.15)


def test_what_does_not_run():
    for scale in (1000.0, FOUR_PI_TEV):
        assert entry("gluon", "gluon", scale) == 1.0
        assert entry("photon", "hypercharge", scale) == pytest.approx(1.0)
        assert entry("photon", "weak", scale) == pytest.approx(1.0)
        for lepton in ("electron", "muon", "tau"):
            assert entry(lepton, lepton, scale) == pytest.approx(1.0, abs=1e-3)


def test_the_top_quark_moves_up_and_down_quarks_apart():
    """X terms: +6 for up, -6 for down quarks and leptons, the same size."""
    up, down, electron = (
        entry(name, "top", FOUR_PI_TEV) for name in ("up", "down", "electron")
    )
    assert up < -0.1 < 0.1 < down
    assert down == pytest.approx(electron, rel=0.05)


def test_strong_coupling_falls_to_its_value_at_a_tev():
    """PDG: alpha_s(1 TeV) = 0.0885 from 0.118 at the Z boson."""
    assert strong_coupling(1000.0) == pytest.approx(0.0885, rel=0.01)


@pytest.mark.parametrize("scale", [100.0, 0.0, -1.0, float("nan"), 1e20])
def test_a_scale_that_cannot_be_is_refused(scale):
    with pytest.raises(InputError, match="scale of new physics"):
        running_matrix(scale)
