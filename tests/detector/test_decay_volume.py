from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from bsmfit.detector.decay_volume import vertex_weights

VERTICES = np.linspace(105.0, 180.0, 7)
ORIGIN = 23.07


@pytest.mark.parametrize("length", [0.3, 2.0, 20.0, 300.0, 5e3, 1e6, 1e9])
def test_weights_integrate_a_piecewise_linear_acceptance(length):
    values = np.array([0.3, 0.7, 0.2, 0.9, 0.5, 0.4, 0.1])
    reference = -(VERTICES[0] - ORIGIN) / length
    weights = vertex_weights(
        np.array([length]),
        VERTICES,
        origin=ORIGIN,
        log_reference=np.array([reference]),
    )
    truth, start = 0.0, VERTICES[0]
    for a, b in pairwise(VERTICES):
        value, _ = quad(
            lambda z: (
                np.interp(z, VERTICES, values) * np.exp(-(z - start) / length) / length
            ),
            a,
            min(b, a + 60 * length),
            epsrel=1e-12,
            epsabs=0.0,
        )
        truth += value
    np.testing.assert_allclose(weights[0] @ values, truth, rtol=1e-9)


def test_constant_acceptance_gives_the_textbook_decay_probability():
    lengths = np.geomspace(0.05, 1e8, 60)
    weights = vertex_weights(
        lengths,
        VERTICES,
        origin=ORIGIN,
        log_reference=-(VERTICES[0] - ORIGIN) / lengths,
    )
    expected = -np.expm1(-(VERTICES[-1] - VERTICES[0]) / lengths)
    np.testing.assert_allclose(weights.sum(axis=-1), expected, rtol=1e-12)
    assert np.all(weights >= 0.0)
