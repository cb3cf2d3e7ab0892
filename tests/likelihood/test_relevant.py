"""Which bins say anything about the signal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import EventDensities, Region, Term
from bsmfit.likelihood.relevant import acting_responses, relevant_part, restricted
from bsmfit.likelihood.response import (
    Asymmetric,
    BinFactors,
    Free,
    Gamma,
    LogNormal,
    Morph,
    TruncatedNormal,
)


def signal_region(*responses, n=1):
    return Region("SR", n, [Term("s", 1.0)], [Term("b", 0.5, responses)])


def control(name, *responses, n=20, background=20.0):
    return Region(name, n, [], [Term("b", background, responses)])


def kept_of(*regions, correlations=None):
    arrays = Likelihood.from_regions(regions, correlations).arrays()
    part = relevant_part(arrays)
    return part.bins, tuple(arrays.parameter_names[i] for i in part.parameters)


X, Y = LogNormal("x", 1.2), LogNormal("y", 1.1)


@pytest.mark.parametrize(
    ("regions", "correlations", "expected"),
    [
        # nothing shared
        ([signal_region(X), control("C", Y)], None, ((0,), ("x",))),
        # shared, and through a chain
        ([signal_region(X), control("C", X)], None, ((0, 1), ("x",))),
        (
            [signal_region(X), control("C", X, Y), control("D", Y)],
            None,
            ((0, 1, 2), ("x", "y")),
        ),
        # a chain that does not reach the signal
        ([signal_region(X), control("C", Y), control("D", Y)], None, ((0,), ("x",))),
        # a partial correlation is a link
        (
            [signal_region(X), control("C", Y)],
            {("x", "y"): 0.4},
            ((0, 1), ("x", "y")),
        ),
        # a response of nothing links nothing
        (
            [signal_region(X), control("C", LogNormal("x", 1.0), Y)],
            None,
            ((0,), ("x",)),
        ),
        # a term without yields links nothing
        ([signal_region(X), control("C", X, background=0.0)], None, ((0,), ("x",))),
        # free factors link as all others
        (
            [
                signal_region(Free("k")),
                control("C", Free("k")),
                control("D", Free("l")),
            ],
            None,
            ((0, 1), ("k",)),
        ),
    ],
)
def test_bins_matter_by_the_chain_of_what_they_share(regions, correlations, expected):
    assert kept_of(*regions, correlations=correlations) == expected


def test_bins_of_one_region_are_told_apart():
    # the signal is in the first of three bins; simulation statistics link nothing
    region = Region(
        "r",
        [0, 50, 70],
        [Term("s", [1.0, 0.0, 0.0])],
        [Term("b", [0.5, 50.0, 70.0], [BinFactors("mc", [0.1, 0.1, 0.1])])],
    )
    assert kept_of(region) == ((0,), ("mc[0]",))


def test_a_shape_links_the_bins_that_it_moves():
    morph = Morph("m", [0.6, 50.0, 75.0], [0.4, 50.0, 65.0])
    region = Region(
        "r",
        [0, 50, 70],
        [Term("s", [1.0, 0.0, 0.0])],
        [Term("b", [0.5, 50.0, 70.0], [morph])],
    )
    assert kept_of(region) == ((0, 2), ("m",))


def test_a_likelihood_without_signal_keeps_everything():
    region = Region("r", [1, 2], [Term("s", [0.0, 0.0])], [Term("b", [1.0, 2.0])])
    assert kept_of(region)[0] == (0, 1)


def everything():
    shape = Morph("m", [0.9, 31.0], [0.6, 29.0])
    responses = [
        X,
        Asymmetric("a", 1.2, 0.9),
        TruncatedNormal("t", 0.1),
        shape,
        BinFactors("mc", [0.1, 0.2]),
    ]
    related = Region(
        "SR",
        [1, 30],
        [Term("s", [1.0, 2.0], [LogNormal("lumi", 1.05)])],
        [Term("b", [0.7, 30.0], responses), Term("c", [0.1, 0.2], [Gamma("g", 0.3)])],
    )
    marked = Region(
        "E",
        2,
        [Term("s", 1.0)],
        [Term("b", 3.0, [Y])],
        EventDensities([[0.2, 0.4]], [[0.1, 0.3]]),
    )
    strangers = [
        control("C", Asymmetric("other", 1.3, 0.8), Free("k"), Gamma("h", 0.2)),
        Region(
            "D",
            [5, 6],
            [],
            [Term("b", [5.0, 6.0], [Morph("n", [6.0, 6.0], [4.0, 6.0])])],
        ),
        control("F", TruncatedNormal("u", 0.2), BinFactors("mcf", [0.1])),
    ]
    return related, marked, strangers


def test_what_is_kept_is_the_likelihood_of_those_regions_alone():
    related, marked, (first, second, third) = everything()
    correlations = {("x", "a"): 0.3, ("other", "n"): 0.2}
    regions = [first, related, second, marked, third]
    whole = Likelihood.from_regions(regions, correlations).arrays()
    part = relevant_part(whole)
    small = restricted(whole, part)
    alone = Likelihood.from_regions([related, marked], {("x", "a"): 0.3}).arrays()
    assert small.structure == alone.structure
    for mine, theirs in zip(
        jax.tree.leaves(small), jax.tree.leaves(alone), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
def test_the_rest_is_a_factor_without_the_strength():
    related, marked, strangers = everything()
    whole = Likelihood.from_regions([*strangers, related, marked]).arrays()
    part = relevant_part(whole)
    small = restricted(whole, part)
    x = jnp.asarray(np.random.default_rng(1).normal(0.0, 0.3, whole.n_parameter))
    inside = x[np.array(part.parameters)]

    def difference(arrays, parameters):
        strengths = jnp.array([0.3, 2.0])
        nll = [arrays.negative_log_likelihood(m, parameters) for m in strengths]
        return float(nll[1] - nll[0])

    np.testing.assert_allclose(
        difference(whole, x), difference(small, inside), rtol=1e-12
    )


def test_everything_that_matters_is_left_as_it_is():
    arrays = Likelihood.from_regions([signal_region(X), control("C", X)]).arrays()
    assert restricted(arrays, relevant_part(arrays)) is arrays


def test_traced_values_are_linked_by_name():
    kept = []

    @jax.jit
    def trace(kappa, background):
        regions = [
            signal_region(X),
            control("C", LogNormal("x", kappa), background=background),
            control("D", Y),
        ]
        arrays = Likelihood.from_regions(regions).arrays()
        assert acting_responses(arrays).shape == (2, 4, 3)
        kept.append(relevant_part(arrays).bins)
        return jnp.sum(arrays.observed)

    trace(1.0, 20.0)
    assert kept == [(0, 1)]
