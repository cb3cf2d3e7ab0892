from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.errors import InputError
from bsmfit.inference.posteriors import numpyro_model as module
from bsmfit.inference.posteriors.credible import credible_limits
from bsmfit.inference.posteriors.numpyro_model import (
    numpyro_model,
    sample_posterior,
    sampled_limit,
)
from bsmfit.inference.posteriors.priors import FlatStrength
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.nodes import factorised_nodes
from bsmfit.likelihood.region import EventDensities, Region, Term
from bsmfit.likelihood.response import Free, LogNormal, Sideband

PRIOR = FlatStrength(20.0)


def combination(observed, signals):
    """Two channels that share protons on target; one has a control region."""
    protons = LogNormal("protons", 1.15)
    return Likelihood.from_regions(
        [
            Region(
                "a",
                observed[0],
                signal=[Term("signal", signals[0], [protons])],
                background=[Term("background", 2.0, [LogNormal("fakes", 1.3)])],
            ),
            Region(
                "b",
                observed[1],
                signal=[Term("signal", signals[1], [protons])],
                background=[Term("background", 0.1, [Sideband("control", 4)])],
            ),
        ]
    )


def sampled(likelihood):
    return sample_posterior(
        likelihood,
        prior=PRIOR,
        key=jax.random.key(5),
        n_warmup=300,
        n_sample=600,
        n_chain=4,
    )


@pytest.fixture(scope="module")
def posterior():
    return sampled(combination((3, 1), (4.0, 2.0)))


def quadrature(likelihood):
    arrays = likelihood.arrays()
    nodes = factorised_nodes(arrays)
    return jax.jit(lambda a: credible_limits(a, prior=PRIOR, nodes=nodes, cl=0.90))(
        arrays
    )


def test_hierarchical_combination_agrees_with_quadrature(posterior):
    assert posterior.is_converged, posterior.message
    assert posterior.message == "converged"
    assert set(posterior.samples) == {"strength", "protons", "fakes", "control"}
    exact = quadrature(combination((3, 1), (4.0, 2.0)))
    limit = sampled_limit(posterior, cl=0.90)
    assert 0.0 < limit.sampling_error < 0.05 * limit.value
    tolerance = 4.0 * limit.sampling_error
    np.testing.assert_allclose(limit.value, float(exact.upper_limit), atol=tolerance)
    strength = posterior.samples["strength"]
    error = strength.std() / np.sqrt(posterior.n_effective["strength"])
    np.testing.assert_allclose(strength.mean(), float(exact.mean), atol=4.0 * error)


def test_other_data_are_sampled_without_compiling_and_give_the_benchmark(
    posterior, monkeypatch
):
    def traced(*_):
        pytest.fail("the model was traced again")

    assert posterior.n_divergent == 0
    monkeypatch.setattr(module, "_model", traced)
    # channel b without signal says nothing: what is left is one count of 3
    limit = sampled_limit(sampled(combination((3, 1), (4.0, 0.0))), cl=0.90)
    assert limit.is_converged, limit.message
    np.testing.assert_allclose(limit.value, 1.292, atol=4.0 * limit.sampling_error)
    assert limit.label == "credible, coverage not guaranteed"


def test_failures_are_named():
    found = module.chain_failures({"a": 1.0, "b": 1.2}, {"a": 900.0, "b": 30.0}, 2)
    assert "R-hat of 'b' is 1.200" in found[0]
    assert "30 effective samples of 'b'" in found[1]
    assert "2 divergent transitions" in found[2]
    # a chain that never moved has no R-hat
    found = module.chain_failures({"a": float("nan")}, {"a": float("nan")}, 0)
    assert len(found) == 2
    assert not module.chain_failures({"a": 1.001}, {"a": 500.0}, 0)


def test_model_has_the_density_of_the_likelihood():
    from numpyro.infer.util import log_density

    region = Region(
        "mass",
        2,
        signal=[Term("signal", 1.0, [LogNormal("protons", 1.2)])],
        background=[
            Term("wrong-sign", 0.1, [Sideband("control", 4)]),
            Term("muons", 0.5, [Free("muon-rate")]),
        ],
        events=EventDensities(signal=[[3.0, 0.2]], background=[[1.0, 1.0], [0.5, 2.0]]),
    )
    likelihood = Likelihood.from_regions(
        [region, Region("count", 0, signal=[Term("s", 2.0)])]
    )
    model = numpyro_model(
        likelihood, prior=PRIOR, free_factors={"muon-rate": (0.0, 5.0)}
    )
    arrays = likelihood.arrays()
    differences = []
    for strength, protons, control, rate in ((0.7, 0.3, 3.0, 1.2), (1.9, -1.0, 6, 0.4)):
        values = {
            "strength": jnp.array(strength),
            "protons": jnp.array(protons),
            "control": jnp.array(float(control)),
            "muon-rate": jnp.array(rate),
        }
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            log_posterior, _ = log_density(model, (), {}, values)
        parameters = jnp.array([protons, np.log(control), np.log(rate)])
        nll = arrays.negative_log_likelihood(jnp.array(strength), parameters)
        differences.append(float(log_posterior + nll))
    assert arrays.parameter_names == ("protons", "control", "muon-rate")
    # flat priors in strength, background and rate: only constants differ
    np.testing.assert_allclose(differences[0], differences[1], rtol=1e-10)


@pytest.mark.parametrize(
    ("free_factors", "message"),
    [
        (None, "free factor 'scale' needs a stated prior"),
        ({"scale": (0.0, 5.0), "other": (0.0, 1.0)}, "'other'"),
        ({"scale": (5.0, 1.0)}, "low < high"),
    ],
)
def test_free_factors_need_a_prior(free_factors, message):
    background = Term("background", 1.0, [Free("scale")])
    region = Region("a", 1, signal=[Term("s", 1.0)], background=[background])
    likelihood = Likelihood.from_regions([region])
    with pytest.raises(InputError, match=message):
        numpyro_model(likelihood, prior=PRIOR, free_factors=free_factors)


def test_a_nuisance_must_not_take_the_name_of_the_strength():
    signal = Term("s", 1.0, [LogNormal("strength", 1.2)])
    likelihood = Likelihood.from_regions([Region("a", 0, signal=[signal])])
    with pytest.raises(InputError, match="rename"):
        numpyro_model(likelihood, prior=PRIOR)
