r"""Likelihood of the $K^+\to\pi^+\nu\bar\nu$ measurement: the strength is BR.

$$L(BR,\theta) = \prod_c\mathrm{Pois}\Big(n_c\,\Big|\,
  \sum_{s\in c}\Big[\frac{BR}{SES_s}\,\kappa^{\theta_{SES}}
  + \sum_k b_{sk}(\theta_{sk})\Big]\Big)\prod_j N(\theta_j\,|\,0,1)$$

One region for each category: subsets that were counted together are signal terms of
one region. Every source of background in every subset has a nuisance of its own, since
the published errors add up in quadrature. A source with a symmetric error is
log-normal; one with errors $+u-d$ is `Asymmetric`, with the factors $1 + u/b$ and
$1 - d/b$: positive and smooth, with a longer upper tail than a bifurcated Gaussian.

The error of the Standard Model's branching ratio is external and takes no part.
"""

from __future__ import annotations

from bsmfit._x64 import require_x64
from bsmfit.channels.pi_nunu import (
    BackgroundSource,
    PiNunuCategory,
    PiNunuChannel,
    PiNunuSubset,
)
from bsmfit.core.argument import instance, real_number
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import Asymmetric, LogNormal, Response

__all__ = ["UNIT", "pi_nunu_likelihood"]

UNIT = 1e-11
"""Branching ratio at strength 1."""


def pi_nunu_likelihood(
    channel: PiNunuChannel, *, unit: float = UNIT, is_correlated: bool = True
) -> Likelihood:
    """Likelihood of a data set, one region for each category.

    Args:
        channel: The data set.
        unit: Branching ratio at strength 1 [1], within (0, 1].
        is_correlated: Whether subsets share the errors of their sensitivities, as the
            channel's nuisances say; otherwise each subset has an error of its own.

    Returns:
        The likelihood; its strength is the branching ratio in units of `unit`.

    Raises:
        InputError: A number is outside what is allowed.
        PrecisionError: float64 is switched off.
    """
    require_x64("pi_nunu_likelihood")
    hint = 'write bsmfit.load_pi_nunu("na62-pi-nunu-run1")'
    instance("channel", channel, PiNunuChannel, hint=hint)
    unit = real_number("unit", unit, low=0.0, high=1.0, is_low_open=True)
    shared = {
        subset: LogNormal(nuisance.name, nuisance.kappa)
        for nuisance in channel.nuisances
        for subset in nuisance.subsets
    }
    prefix = channel.measurement.replace("-", "_")

    def sensitivity(subset: PiNunuSubset) -> list[Response]:
        if is_correlated:
            return [shared[subset.name]] if subset.name in shared else []
        name = f"{prefix}_{subset.name}_sensitivity"
        return [LogNormal(name, 1.0 + subset.relative_error)]

    def region(category: PiNunuCategory) -> Region:
        signal = [
            Term(
                f"pi-nunu-{subset.name}",
                unit / subset.sensitivity,
                sensitivity(subset),
            )
            for subset in category.subsets
        ]
        background = [
            _background(source, f"{subset.name}_{source.name}", prefix)
            for subset in category.subsets
            for source in subset.backgrounds
        ]
        name = f"{channel.measurement}-{category.name}"
        return Region(name, category.n_observed, signal, background)

    return Likelihood.from_regions([region(entry) for entry in channel.categories])


def _background(source: BackgroundSource, name: str, prefix: str) -> Term:
    """A source of background with its own nuisance."""
    nuisance = f"{prefix}_{name}"
    up = 1.0 + source.error_up / source.events
    if source.is_symmetric:
        response = LogNormal(nuisance, up)
    else:
        down = 1.0 - source.error_down / source.events
        response = Asymmetric(nuisance, up, down)
    return Term(name, source.events, [response])
