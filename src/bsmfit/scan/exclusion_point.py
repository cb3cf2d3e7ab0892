"""The whole chain at one point of a plane, from the model to the limit.

    mass, coupling --model--> Mediator --searches--> regions --kernel--> Exclusion

A pure function of mass and coupling, for searches of any kinds, which
`bsmfit.scan.exclusion_map` maps over a plane and `jax.grad` differentiates.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.channels.channel import Channel
from bsmfit.channels.combination import Combination
from bsmfit.channels.search_region import SearchRegion, likelihood_of_regions
from bsmfit.core.argument import level
from bsmfit.errors import InputError
from bsmfit.inference.exclusion.joint_kernel import JointKernel
from bsmfit.inference.exclusion.kernel import ExclusionKernel, exclusion_kernel
from bsmfit.inference.exclusion.result import Exclusion
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.physics.mediator import Mediator, is_physical
from bsmfit.physics.model import Model, abstract_mediator
from bsmfit.scan.identity import computation_digest
from bsmfit.scan.runner import PointResult, Status

__all__ = ["ExclusionPoint"]

_SAME_MASS = 1e-9


class ExclusionPoint(eqx.Module):
    """The whole chain at one point of a plane.

    Attributes:
        model: The new physics.
        combination: The searches, for the processes of the model.
        kernel: Nodes and sums for what the searches say.
        is_whole: Whether all counts are whole numbers.
    """

    model: Model
    combination: Combination
    kernel: ExclusionKernel
    is_whole: bool = eqx.field(static=True)

    __hash__ = object.__hash__
    """By identity, so that `jax.jit(point)` works."""

    @classmethod
    def from_model(
        cls,
        model: Model,
        channels: Sequence[Channel] | Channel,
        *,
        cl: float = 0.9,
        ordering: str = "likelihood-ratio",
    ) -> ExclusionPoint:
        """Join a model and searches into one statistical model.

        Args:
            model: The new physics.
            channels: The searches, one or more, of any kinds.
            cl: Confidence level, within (0, 1).
            ordering: What is more signal-like where there are several regions:
                ``"likelihood-ratio"`` or ``"sum"`` of counts.

        Returns:
            The function of one point.

        Raises:
            InputError: What cannot be combined, or a level outside (0, 1).
            UnknownNameError: An unknown process or ordering.
        """
        combination = Combination.of(model, channels)
        model = _by_content(model)
        by_search = eqx.filter_eval_shape(
            _regions_by_search, combination, abstract_mediator(model)
        )
        regions = [region for some in by_search for region in some]
        if not any(region.signal for region in regions):
            msg = f"{' and '.join(combination.names)} have no region with a signal"
            raise InputError(msg)
        members, first = [], 0
        for some in by_search:
            members.append(range(first, first + len(some)))
            first += len(some)
        kernel = exclusion_kernel(
            regions,
            searches=combination.names,
            members=members,
            largest=combination.largest_counts,
            cl=jnp.asarray(level(cl)),
            ordering=ordering,
        )
        is_whole = not any(region.is_effective for region in regions)
        return cls(model, combination, kernel, is_whole)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The searches."""
        return self.combination.channels

    @property
    def ordering(self) -> str:
        """What is more signal-like; ``"count"`` for one region."""
        kernel = self.kernel
        return kernel.ordering if isinstance(kernel, JointKernel) else "count"

    @property
    def ensemble(self) -> str:
        """What is averaged over besides the counts."""
        kernel = self.kernel
        return kernel.ensemble if isinstance(kernel, JointKernel) else "marginal"

    @property
    def cl(self) -> float:
        """Confidence level."""
        return float(self.kernel.cl)

    def log_signal(
        self, mass: Float[Array, ""], coupling: Float[Array, ""]
    ) -> Float[Array, " n_signal"]:
        """Log of the expected signal events of every region and process.

        Args:
            mass: Mass [GeV].
            coupling: Coupling, > 0.

        Returns:
            Logarithms at nominal nuisances.
        """
        regions = self.combination.regions(self.model(mass, coupling))
        return jnp.stack([t.log_events for region in regions for t in region.signal])

    def exclusion(
        self, mass: Float[Array, ""], coupling: Float[Array, ""]
    ) -> Exclusion:
        """Limits and CLs at one point.

        Args:
            mass: Mass [GeV].
            coupling: Coupling, > 0.

        Returns:
            The exclusion, differentiable in mass, coupling and all inputs.
        """
        return self.of_mediator(self.model(mass, coupling))

    def of_mediator(self, mediator: Mediator) -> Exclusion:
        """Limits and CLs for a particle, whatever model it comes from.

        Args:
            mediator: The new particle, with the production processes of the model.

        Returns:
            The exclusion.
        """
        return self.kernel(self.combination.regions(mediator))

    def observed_count(self, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Observed events of all searches at a mass hypothesis.

        Args:
            mass: Mass [GeV].

        Returns:
            Events that count there; effective ones where a limit was published.
        """
        one = jnp.ones_like(mass)
        return self.exclusion(mass, one).n_observed

    def likelihood(
        self, mass: Float[Array, ""], coupling: Float[Array, ""]
    ) -> Likelihood:
        """The same statistical model as a likelihood.

        Args:
            mass: Mass [GeV].
            coupling: Coupling, > 0.

        Returns:
            The likelihood; its strength multiplies the signal of this point.
        """
        regions = self.combination.regions(self.model(mass, coupling))
        return likelihood_of_regions(regions)

    def __call__(
        self, mass: Float[Array, ""], coupling: Float[Array, ""]
    ) -> PointResult:
        """The numbers of one point of a map.

        Args:
            mass: Mass [GeV].
            coupling: Coupling, > 0.

        Returns:
            The result for the runner.
        """
        mediator = self.model(mass, coupling)
        found = self.of_mediator(mediator)
        status = jnp.where(
            found.is_converged, int(Status.OK), int(Status.NOT_CONVERGED)
        )
        is_same = jnp.abs(mediator.mass - mass) <= _SAME_MASS * mass
        is_valid = is_physical(mediator) & is_same
        status = jnp.where(is_valid, status, int(Status.INVALID_MODEL))
        status = jnp.where(found.is_open, status, int(Status.NO_SENSITIVITY))
        is_defined = self.model.defines(mass)
        status = jnp.where(is_defined, status, int(Status.EXCLUDED_MASS))
        return PointResult(
            n_signal=found.n_signal,
            n_up_obs=found.n_up_obs,
            n_up_exp=found.n_up_exp,
            cls_obs=found.cls_obs,
            cls_exp=found.cls_exp,
            cls_exp_quantiles=found.cls_exp_quantiles,
            cls_obs_single=found.cls_obs_single,
            n_obs=found.n_observed.astype(int) if self.is_whole else found.n_observed,
            status=status,
        )


@eqx.filter_jit
def _regions_by_search(
    combination: Combination, mediator: Mediator
) -> tuple[tuple[SearchRegion, ...], ...]:
    """Traced once for searches and models of one structure."""
    return combination.regions_by_search(mediator)


class _ByContent:
    """A function of the user's, equal to another that computes the same.

    Compiled programs are kept by the functions that they were made from. The same
    function object may compute something else once a global that it reads has changed.
    """

    def __init__(self, function: Callable[..., Mediator], digest: str) -> None:
        self.function, self.digest = function, digest

    def __call__(
        self,
        mass: Float[Array, ""],
        coupling: Float[Array, ""],
        **further: Float[Array, ""],
    ) -> Mediator:
        return self.function(mass, coupling, **further)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByContent) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def _by_content(model: Model) -> Model:
    """A model whose function is known by what it computes, where that can be known."""
    function = model.function
    if isinstance(function, eqx.Module | _ByContent):
        return model
    try:
        # further parameters are arguments of a program, so that values do not matter
        named = dict.fromkeys(model.parameters, 1.0)
        digest = computation_digest(dataclasses.replace(model, parameters=named), [])
    except jax.errors.TracerArrayConversionError:
        return model  # it holds traced numbers, inside a transformation
    # a trace of the very function may be kept from before a global changed
    fresh = functools.partial(lambda *point, **further: function(*point, **further))
    return dataclasses.replace(model, function=_ByContent(fresh, digest))
