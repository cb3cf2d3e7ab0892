r"""Hierarchical posteriors by sampling: the likelihood as a numpyro model.

Unit normals of the nuisances (non-centred) and gamma factors of control counts are
sampled under their names, so that channels that share protons on target share one
number; the strength has its prior; counts are observed Poisson numbers and single
events a factor of their densities.

For single points and for questions about the nuisances. Limits of maps are faster, and
have no sampling error, by quadrature (`bsmfit.inference.posteriors.credible`).

Data and yields are arguments of the compiled program: another data set of the same
shape, with the same prior and numbers of samples, does not compile again. numpyro is
imported when a function here is called.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bsmfit._x64 import require_x64
from bsmfit.core.argument import instance, instances, level, real_number, whole_number
from bsmfit.core.array_argument import random_key
from bsmfit.errors import InputError
from bsmfit.inference.posteriors.credible import CREDIBLE_LABEL
from bsmfit.inference.posteriors.priors import Prior, check_prior
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.likelihood import Likelihood, point_shape

__all__ = [
    "MAX_R_HAT",
    "MIN_EFFECTIVE",
    "Posterior",
    "SampledLimit",
    "chain_diagnostics",
    "chain_failures",
    "numpyro_model",
    "sample_posterior",
    "sampled_limit",
]

MAX_R_HAT = 1.01
MIN_EFFECTIVE = 400.0
STRENGTH = "strength"

_MOST_STEPS = 10**7

_SMALLEST = 1e-300


@dataclass(frozen=True)
class Posterior:
    """Samples of the strength and the nuisances, and whether to believe them.

    Attributes:
        samples: Samples of shape (n_chain, n_sample) by name: ``"strength"``, nuisances
            as unit normals, factors as such.
        is_divergent: Which transitions diverged, of shape (n_chain, n_sample).
        r_hat: Split R-hat by name [1].
        n_effective: Effective number of samples by name.
        n_divergent: Number of divergent transitions.
        is_converged: R-hat below 1.01 and effective samples above 400 for every name,
            and no divergence.
        message: What failed, or "converged".
        prior: Description of the prior, with those of the free factors.
        observed: The data in the bins.
        yields: Nominal yields of the terms in the bins.
        region_names: Region of each bin.
        term_names: The terms.
        n_warmup: Warm-up steps of each chain.
        label: What to write beside numbers made from it.
    """

    samples: Mapping[str, np.ndarray]
    is_divergent: np.ndarray
    r_hat: Mapping[str, float]
    n_effective: Mapping[str, float]
    n_divergent: int
    is_converged: bool
    message: str
    prior: str
    observed: np.ndarray
    yields: np.ndarray
    region_names: tuple[str, ...]
    term_names: tuple[str, ...]
    n_warmup: int
    label: str = CREDIBLE_LABEL


@dataclass(frozen=True)
class SampledLimit:
    """A credible upper limit from samples.

    Attributes:
        value: The limit on the strength [1].
        sampling_error: Its standard deviation from the finite number of samples [1].
        cl: Posterior probability below it.
        is_converged: As of the samples; where False the value is not to be used.
        message: What failed, or "converged".
        prior: Description of the prior.
        method: ``"bayes"``.
        label: What to write beside the number.
    """

    value: float
    sampling_error: float
    cl: float
    is_converged: bool
    message: str
    prior: str
    method: str = "bayes"
    label: str = CREDIBLE_LABEL


def numpyro_model(
    likelihood: Likelihood,
    *,
    prior: Prior,
    free_factors: Mapping[str, tuple[float, float]] | None = None,
) -> Callable[..., None]:
    """Write a likelihood as a numpyro model.

    Args:
        likelihood: The likelihood of one point.
        prior: Prior on the strength.
        free_factors: For each free factor the range in which its prior is flat.

    Returns:
        The model; a function of the dense likelihood, by default that of `likelihood`,
        so that other data of the same shape can be given.

    Raises:
        InputError: A free factor has no stated prior, a stated one is not free, or a
            nuisance is called "strength".
    """
    require_x64("numpyro_model")
    arrays = _arrays(likelihood)
    check_prior(prior)
    ranges = _factor_ranges(arrays, free_factors)

    def model(data: LikelihoodArrays = arrays) -> None:
        _model(data, prior, ranges)

    return model


def sample_posterior(
    likelihood: Likelihood,
    *,
    prior: Prior,
    key: PRNGKeyArray,
    n_warmup: int = 500,
    n_sample: int = 1000,
    n_chain: int = 4,
    free_factors: Mapping[str, tuple[float, float]] | None = None,
) -> Posterior:
    """Sample strength and nuisances with NUTS.

    Args:
        likelihood: The likelihood of one point.
        prior: Prior on the strength.
        key: Random key; equal keys give equal samples.
        n_warmup: Warm-up steps of each chain, 1 to 1e7.
        n_sample: Samples of each chain, 4 to 1e7.
        n_chain: Chains, run side by side, 1 to 1000.
        free_factors: For each free factor the range in which its prior is flat.

    Returns:
        Samples and diagnostics. Where the chains have not converged, `is_converged` is
        False and `message` says why.

    Raises:
        InputError: As `numpyro_model`.
    """
    require_x64("sample_posterior")
    arrays = _arrays(likelihood)
    check_prior(prior)
    key = random_key("key", key)
    n_warmup = whole_number("n_warmup", n_warmup, low=1, high=_MOST_STEPS)
    n_sample = whole_number("n_sample", n_sample, low=4, high=_MOST_STEPS)
    n_chain = whole_number("n_chain", n_chain, low=1, high=1000)
    ranges = _factor_ranges(arrays, free_factors)
    # numpyro mixes integer and float types
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        samples, is_divergent = _run_chains(
            arrays, key, prior, ranges, n_warmup, n_sample, n_chain
        )
        r_hat, n_effective = chain_diagnostics(samples)
    n_divergent = int(np.sum(is_divergent))
    failures = chain_failures(r_hat, n_effective, n_divergent)
    priors = [prior.description]
    priors += [f"{name} flat from {low:g} to {high:g}" for name, low, high in ranges]
    structure = arrays.structure
    bins = zip(structure.region_names, structure.region_bins, strict=True)
    return Posterior(
        samples=MappingProxyType({k: np.asarray(v) for k, v in samples.items()}),
        is_divergent=np.asarray(is_divergent),
        r_hat=MappingProxyType(r_hat),
        n_effective=MappingProxyType(n_effective),
        n_divergent=n_divergent,
        is_converged=not failures,
        message="; ".join(failures) or "converged",
        prior="; ".join(priors),
        observed=np.asarray(arrays.observed),
        yields=np.asarray(arrays.yields),
        region_names=tuple(name for name, n_bin in bins for _ in range(n_bin)),
        term_names=structure.term_names,
        n_warmup=n_warmup,
    )


def sampled_limit(posterior: Posterior, *, cl: float) -> SampledLimit:
    """Credible upper limit on the strength, with its sampling error.

    Args:
        posterior: The samples.
        cl: Posterior probability, for example 0.90.

    Returns:
        The limit; not to be used where its `is_converged` is False.
    """
    hint = "give what sample_posterior returned"
    instance("posterior", posterior, Posterior, hint=hint)
    cl = level(cl)
    samples = posterior.samples[STRENGTH]
    value = float(np.quantile(samples, cl))
    effective = min(posterior.n_effective[STRENGTH], float(samples.size))
    step = np.sqrt(cl * (1.0 - cl) / max(effective, 1.0))
    ends = np.quantile(samples, [max(cl - step, 0.0), min(cl + step, 1.0)])
    return SampledLimit(
        value=value,
        sampling_error=float(0.5 * (ends[1] - ends[0])),
        cl=cl,
        is_converged=posterior.is_converged,
        message=posterior.message,
        prior=posterior.prior,
    )


def _arrays(likelihood: Likelihood) -> LikelihoodArrays:
    """The dense form of a likelihood of one point."""
    hint = "make one with bsmfit.Likelihood.from_regions([...])"
    instance("likelihood", likelihood, Likelihood, hint=hint)
    if (shape := point_shape(likelihood)) != ():
        msg = (
            f"the likelihood has grid axes {shape}, a posterior is that of one point; "
            "use credible_map for a grid"
        )
        raise InputError(msg)
    return likelihood.arrays()


def _factor_ranges(
    arrays: LikelihoodArrays, free_factors: Mapping[str, tuple[float, float]] | None
) -> tuple[tuple[str, float, float], ...]:
    """Name, low and high of every free factor."""
    structure = arrays.structure
    hint = "write {name: (low, high)}"
    given = instance("free_factors", free_factors or {}, Mapping, hint=hint)
    kinds = zip(structure.parameter_names, structure.constraints, strict=True)
    free = [name for name, kind in kinds if kind == "free"]
    missing = [name for name in free if name not in given]
    if missing:
        msg = (
            f"the free factor {missing[0]!r} needs a stated prior: "
            f"free_factors={{{missing[0]!r}: (low, high)}}"
        )
        raise InputError(msg)
    for name, ends in given.items():
        low, high = _ends(name, ends)
        if name not in free or not 0.0 <= low < high < np.inf:
            msg = (
                f"free_factors[{name!r}] = ({low:g}, {high:g}): a free factor of the "
                f"likelihood ({', '.join(free) or 'none'}) and 0 <= low < high wanted"
            )
            raise InputError(msg)
    if STRENGTH in structure.parameter_names:
        msg = f"a nuisance must not be called {STRENGTH!r} in a posterior; rename it"
        raise InputError(msg)
    return tuple((name, float(given[name][0]), float(given[name][1])) for name in free)


def _ends(name: object, ends: object) -> tuple[float, float]:
    """Both ends of the range of a free factor."""
    what = f"free_factors[{name!r}]"
    both = instances(what, ends, object, hint="write {name: (low, high)}")
    if len(both) != 2:
        msg = f"{what} has {len(both)} numbers; write {{name: (low, high)}}"
        raise InputError(msg)
    return real_number(what, both[0]), real_number(what, both[1])


def _model(
    arrays: LikelihoodArrays, prior: Prior, ranges: tuple[tuple[str, float, float], ...]
) -> None:
    import numpyro
    from numpyro import distributions

    strength = _sample_strength(arrays, prior)
    parameters = _sample_parameters(arrays, ranges)
    structure = arrays.structure
    yields = arrays.term_yields(parameters)
    signs = jnp.where(np.arange(yields.shape[0]) < structure.n_signal, strength, 1.0)
    rates = jnp.maximum(signs @ yields, _SMALLEST)
    bins = np.array(structure.event_bins, dtype=int)
    # densities for single events replace the count of their bin
    counted = jnp.where(np.isin(np.arange(rates.shape[0]), bins), 0.0, arrays.observed)
    numpyro.sample("observed", distributions.Poisson(rates).to_event(1), obs=counted)
    if bins.size:
        event_rates = signs @ (yields[:, bins] * arrays.event_densities)
        log_rates = jnp.log(jnp.maximum(event_rates, _SMALLEST))
        numpyro.factor("events", jnp.sum(log_rates))


def _sample_strength(arrays: LikelihoodArrays, prior: Prior) -> Float[Array, ""]:
    import numpyro
    from numpyro import distributions

    constraints = distributions.constraints
    bounded = np.isfinite(prior.highest)
    support = (
        constraints.interval(prior.lowest, prior.highest)
        if bounded
        else constraints.positive
    )
    flat = distributions.ImproperUniform(support, (), ())
    strength = jnp.asarray(numpyro.sample(STRENGTH, flat))
    numpyro.factor("prior", prior.log_density(strength, arrays))
    return strength


def _sample_parameters(
    arrays: LikelihoodArrays, ranges: tuple[tuple[str, float, float], ...]
) -> Float[Array, " n_parameter"]:
    """Nuisances as unit normals, factors by their own distributions."""
    import numpyro
    from numpyro import distributions

    structure = arrays.structure
    flat = {name: (low, high) for name, low, high in ranges}
    normal, log_factor = [], []
    for index, name in enumerate(structure.parameter_names):
        kind = structure.constraints[index]
        if kind == "normal":
            normal.append(numpyro.sample(name, distributions.Normal(0.0, 1.0)))
            log_factor.append(jnp.zeros(()))
            continue
        distribution = (
            distributions.Uniform(*flat[name])
            if kind == "free"
            else distributions.Gamma(
                arrays.auxiliary[index] + structure.flat_offset[index],
                arrays.scale[index],
            )
        )
        factor = numpyro.sample(name, distribution)
        normal.append(jnp.zeros(()))
        log_factor.append(jnp.log(jnp.maximum(factor, _SMALLEST)))
    if not normal:
        return jnp.zeros(0)
    # the normal ones by the map that averages use, the factors as sampled
    is_normal = np.array([kind == "normal" for kind in structure.constraints])
    all_normal = dataclasses.replace(
        structure, constraints=("normal",) * len(structure.constraints)
    )
    mapped = dataclasses.replace(arrays, structure=all_normal).parameters_from_normal(
        jnp.stack(normal)
    )
    return jnp.where(is_normal, mapped, jnp.stack(log_factor))


@eqx.filter_jit
def _run_chains(
    arrays: LikelihoodArrays,
    key: PRNGKeyArray,
    prior: Prior,
    ranges: tuple[tuple[str, float, float], ...],
    n_warmup: int,
    n_sample: int,
    n_chain: int,
) -> tuple[dict[str, Array], Array]:
    """All chains in one compiled program, whose arguments are arrays and key."""
    from numpyro.infer import MCMC, NUTS

    def model() -> None:
        _model(arrays, prior, ranges)

    chains = MCMC(
        NUTS(model, target_accept_prob=0.9),
        num_warmup=n_warmup,
        num_samples=n_sample,
        num_chains=n_chain,
        chain_method="vectorized",
        progress_bar=False,
    )
    chains.run(key)
    return (
        chains.get_samples(group_by_chain=True),
        chains.get_extra_fields(group_by_chain=True)["diverging"],
    )


def chain_diagnostics(
    samples: Mapping[str, Array],
) -> tuple[dict[str, float], dict[str, float]]:
    """Split R-hat and effective number of samples, by name."""
    from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

    arrays = {name: np.asarray(value) for name, value in samples.items()}
    r_hat = {name: float(split_gelman_rubin(x)) for name, x in arrays.items()}
    effective = {name: float(effective_sample_size(x)) for name, x in arrays.items()}
    return r_hat, effective


def chain_failures(
    r_hat: Mapping[str, float], n_effective: Mapping[str, float], n_divergent: int
) -> list[str]:
    """What is wrong with the chains, each with its remedy."""
    found = []
    # written so that a nan fails
    worst = max(r_hat, key=lambda name: np.nan_to_num(r_hat[name], nan=np.inf))
    if not r_hat[worst] < MAX_R_HAT:
        found.append(
            f"R-hat of {worst!r} is {r_hat[worst]:.3f}, {MAX_R_HAT:g} or more: raise "
            "n_warmup"
        )
    worst = min(n_effective, key=lambda name: np.nan_to_num(n_effective[name]))
    if not n_effective[worst] > MIN_EFFECTIVE:
        found.append(
            f"{n_effective[worst]:.0f} effective samples of {worst!r}, more than "
            f"{MIN_EFFECTIVE:g} wanted: raise n_sample"
        )
    if n_divergent:
        found.append(f"{n_divergent} divergent transitions: the samples are biased")
    return found
