"""L-BFGS and Newton's method by hand find the same minimum."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from bsmfit.inference.fits.fit import free_fit
from bsmfit.inference.fits.large_fit import large_free_fit
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import BinFactors, LogNormal, Morph

COUNTS = (7.0, 4.0, 6.0, 1.0, 3.0)
SIGNAL = jnp.array([3.0, 1.0, 0.5, 0.2, 0.1])


def arrays(counts, signal):
    background = np.array([3.0, 2.5, 4.0, 2.0, 2.0])
    region = Region(
        "a",
        counts,
        signal=[Term("s", signal, [LogNormal("protons", 1.2)])],
        background=[
            Term(
                "b",
                background,
                [
                    LogNormal("protons", 1.1),
                    Morph("tilt", background * 1.2, background * 0.9),
                    BinFactors("statistics", np.full(5, 0.2)),
                ],
            )
        ],
    )
    return Likelihood.from_regions([region]).arrays()


@pytest.fixture(scope="module")
def both():
    """Both fits of an excess and a deficit, and the slope of the profiled values."""

    def fits(counts):
        def profiled(shift):
            signal = SIGNAL + shift * jnp.array([1.0, 0.0, 0.0, 0.0, 0.5])
            model = arrays(counts, signal)
            large, newton = large_free_fit(model, n_iteration=40), free_fit(model)
            return (large.parameters, newton.parameters), (large, newton)

        zero = jnp.array(0.0)
        _, slopes, found = jax.jvp(profiled, (zero,), (zero + 1.0,), has_aux=True)
        return slopes, found

    counts = jnp.array([COUNTS, (0.0, 1.0, 6.0, 1.0, 3.0)])
    return jax.jit(lambda n: lax.map(fits, n))(counts)


def test_both_fits_agree(both):
    _, (large, newton) = both
    assert newton.is_converged.all()
    assert large.is_converged.all()
    np.testing.assert_allclose(large.strength, newton.strength, atol=1e-6)
    np.testing.assert_allclose(large.parameters, newton.parameters, atol=1e-6)
    np.testing.assert_allclose(
        large.negative_log_likelihood, newton.negative_log_likelihood, rtol=1e-11
    )
    assert float(large.strength[0]) > 0.1
    assert float(large.strength[1]) == 0.0


def test_both_fits_have_the_same_derivatives(both):
    (large, newton), _ = both
    np.testing.assert_allclose(large, newton, rtol=1e-5, atol=1e-7)
