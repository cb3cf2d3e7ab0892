r"""The $K^+\to\pi^+\nu\bar\nu$ measurement: what was expected and what was counted.

A channel is a published data set. Its categories are counts, their subsets the periods
with a single-event sensitivity SES and backgrounds of their own; a subset expects
$BR/SES$ signal events (`bsmfit.channels.pi_nunu_sensitivity`).

The error of the branching ratio at which expected events are quoted is external: it
belongs to the prediction, not to the measurement.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.errors import UnknownNameError

__all__ = [
    "BackgroundSource",
    "ExpectedSignal",
    "PiNunuCategory",
    "PiNunuChannel",
    "PiNunuSubset",
    "SensitivityNuisance",
]


class BackgroundSource(eqx.Module):
    """One source of background in one subset.

    Attributes:
        name: The source.
        is_symmetric: Whether the publication gives one error for both directions.
        events: Expected events.
        error_up: Error upwards [events].
        error_down: Error downwards [events], > 0.
    """

    name: str = eqx.field(static=True)
    is_symmetric: bool = eqx.field(static=True)
    events: Float[Array, ""]
    error_up: Float[Array, ""]
    error_down: Float[Array, ""]


class PiNunuSubset(eqx.Module):
    """A period with a sensitivity and backgrounds of its own.

    Attributes:
        name: The subset.
        sensitivity: Branching ratio of one expected signal event [1].
        relative_error: Relative error of the sensitivity, for this subset alone [1].
        backgrounds: Backgrounds by source.
    """

    name: str = eqx.field(static=True)
    sensitivity: Float[Array, ""]
    relative_error: Float[Array, ""]
    backgrounds: tuple[BackgroundSource, ...]


class PiNunuCategory(eqx.Module):
    """What was counted together.

    Attributes:
        name: The category.
        n_observed: Observed events, of all subsets together.
        subsets: The subsets.
    """

    name: str = eqx.field(static=True)
    n_observed: int = eqx.field(static=True)
    subsets: tuple[PiNunuSubset, ...]

    def expected_signal(
        self, branching_ratio: Float[Array, ""]
    ) -> Float[Array, " n_subset"]:
        """Expected signal events by subset.

        Args:
            branching_ratio: Branching ratio of the signal [1].

        Returns:
            Events.
        """
        sensitivities = jnp.stack([subset.sensitivity for subset in self.subsets])
        return branching_ratio / sensitivities

    def background(self) -> Float[Array, ""]:
        """Expected background events, of all sources and subsets."""
        events = [b.events for subset in self.subsets for b in subset.backgrounds]
        return jnp.sum(jnp.stack(events))


@dataclass(frozen=True)
class SensitivityNuisance:
    """A log-normal error that the sensitivities of several subsets share.

    Attributes:
        name: Name of the parameter.
        kappa: Factor of one standard deviation, > 1.
        subsets: Names of the subsets.
    """

    name: str
    kappa: float
    subsets: tuple[str, ...]


class ExpectedSignal(eqx.Module):
    """Signal events at the reference branching ratio, with both kinds of error.

    Attributes:
        events: Expected events.
        error_uncorrelated: Error of the sensitivities [events] if those of the subsets
            are independent: their quadrature sum.
        error_correlated: The same if they are fully correlated: their linear sum.
        external_error: Error from the reference branching ratio [events], common to
            all subsets.
    """

    events: Float[Array, ""]
    error_uncorrelated: Float[Array, ""]
    error_correlated: Float[Array, ""]
    external_error: Float[Array, ""]


class PiNunuChannel(eqx.Module):
    r"""A data set of the $K^+\to\pi^+\nu\bar\nu$ measurement, ready to be evaluated.

    Attributes:
        name: Channel id, for example ``"na62-pi-nunu-run1"``.
        measurement: Name of the measurement; regions and nuisances begin with it.
        nuisances: Shared errors of the sensitivities.
        inputs: Digests of the data files that went into it, by file name.
        categories: What was counted.
        reference_branching_ratio: Where expected events are quoted [1].
        reference_error: Its external error [1].
    """

    name: str = eqx.field(static=True)
    measurement: str = eqx.field(static=True)
    nuisances: tuple[SensitivityNuisance, ...] = eqx.field(static=True)
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True)
    categories: tuple[PiNunuCategory, ...]
    reference_branching_ratio: Float[Array, ""]
    reference_error: Float[Array, ""]

    @property
    def n_observed(self) -> int:
        """Observed events of all categories."""
        return sum(category.n_observed for category in self.categories)

    @property
    def subsets(self) -> tuple[PiNunuSubset, ...]:
        """Subsets of all categories."""
        return tuple(s for category in self.categories for s in category.subsets)

    def select(self, categories: Sequence[str]) -> PiNunuChannel:
        """The same measurement with some of its categories only.

        Args:
            categories: Names of the categories to keep.

        Returns:
            A channel of these categories, in the order they had.

        Raises:
            UnknownNameError: The data set has no such category.
        """
        known = [category.name for category in self.categories]
        for name in categories:
            if name not in known:
                kind = "category"
                raise UnknownNameError.from_choices(kind, name, known)
        kept = tuple(entry for entry in self.categories if entry.name in categories)
        return dataclasses.replace(self, categories=kept)

    def sensitivity(self) -> Float[Array, ""]:
        """Branching ratio of one expected event in all categories together [1]."""
        inverse = [1.0 / subset.sensitivity for subset in self.subsets]
        return 1.0 / jnp.sum(jnp.stack(inverse))

    def background(self) -> Float[Array, ""]:
        """Expected background events of all categories."""
        return jnp.sum(jnp.stack([c.background() for c in self.categories]))

    def background_errors(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Errors of the background, up and down, in quadrature over all sources."""
        sources = [b for subset in self.subsets for b in subset.backgrounds]
        up = jnp.stack([source.error_up for source in sources])
        down = jnp.stack([source.error_down for source in sources])
        return jnp.sqrt(jnp.sum(up**2)), jnp.sqrt(jnp.sum(down**2))

    def expected_signal(self) -> ExpectedSignal:
        """Signal events of all categories at the reference branching ratio."""
        reference = self.reference_branching_ratio
        by_subset = jnp.concatenate(
            [category.expected_signal(reference) for category in self.categories]
        )
        relative = jnp.stack([subset.relative_error for subset in self.subsets])
        total = jnp.sum(by_subset)
        return ExpectedSignal(
            events=total,
            error_uncorrelated=jnp.sqrt(jnp.sum((relative * by_subset) ** 2)),
            error_correlated=jnp.sum(relative * by_subset),
            external_error=total * self.reference_error / reference,
        )
