"""L-BFGS and Newton's method by hand find the same minimum."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from bsmfit.inference.fit import conditional_fit, free_fit
from bsmfit.inference.large_fit import large_conditional_fit, large_free_fit
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
    def fits(counts):
        model, one = arrays(counts, SIGNAL), jnp.array(1.0)
        newton = free_fit(model), conditional_fit(model, one)
        return newton, (large_free_fit(model), large_conditional_fit(model, one))

    # an excess and a deficit
    counts = jnp.array([COUNTS, (0.0, 1.0, 6.0, 1.0, 3.0)])
    return jax.jit(lambda n: lax.map(fits, n))(counts)


def test_both_fits_agree(both):
    for newton, large in zip(*both, strict=True):
        assert newton.is_converged.all()
        assert large.is_converged.all()
        np.testing.assert_allclose(large.strength, newton.strength, atol=1e-6)
        np.testing.assert_allclose(large.parameters, newton.parameters, atol=1e-6)
        np.testing.assert_allclose(
            large.negative_log_likelihood, newton.negative_log_likelihood, rtol=1e-11
        )
    (_, _), (large, _) = both
    assert float(large.strength[0]) > 0.1
    assert float(large.strength[1]) == 0.0


def test_large_fit_differentiates_as_the_other():
    counts = jnp.array(COUNTS)

    def difference(signal):
        model, one = arrays(counts, signal), jnp.array(1.0)
        large = large_conditional_fit(model, one, n_iteration=40).parameters
        return jnp.sum(large), jnp.sum(conditional_fit(model, one).parameters)

    large, newton = jax.jit(jax.jacfwd(difference))(SIGNAL)
    np.testing.assert_allclose(large, newton, rtol=1e-5, atol=1e-8)
