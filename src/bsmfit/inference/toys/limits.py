r"""Limits and CLs by toys, for all points of a grid.

Toys fluctuate the count and, by the ensemble, the auxiliary measurements
(`bsmfit.inference.toys.counting`). All points and all strengths use the same random
numbers, so that a map is smooth up to the steps of the toys.
"""

from __future__ import annotations

from typing import cast

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from bsmfit.core.argument import MOST_TOYS, choice, whole_number
from bsmfit.core.array_argument import random_key
from bsmfit.errors import InputError
from bsmfit.inference.asymptotics.counting import in_chunks
from bsmfit.inference.fits.separable import counting_point, is_separable
from bsmfit.inference.limits.points import Points
from bsmfit.inference.toys.counting import (
    ENSEMBLES,
    CountingToys,
    Ensemble,
    ToyCls,
    toy_counting_cls,
    toy_counting_limit,
    toy_counting_limit_bands,
)

__all__ = ["Toys", "toy_cls", "toy_expected_limits", "toy_limits"]


def _toy_count(n_toy: object) -> int:
    return whole_number("n_toy", n_toy, low=1, high=MOST_TOYS)


class Toys(eqx.Module):
    """How many toys of which kind.

    Attributes:
        key: Random key, from `jax.random.key`.
        n_toy: Toys of each hypothesis, 1 to 1e8.
        ensemble: ``"unconditional"``, ``"conditional"`` or ``"marginal"``.
    """

    key: Key[Array, ""]
    n_toy: int = eqx.field(static=True, converter=_toy_count, default=10_000)
    ensemble: str = eqx.field(static=True, default="unconditional")

    def __check_init__(self) -> None:
        random_key("key", self.key)
        choice("ensemble", self.ensemble, ENSEMBLES)

    @property
    def kind(self) -> Ensemble:
        """The ensemble, which is one of those that exist."""
        return cast(Ensemble, self.ensemble)

    def draw(self, points: Points) -> CountingToys:
        """Draw the random numbers for a likelihood.

        Args:
            points: The points of one count.

        Returns:
            The numbers.

        Raises:
            InputError: The likelihood is not one count with private nuisances.
        """
        structure = points.arrays.structure
        if not is_separable(structure):
            msg = (
                "toys are thrown for one count whose log-normal nuisances act on one "
                "term each; method='exact' covers all other likelihoods without toys"
            )
            raise InputError(msg)
        n_nuisance = len(structure.term_names)
        return CountingToys.from_key(self.key, self.n_toy, n_nuisance=n_nuisance)


@eqx.filter_jit
def toy_cls(
    points: Points,
    strength: Float[Array, " n_point"],
    toys: CountingToys,
    *,
    ensemble: Ensemble,
) -> ToyCls:
    """CLs of one strength for each point.

    Args:
        points: The points.
        strength: Tested strengths.
        toys: Random numbers.
        ensemble: One of the ensembles.

    Returns:
        CLs and its errors, with one leading axis.
    """

    def test(arrays, tested):
        point = counting_point(arrays)
        return toy_counting_cls(point, tested, toys=toys, ensemble=ensemble)

    return in_chunks(test, points.arrays, strength, n_chunk=1)


@eqx.filter_jit
def toy_limits(
    points: Points, toys: CountingToys, *, cl: float, ensemble: Ensemble
) -> tuple[Float[Array, " n_point"], Float[Array, " n_point"], Bool[Array, " n_point"]]:
    """Upper limits on the strength.

    Args:
        points: The points.
        toys: Random numbers.
        cl: Confidence level.
        ensemble: One of the ensembles.

    Returns:
        Limits, their standard errors, and whether they are found.
    """

    def limit(arrays):
        point = counting_point(arrays)
        value, is_found = toy_counting_limit(point, cl=cl, toys=toys, ensemble=ensemble)
        # error of CLs over its slope, from a step of a tenth
        low, high = (
            toy_counting_cls(point, factor * value, toys=toys, ensemble=ensemble)
            for factor in (0.95, 1.05)
        )
        slope = (low.value - high.value) / (0.1 * value)
        error = 0.5 * (low.error + high.error) / slope
        return value, error, is_found

    return in_chunks(limit, points.arrays, n_chunk=1)


@eqx.filter_jit
def toy_expected_limits(
    points: Points, toys: CountingToys, *, cl: float, ensemble: Ensemble
) -> tuple[Float[Array, "n_point 5"], Bool[Array, " n_point"]]:
    """Limits to be expected without a signal, by quantiles of the background toys.

    Args:
        points: The points.
        toys: Random numbers.
        cl: Confidence level.
        ensemble: One of the ensembles.

    Returns:
        Limits at -2 to 2 standard deviations, and whether all are found.
    """

    def limits(arrays):
        value, is_found = toy_counting_limit_bands(
            counting_point(arrays), cl=cl, toys=toys, ensemble=ensemble
        )
        return value, jnp.all(is_found)

    return in_chunks(limits, points.arrays, n_chunk=1)
