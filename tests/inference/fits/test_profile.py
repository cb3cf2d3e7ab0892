"""Asymptotic CLs and limits against pyhf's numbers, random models and derivatives."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from bsmfit.errors import InputError
from bsmfit.inference.fits.profile import profile_bands, profile_cls, profile_limit
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import EventDensities, Region, Term
from bsmfit.likelihood.response import LogNormal, Morph

SHARED = Path(__file__).parents[3].parent / "shared" / "reference" / "stats"
COUNTS = (4, 4, 5, 1, 1, 1, 3, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0)

# pyhf 0.7.6, numpy and scipy: CLs at strength 1 for the signal scaled, and the limit.
# Its factors are code4 with down = 1/up, ours exponential: 1e-6 apart here.
SCALES = (0.3, 0.7, 1.0, 1.6, 3.0)
PYHF_CLS = (0.3497572, 0.07729719, 0.0242677, 0.00229065, 8.552375e-6)
PYHF_LIMIT = 0.632714


def shape_likelihood(scale) -> Likelihood:
    """20 bins, three backgrounds, six normalisations and four independent shapes."""
    c = (np.arange(20) + 0.5) / 20

    def shape(density, total):
        return density / density.sum() * total

    def rolled(name, h):
        up, down = (0.7 * h + 0.3 * jnp.roll(h, k) for k in (1, -1))
        return Morph(name, up, down)

    def tilted(name, h, slope):
        return Morph(name, h * (1 + slope * (c - 0.5)), h * (1 - slope * (c - 0.5)))

    signal = shape(np.exp(-0.5 * ((c - 0.45) / 0.06) ** 2), 6.0) * scale
    b1, b3 = shape(np.exp(-3 * c), 12.0), np.full(20, 0.2)
    b2 = shape(np.exp(-0.5 * ((c - 0.1) / 0.08) ** 2), 8.0)
    lumi, trigger = LogNormal("lumi", 1.035), LogNormal("trig", 1.05)
    efficiency = LogNormal("sig_eff", 1.10)
    region = Region(
        "mass",
        COUNTS,
        signal=[
            Term("s", signal, [efficiency, lumi, trigger, rolled("shift_s", signal)])
        ],
        background=[
            Term(
                "b1", b1, [lumi, LogNormal("b1", 1.25), trigger, tilted("t1", b1, 0.4)]
            ),
            Term("b2", b2, [LogNormal("b2", 1.15), rolled("shift_b2", b2)]),
            Term("b3", b3, [LogNormal("b3", 1.5), trigger, tilted("t3", b3, 0.5)]),
        ],
    )
    return Likelihood.from_regions([region])


@pytest.fixture(scope="module")
def shape_results():
    def point(scale):
        arrays = shape_likelihood(scale).arrays()
        return profile_cls(arrays, jnp.array(1.0)), profile_limit(arrays, cl=0.9)

    return jax.jit(lambda x: lax.map(point, x))(jnp.array(SCALES))


def test_shape_cls_is_that_of_pyhf(shape_results):
    cls, _ = shape_results
    assert cls.is_converged.all()
    np.testing.assert_allclose(jnp.exp(cls.log_cls), PYHF_CLS, rtol=3e-6)


def test_shape_limit_is_that_of_pyhf_and_scales_with_the_signal(shape_results):
    _, (limit, is_converged) = shape_results
    assert is_converged.all()
    np.testing.assert_allclose(limit[2], PYHF_LIMIT, rtol=1e-5)
    np.testing.assert_allclose(limit * jnp.array(SCALES), limit[2], rtol=1e-8)


def count_arrays(n, s, b, kappa_s, kappa_b):
    signal = Term("s", s, [LogNormal("efficiency", kappa_s)])
    background = [Term("b", b, [LogNormal("background", kappa_b)])]
    return Likelihood.from_regions(
        [Region("a", n, signal=[signal], background=background)]
    ).arrays()


B1 = (3.0, 4.0, 2.0, 1.15, 1.3)


@pytest.fixture(scope="module")
def count_results():
    """B1, B1 with every input moved, and random models of the reference file."""
    rows = [B1]
    step = 1e-5
    for index in range(5):
        for sign in (1.0, -1.0):
            moved = list(B1)
            moved[index] += sign * step
            rows.append(tuple(moved))
    path = SHARED / "agree_b1.csv"
    # columns n, b, s, kappa_s, kappa_b, CLs of pyhf, CLs of a prototype
    reference = np.loadtxt(path, delimiter=",") if path.exists() else np.zeros((0, 7))
    rows += reference[:, [0, 2, 1, 3, 4]].tolist()

    def point(x):
        arrays = count_arrays(*x)
        return (
            profile_cls(arrays, jnp.array(1.0)),
            profile_limit(arrays, cl=0.9),
            profile_bands(arrays, cl=0.9),
        )

    run = jax.jit(lambda x: lax.map(point, x, batch_size=128))
    return run(jnp.array(rows)), step, reference


def test_one_count_has_the_values_of_the_statistics_note(count_results):
    # Newton prototypes .13839827 and 1.130121; bands: pyhf 0.7.6
    (cls, (limit, _), (bands, is_converged)), *_ = count_results
    np.testing.assert_allclose(jnp.exp(cls.log_cls[0]), 0.13839827, rtol=1e-7)
    np.testing.assert_allclose(limit[0], 1.130121, rtol=1e-6)
    pyhf = [0.38313, 0.55838, 0.88255, 1.47079, 2.42106]
    assert is_converged[0].all()
    np.testing.assert_allclose(bands[0], pyhf, rtol=2e-4)


def test_random_counts_agree_with_pyhf(count_results):
    (cls, *_), _, reference = count_results
    if not reference.size:
        pytest.skip("reference file not present")
    assert cls.is_converged.all()
    found = jnp.exp(cls.log_cls[11:])
    np.testing.assert_allclose(found, reference[:, 5], rtol=0, atol=5e-5)


@pytest.mark.slow
def test_limit_differentiates_as_finite_differences(count_results):
    (_, (limit, _), _), step, _ = count_results
    expected = (limit[1:11:2] - limit[2:11:2]) / (2.0 * step)

    def function(x):
        return profile_limit(count_arrays(*x), cl=0.9)[0]

    gradient = jax.jit(jax.grad(function))(jnp.array(B1))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_events_with_densities_have_no_asimov_set():
    region = Region(
        "a",
        1,
        signal=[Term("s", 1.0)],
        background=[Term("b", 0.1)],
        events=EventDensities([[2.0]], [[1.0]]),
    )
    arrays = Likelihood.from_regions([region]).arrays()
    with pytest.raises(InputError, match="no Asimov set"):
        profile_limit(arrays, cl=0.9)


def test_a_point_without_signal_has_no_limit():
    region = Region("a", 1, background=[Term("b", 1.0)])
    with pytest.raises(InputError, match="no signal term"):
        profile_cls(Likelihood.from_regions([region]).arrays(), jnp.array(1.0))
