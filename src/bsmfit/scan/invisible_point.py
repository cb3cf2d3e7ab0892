r"""The chain at one point of a plane for searches for $K^+\to\pi^+X$, X invisible.

Several searches are joined by the sum of their counts, as beam-dump searches are; at a
mass where a search says nothing, neither its background nor its count enters. Where no
search says anything the point has a status of its own.

    mass ----> count, background, limits by spread      (once per mass)
    coupling -> Mediator -> signal, its spread -> limits, CLs
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from bsmfit.channels.channel import Channel
from bsmfit.channels.pi_invisible import PROCESS, PiInvisibleChannel
from bsmfit.errors import InputError
from bsmfit.inference.counts.effective_exclusion import LimitsBySpread
from bsmfit.inference.counts.observed_count import (
    largest_expected_count,
    log_kappas,
    observed_count,
    total_error,
)
from bsmfit.likelihood.effective_count import BackgroundNodes
from bsmfit.physics.mediator import Mediator, is_physical
from bsmfit.physics.model import Model
from bsmfit.scan.exclusion_point import production_processes
from bsmfit.scan.point_checks import check_nuisances, check_parts
from bsmfit.scan.runner import PointResult, Status

__all__ = ["InvisiblePoint"]

_N_BACKGROUND_NODE = 5
_SMALLEST_BACKGROUND = 1e-3
_SMALLEST_VARIANCE = 1e-12


class InvisiblePoint(eqx.Module):
    """The whole chain at one point of a plane.

    Attributes:
        model: The new physics.
        channels: The searches, of different data.
        cl: Confidence level.
        n_max: Largest count that is expected without signal.
    """

    model: Model
    channels: tuple[PiInvisibleChannel, ...]
    cl: float = eqx.field(static=True)
    n_max: int = eqx.field(static=True)

    @classmethod
    def from_model(
        cls, model: Model, channels: Sequence[Channel], *, cl: float = 0.9
    ) -> InvisiblePoint:
        """Join a model and searches.

        Args:
            model: The new physics.
            channels: The searches, one or more, of different data.
            cl: Confidence level, within (0, 1).

        Returns:
            The function of one point.

        Raises:
            InputError: Searches that share data, or a model that is not produced in
                kaon decays.
        """
        check_parts(model, channels, cl)
        searches = tuple(c for c in channels if isinstance(c, PiInvisibleChannel))
        if len(searches) < len(channels):
            msg = "InvisiblePoint is for searches for K+ -> pi+ X, X invisible"
            raise InputError(msg)
        _check_data(searches)
        processes = production_processes(model)
        check_nuisances(model, processes)
        for channel in searches:
            channel.check_production(processes)
        return cls(
            model=model,
            channels=searches,
            cl=float(cl),
            n_max=largest_expected_count(searches),
        )

    def log_signal(
        self, mass: Float[Array, ""], coupling: Float[Array, ""]
    ) -> Float[Array, " n_channel"]:
        """Log of the expected signal events of every search.

        Args:
            mass: Mass [GeV].
            coupling: Coupling, > 0.

        Returns:
            Logarithms at nominal nuisances; where the published limit is below that
            for no event at all, with the factor that reconciles them.
        """
        found = self._counts(mass)
        return self._signal(self.model(mass, coupling), found)[0]

    def observed_count(self, mass: Float[Array, ""]) -> Float[Array, ""]:
        """Effective count of all searches that say something at a mass.

        Args:
            mass: Mass [GeV].

        Returns:
            The sum of their counts.
        """
        return jnp.sum(self._counts(mass).n)

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
        counts = self._counts(mass)
        n = jnp.sum(counts.n)
        limits = LimitsBySpread.solve(
            n,
            self._background(mass),
            smallest_spread=jnp.asarray(self._stable_spread()),
            cl=self.cl,
            n_max=self.n_max,
        )
        mediator = self.model(mass, coupling)
        log_signal, spread = self._signal(mediator, counts)
        log_total = jax.nn.logsumexp(log_signal)
        found = limits(log_total, spread)
        is_good = limits.is_converged & jnp.all(counts.is_found)
        status = jnp.where(is_good, int(Status.OK), int(Status.NOT_CONVERGED))
        status = jnp.where(is_physical(mediator), status, int(Status.INVALID_MODEL))
        is_sensitive = jnp.any(counts.is_sensitive)
        return PointResult(
            n_signal=jnp.exp(jnp.minimum(log_total, 690.0)),
            n_up_obs=jnp.exp(found.log_up_obs),
            n_up_exp=jnp.exp(found.log_up_exp),
            cls_obs=found.cls_obs,
            cls_exp=found.cls_exp,
            n_obs=n,
            status=jnp.where(is_sensitive, status, int(Status.NO_SENSITIVITY)),
        )

    def _counts(self, mass: Float[Array, ""]) -> _Counts:
        """What every search saw at a mass."""
        is_sensitive = jnp.stack([c.is_sensitive(mass) for c in self.channels])
        found = [observed_count(channel, mass) for channel in self.channels]
        return _Counts(
            n=jnp.where(is_sensitive, jnp.stack([one.n for one in found]), 0.0),
            log_factor=jnp.stack([one.log_factor for one in found]),
            is_found=jnp.stack([one.is_found for one in found]) | ~is_sensitive,
            is_sensitive=is_sensitive,
        )

    def _signal(
        self, mediator: Mediator, counts: _Counts
    ) -> tuple[Float[Array, " n_channel"], Float[Array, ""]]:
        r"""Log of the signal of every search, and the spread K of their sum.

        $K^2 = \sum_j(\sum_c f_c K_{cj})^2$ over nuisances j, with the shares $f_c$ of
        the searches in the signal: exact for one search, to first order in the
        uncertainties for several.
        """
        pairs = [channel.log_signal(mediator) for channel in self.channels]
        log_signal = jnp.stack([log for log, _ in pairs]) + counts.log_factor
        shares = jax.nn.softmax(log_signal)
        responses: dict[str, Float[Array, ""]] = {}
        zero = jnp.zeros_like(mediator.mass)
        for share, channel, (_, veto) in zip(shares, self.channels, pairs, strict=True):
            own = log_kappas(channel, "signal") | {channel.veto_nuisance: veto}
            for name, response in own.items():
                responses[name] = responses.get(name, zero) + share * response
        for entry in self.model.nuisances:
            if PROCESS in entry.processes:
                before = responses.get(entry.name, zero)
                responses[entry.name] = before + math.log(entry.kappa)
        variance = jnp.asarray(_SMALLEST_VARIANCE)
        for response in responses.values():
            variance = variance + response**2
        return log_signal, jnp.sqrt(variance)

    def _stable_spread(self) -> float:
        """Smallest spread of the signal of one search, that of a stable X."""
        theory = [
            math.log(entry.kappa)
            for entry in self.model.nuisances
            if PROCESS in entry.processes
        ]
        spreads = [
            math.hypot(
                math.sqrt(_SMALLEST_VARIANCE), total_error(channel, "signal"), *theory
            )
            for channel in self.channels
        ]
        return min(spreads)

    def _background(self, mass: Float[Array, ""]) -> BackgroundNodes:
        """Background of the searches that say something, at nodes of its error."""
        total, variance = jnp.zeros_like(mass), jnp.zeros_like(mass)
        for channel in self.channels:
            is_open = channel.is_sensitive(mass)
            value = jnp.where(is_open, channel.background(mass), 0.0)
            total = total + value
            variance = variance + (value * total_error(channel, "background")) ** 2
        total = jnp.maximum(total, _SMALLEST_BACKGROUND)
        if all(total_error(channel, "background") == 0.0 for channel in self.channels):
            return BackgroundNodes.known(total)
        theta, weights = np.polynomial.hermite_e.hermegauss(_N_BACKGROUND_NODE)
        spread = jnp.sqrt(variance) / total
        return BackgroundNodes(
            total * jnp.exp(spread * jnp.asarray(theta)),
            jnp.asarray(weights / weights.sum()),
        )


class _Counts(eqx.Module):
    """What every search saw at one mass.

    Attributes:
        n: Counts; 0 where a search says nothing.
        log_factor: ln of the factor on its signal.
        is_found: Whether the count exists.
        is_sensitive: Whether the search says anything.
    """

    n: Float[Array, " n_channel"]
    log_factor: Float[Array, " n_channel"]
    is_found: Bool[Array, " n_channel"]
    is_sensitive: Bool[Array, " n_channel"]


def _check_data(channels: Sequence[PiInvisibleChannel]) -> None:
    """Refuse searches of the same data."""
    for index, channel in enumerate(channels):
        for other in channels[:index]:
            shared = sorted(set(channel.datasets) & set(other.datasets))
            if shared:
                msg = (
                    f"{other.name} and {channel.name} share data "
                    f"({', '.join(shared)}); combine searches of different data, or "
                    "take the larger one alone"
                )
                raise InputError(msg)
