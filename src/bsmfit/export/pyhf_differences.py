r"""Where HistFactory evaluates a response otherwise than this package.

- A factor $\kappa^\theta$ is a polynomial of order 6 between -1 and 1 in code 4.
- Shapes and Gaussian factors are cut off at zero here and go on below in pyhf.
- A shape of code 0 is read by code 4p.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from bsmfit.likelihood.interpolation import code1, code4
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import (
    Asymmetric,
    LogNormal,
    Morph,
    Response,
    TruncatedNormal,
)

__all__ = ["PyhfDifference", "find_differences"]

# range of a nuisance within which a difference is looked for [standard deviations]
_REACH = 3.0
_NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class PyhfDifference:
    """Where a workspace differs from the likelihood that it was made from.

    Attributes:
        region: The region.
        term: The term.
        nuisance: The nuisance.
        reason: What differs.
        largest: Largest difference of the yields for nuisances within 3 standard
            deviations, summed over the bins and relative to the nominal yield [1].
    """

    region: str
    term: str
    nuisance: str
    reason: str
    largest: float


def find_differences(
    region: Region, term: Term, response: Response, *, normsys: str
) -> list[PyhfDifference]:
    """Compare one response with what a reader of the workspace evaluates.

    Args:
        region: The region.
        term: The term.
        response: One of its responses.
        normsys: The code by which the reader interpolates factors.

    Returns:
        What differs; nothing for most.
    """
    yields = np.asarray(term.yields)
    found: list[tuple[str, float]] = []
    match response:
        case LogNormal():
            kappa = float(response.kappa)
            # code 1 of a factor and its reciprocal is the exponential
            gap = _largest_factor_gap(kappa, 1.0 / kappa, "code1", normsys)
            found.append((f"a log-normal factor, read by {normsys}", gap))
        case Asymmetric():
            up, down, code = response.up, response.down, response.interpolation
            gap = _largest_factor_gap(float(up), float(down), code, normsys)
            found.append((f"an asymmetric factor of {code}, read by {normsys}", gap))
        case TruncatedNormal():
            gap = max(_REACH * float(response.relative_error) - 1.0, 0.0)
            found.append(("a Gaussian factor, not cut off at zero", gap))
        case Morph():
            found += _morph_gaps(yields, response)
    return [
        PyhfDifference(region.name, term.name, response.name, reason, largest)
        for reason, largest in found
        if largest > _NEGLIGIBLE
    ]


@lru_cache(maxsize=4096)
def _largest_factor_gap(up: float, down: float, code: str, read_as: str) -> float:
    """Largest difference of two interpolated factors; beyond 1 there is none."""
    theta = jnp.linspace(-1.0, 1.0, 401)
    values = [
        (jax.vmap(code4) if name == "code4" else jax.vmap(code1))(
            theta, up=jnp.full(401, up), down=jnp.full(401, down)
        )
        for name in (code, read_as)
    ]
    return float(jnp.max(jnp.abs(values[0] - values[1])))


def _morph_gaps(yields: np.ndarray, morph: Morph) -> list[tuple[str, float]]:
    """What code 4p without a cut at zero changes of one moving shape."""
    up, down = np.asarray(morph.yields_up), np.asarray(morph.yields_down)
    odd, even = 0.5 * (up - down), 0.5 * (up + down) - yields
    total = max(float(np.sum(yields)), np.finfo(float).tiny)
    theta = np.linspace(-_REACH, _REACH, 601)
    square = np.minimum(np.abs(theta), 1.0) ** 2
    inside = square * (3.0 * square**2 - 10.0 * square + 15.0) / 8.0
    bend = np.where(np.abs(theta) < 1.0, inside, np.abs(theta))
    gaps = []
    if morph.interpolation == "code0":
        gap = float(np.max(np.abs(theta) - bend)) * float(np.sum(np.abs(even))) / total
        gaps.append(("a shape of code0, read by code4p", gap))
    shape = yields + theta[:, None] * odd + bend[:, None] * even
    below = np.sum(np.maximum(-shape, 0.0), axis=1)
    # rounding of a shape that just reaches zero is no difference
    gaps.append(("a shape, not cut off at zero", float(np.max(below)) / total))
    return gaps
