import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import stats
from scipy.special import gammaln

from bsmfit.errors import InputError
from bsmfit.likelihood.likelihood import (
    Likelihood,
    broadcast_points,
    combine,
    point_shape,
)
from bsmfit.likelihood.nodes import factorised_nodes, normal_nodes
from bsmfit.likelihood.region import EventDensities, Region, Term
from bsmfit.likelihood.response import (
    Asymmetric,
    BinFactors,
    Free,
    Gamma,
    LogNormal,
    Morph,
    Sideband,
    TruncatedNormal,
)


def one_region(name="a", observed=1, signal=2.0, background=0.5, responses=()):
    return Region(
        name,
        observed,
        [Term("s", signal, [LogNormal("protons", 1.2)])],
        [Term("b", background, responses)],
    )


def everything():
    """Return a likelihood with each kind of response, and an independent -ln L."""
    likelihood = Likelihood.from_regions(
        [
            Region(
                "shape",
                [3, 1],
                [
                    Term(
                        "s",
                        [4.0, 1.0],
                        [
                            LogNormal("eff", 1.15),
                            Morph("scale", [5.0, 1.5], [3.0, 0.7]),
                        ],
                    )
                ],
                [
                    Term("b", [2.0, 1.0], [BinFactors("mc", [0.1, 0.2])]),
                    Term("c", [1.0, 0.1], [Gamma("g", 0.5), LogNormal("fakes", 1.3)]),
                    Term("d", [0.5, 0.5], [BinFactors("sim", [0.3, 0.1], "normal")]),
                ],
            ),
            Region(
                "count",
                0,
                [Term("s", 1.0, [LogNormal("eff", 1.3)])],
                [
                    Term("b", 0.1, [Sideband("control", 4), Free("norm")]),
                    Term("e", 0.3, [Asymmetric("x", 1.2, 0.9)]),
                    Term("f", 0.2, [TruncatedNormal("t", 0.4)]),
                ],
            ),
        ],
        correlations={("eff", "fakes"): 0.6},
    )

    def expected_value(mu, p):
        eff, fakes = p["eff"], 0.6 * p["eff"] + 0.8 * p["fakes"]
        x = p["scale"]
        bend = x**2 * (3 * x**4 - 10 * x**2 + 15) / 8
        signal = np.array([4.0 + x, 1.0 + 0.4 * x + 0.1 * bend]) * 1.15**eff
        mc = np.exp([p["mc[0]"], p["mc[1]"]])
        sim = 1 + np.array([0.3 * p["sim[0]"], 0.1 * p["sim[1]"]])
        first = mu * signal + np.array([2.0, 1.0]) * mc
        first = first + np.array([1.0, 0.1]) * np.exp(p["g"]) * 1.3**fakes + 0.5 * sim
        second = mu * 1.3**eff + 0.1 * np.exp(p["control"] + p["norm"])
        # x of the asymmetric factor is beyond 1: exponential there
        second = second + 0.3 * 1.2 ** p["x"] + 0.2 * (1 + 0.4 * p["t"])
        value = -stats.poisson.logpmf([3, 1], first).sum()
        value -= stats.poisson.logpmf(0, second)
        normals = ["eff", "scale", "fakes", "x", "t", "sim[0]", "sim[1]"]
        value -= stats.norm.logpdf([p[name] for name in normals]).sum()
        counts = [("mc[0]", 100.0), ("mc[1]", 25.0), ("g", 4.0)]
        for name, n in counts:
            expected = n * np.exp(p[name])
            value -= n * np.log(expected) - expected - gammaln(n + 1)
        return value - stats.poisson.logpmf(4, np.exp(p["control"]))

    return likelihood, expected_value


def test_log_likelihood_is_the_product_written_out():
    likelihood, expected_value = everything()
    arrays = likelihood.arrays()
    values = {name: 0.1 * i - 0.3 for i, name in enumerate(arrays.parameter_names)}
    values["x"] = 1.4
    parameters = jnp.array([values[name] for name in arrays.parameter_names])
    for mu in (0.0, 0.7, 2.0):
        found = arrays.negative_log_likelihood(jnp.array(mu), parameters)
        np.testing.assert_allclose(found, expected_value(mu, values), rtol=1e-13)


def test_known_and_traced_numbers_give_the_same_arrays():
    likelihood = everything()[0]
    known, traced = likelihood.arrays(), jax.jit(Likelihood.arrays)(likelihood)
    assert jax.tree.structure(known) == jax.tree.structure(traced)
    for one, other in zip(jax.tree.leaves(known), jax.tree.leaves(traced), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-15)
        assert (one.dtype, one.weak_type) == (other.dtype, other.weak_type)


def test_gradient_is_finite_everywhere_and_right():
    arrays = everything()[0].arrays()
    start = arrays.nominal_parameters()
    function = jax.jit(lambda x: arrays.negative_log_likelihood(jnp.array(0.7), x))
    check_grads(function, (start + 0.05,), order=1, modes=("fwd", "rev"))
    gradient = jax.grad(function)(start)
    assert np.all(np.isfinite(gradient))


def test_regions_share_a_nuisance_by_its_name():
    joint = combine(
        [
            Likelihood.from_regions([one_region("a", 1)]),
            Likelihood.from_regions([one_region("b", 0)]),
        ]
    ).arrays()
    assert joint.parameter_names == ("protons",)
    signal, background = joint.expected(jnp.array([1.0]))
    np.testing.assert_allclose(signal, [2.4, 2.4])
    np.testing.assert_allclose(background, [0.5, 0.5])


def test_combining_in_any_grouping_gives_the_same_likelihood():
    parts = [
        Likelihood.from_regions(
            [one_region(name, n, 1.0 + n, 0.2, [LogNormal(f"fakes-{name}", 1.4)])],
            {("protons", f"fakes-{name}"): 0.3},
        )
        for n, name in enumerate("abc")
    ]
    flat = combine(parts).arrays()
    nested = combine([parts[0], combine(parts[1:])]).arrays()
    point = jnp.array([0.2, -0.4, 0.3, 1.0])
    assert flat.parameter_names == nested.parameter_names
    for mu in (jnp.array(0.0), jnp.array(1.3)):
        np.testing.assert_array_equal(
            flat.negative_log_likelihood(mu, point),
            nested.negative_log_likelihood(mu, point),
        )


def test_events_one_by_one_multiply_their_densities():
    region = Region(
        "dimuon",
        2,
        [Term("s", 3.0)],
        [Term("b", 0.5)],
        EventDensities([[0.2, 4.0]], [[1.0, 1.0]]),
    )
    arrays = Likelihood.from_regions([region]).arrays()
    found = arrays.negative_log_likelihood(jnp.array(0.8), jnp.zeros(0))
    rates = 0.8 * 3.0 * np.array([0.2, 4.0]) + 0.5
    np.testing.assert_allclose(found, 0.8 * 3.0 + 0.5 - np.log(rates).sum())


def test_no_event_is_the_same_counted_or_listed():
    terms = {"signal": [Term("s", 3.0)], "background": [Term("b", 0.5)]}
    counted = Likelihood.from_regions([Region("r", 0, **terms)]).arrays()
    listed = Likelihood.from_regions(
        [
            Region(
                "r", 0, **terms, events=EventDensities(np.ones((1, 0)), np.ones((1, 0)))
            )
        ]
    ).arrays()
    args = jnp.array(0.8), jnp.zeros(0)
    np.testing.assert_allclose(
        counted.negative_log_likelihood(*args), listed.negative_log_likelihood(*args)
    )


def test_normals_become_parameters_with_the_moments_of_their_constraints():
    likelihood = Likelihood.from_regions(
        [
            Region(
                "r",
                0,
                [Term("s", 1.0, [TruncatedNormal("t", 0.5)])],
                [
                    Term("b", 0.1, [Sideband("control", 4)]),
                    Term("c", 1.0, [Gamma("g", 0.5)]),
                ],
            )
        ]
    )
    arrays = likelihood.arrays()
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    parameters = jax.jit(
        jax.vmap(lambda z: arrays.parameters_from_normal(jnp.full(3, z)))
    )(jnp.array(nodes))
    truncated = 1.0 + 0.5 * np.array(parameters[:, 0])
    control, factor = np.exp(parameters[:, 1]), np.exp(parameters[:, 2])
    cut = stats.truncnorm(-2.0, np.inf, loc=1.0, scale=0.5)
    np.testing.assert_allclose(weights @ truncated, cut.mean(), rtol=1e-6)
    np.testing.assert_allclose(weights @ truncated**2, cut.moment(2), rtol=1e-5)
    # flat prior in the background: gamma of shape m + 1
    np.testing.assert_allclose(weights @ control, 5.0, rtol=1e-8)
    np.testing.assert_allclose(weights @ control**2, 30.0, rtol=1e-7)
    np.testing.assert_allclose(weights @ factor, 1.0, rtol=1e-8)
    np.testing.assert_allclose(weights @ factor**2, 1.25, rtol=1e-7)


def test_a_free_factor_has_no_distribution_and_stays_as_given():
    arrays = Likelihood.from_regions([one_region(responses=[Free("norm")])]).arrays()
    given = jnp.array([0.3, -1.7])
    is_free = np.array(arrays.structure.constraints) == "free"
    found = arrays.parameters_from_normal(given)
    np.testing.assert_array_equal(found[is_free], given[is_free])
    for nodes_of in (normal_nodes, factorised_nodes):
        with pytest.raises(InputError, match="'norm' has no constraint"):
            nodes_of(arrays)


def test_grid_axes_broadcast():
    likelihood = Likelihood.from_regions(
        [
            Region(
                "r",
                np.zeros((3, 1)),
                [Term("s", np.ones((4, 1, 1)), [LogNormal("p", np.full(3, 1.2))])],
                [Term("b", 0.1)],
            )
        ]
    )
    assert point_shape(likelihood) == (4, 3)
    points = broadcast_points(likelihood)
    signal = jax.vmap(lambda one: one.arrays().expected(jnp.ones(1))[0])(points)
    np.testing.assert_allclose(signal, np.full((12, 1), 1.2))


def test_everything_numerical_is_traced():
    def value(signal, kappa, observed):
        region = Region(
            "r",
            observed,
            [Term("s", signal, [LogNormal("p", kappa)])],
            [Term("b", 0.1)],
        )
        arrays = Likelihood.from_regions([region]).arrays()
        return arrays.negative_log_likelihood(jnp.array(1.0), jnp.array([0.5]))

    one = jnp.array(1.0)
    slope = jax.jit(jax.grad(value))(2.0 * one, 1.2 * one, one)
    rate = 2.0 * np.sqrt(1.2) + 0.1
    np.testing.assert_allclose(slope, np.sqrt(1.2) * (1.0 - 1.0 / rate))


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (list, "one region or more"),
        (lambda: [Region("r", 0)], "region 'r' is empty"),
        (lambda: [Region("r", [])], "region 'r' has no bin"),
        (lambda: [one_region(), one_region()], "region 'a' occurs twice"),
        (lambda: [one_region(signal=-1.0)], r"region 'a', term 's': yields: -1 "),
        (
            lambda: [one_region(signal=np.nan)],
            "yields: nan is not a number",
        ),
        (lambda: [one_region(observed=-1)], "region 'a': observed events: -1 "),
        (
            lambda: [one_region(signal=[1.0, 2.0])],
            "yields have 2 bins, the observed events 1",
        ),
        (
            lambda: [one_region(responses=[LogNormal("k", 0.0)])],
            "term 'b', nuisance 'k': kappa: 0 is not a number above 0",
        ),
        (
            lambda: [one_region(responses=[Gamma("k", -0.1)])],
            "relative error: -0.1 is not a number above 0",
        ),
        (
            lambda: [one_region(responses=[LogNormal("k", 1.1), LogNormal("k", 1.2)])],
            "nuisance of region 'a', term 'b' 'k' occurs twice",
        ),
        (
            lambda: [one_region(responses=[Gamma("protons", 0.1)])],
            "'protons' is constrained in one way in a/s",
        ),
        (
            lambda: [one_region(responses=[Morph("m", [1.0, 2.0], [1.0])])],
            "give one number for each of the 1 bins",
        ),
    ],
)
def test_bad_values_are_named(regions, message):
    with pytest.raises(InputError, match=message):
        Likelihood.from_regions(regions())


@pytest.mark.parametrize(
    ("correlations", "message"),
    [
        ({("protons", "fake"): 0.5}, "did you mean 'fakes'"),
        ({("protons", "fakes"): 1.0}, "must lie between -1 and 1"),
        ({("protons", "protons"): 0.5}, "correlated with itself"),
        ({("protons", "g"): 0.5}, "'g' has no unit-normal constraint"),
        (
            {("protons", "fakes"): 0.9, ("fakes", "x"): 0.9, ("protons", "x"): -0.9},
            "not positive definite",
        ),
    ],
)
def test_bad_correlations_are_named(correlations, message):
    responses = [LogNormal("fakes", 1.3), LogNormal("x", 1.1), Gamma("g", 0.2)]
    with pytest.raises(InputError, match=message):
        Likelihood.from_regions([one_region(responses=responses)], correlations)


def test_grids_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="do not broadcast"):
        Likelihood.from_regions(
            [one_region("a", signal=np.ones((3, 1))), one_region("b", np.zeros((4, 1)))]
        )


def test_an_unknown_region_gets_no_data():
    with pytest.raises(InputError, match="unknown region 'dimoun'"):
        Likelihood.from_regions([one_region()]).with_observed({"dimoun": 1})
    changed = Likelihood.from_regions([one_region()]).with_observed({"a": 3})
    np.testing.assert_array_equal(changed.arrays().observed, [3.0])


def test_two_correlations_of_one_pair_must_agree():
    def part(name, value):
        return Likelihood.from_regions(
            [one_region(name, 0, responses=[LogNormal("fakes", 1.2)])],
            {("protons", "fakes"): value},
        )

    with pytest.raises(InputError, match="given twice with different values"):
        combine([part("a", 0.2), part("b", 0.3)])
    assert combine([part("a", 0.2), part("b", 0.2)]).coefficients.shape == (1,)
