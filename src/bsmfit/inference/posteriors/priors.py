r"""Priors on the signal strength.

A posterior needs a prior on the parameter of the model, and the limit depends on it.
These are frozen values; their description is recorded with every result.

| prior | density in the strength $\mu$ | for |
|---|---|---|
| `FlatStrength` | constant on $[0, \mu_{max}]$ | rates, branching ratios |
| `LogFlatCoupling` | $1/\mu$ between two cuts | a coupling of unknown magnitude |
| `JeffreysStrength` | $\sqrt{\sum_i s_i^2/(\mu s_i + b_i)}$ | no preferred scale |

Densities need no normalisation. Each prior also has the coordinate in which its
posterior is smooth, so that few nodes integrate it: $\mu$, $\ln\mu$ and $\sqrt\mu$.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.argument import real_number
from bsmfit.errors import InputError
from bsmfit.likelihood.arrays import LikelihoodArrays

__all__ = [
    "FlatStrength",
    "JeffreysStrength",
    "LogFlatCoupling",
    "Prior",
    "check_prior",
]

_SMALLEST = 1e-300


@runtime_checkable
class Prior(Protocol):
    """What a prior on the strength provides."""

    @property
    def lowest(self) -> float:
        """Lower end of the allowed strengths."""
        ...

    @property
    def highest(self) -> float:
        """Upper end of the allowed strengths; infinity where there is none."""
        ...

    @property
    def description(self) -> str:
        """What is recorded with results."""
        ...

    def log_density(
        self, strength: Float[Array, ""], arrays: LikelihoodArrays
    ) -> Float[Array, ""]:
        """Log of the density in the strength, up to a constant."""
        ...

    def coordinate(self, strength: Float[Array, " ..."]) -> Float[Array, " ..."]:
        """The variable in which the posterior is smooth."""
        ...

    def strength(self, coordinate: Float[Array, " ..."]) -> Float[Array, " ..."]:
        """Inverse of `coordinate`."""
        ...


@dataclass(frozen=True)
class FlatStrength:
    r"""Constant in the strength: flat in the rate or the branching ratio.

    Not flat in the coupling: signal events proportional to $g^p$ make it
    $\propto g^{p-1}$ there.

    Attributes:
        highest: Largest strength allowed [1]; infinity where only data limit it.
    """

    highest: float = math.inf

    def __post_init__(self) -> None:
        _check_highest(self.highest)

    @property
    def lowest(self) -> float:
        """0."""
        return 0.0

    @property
    def description(self) -> str:
        """Text for results."""
        return f"flat in the signal strength from 0 to {self.highest:g}"

    def log_density(
        self, strength: Float[Array, ""], arrays: LikelihoodArrays
    ) -> Float[Array, ""]:
        """0."""
        del arrays
        return jnp.zeros_like(strength)

    def coordinate(self, strength: Float[Array, " ..."]) -> Float[Array, " ..."]:
        """The strength itself."""
        return strength

    def strength(self, coordinate: Float[Array, " ..."]) -> Float[Array, " ..."]:
        """The coordinate itself."""
        return coordinate


@dataclass(frozen=True)
class LogFlatCoupling:
    r"""Constant in the logarithm of the coupling, between two cuts.

    With signal events $\propto g^p$ it is $d\mu/(p\mu)$ in the strength: improper at
    zero signal, where data cannot tell couplings apart. The posterior depends on the
    lower cut: lowered by decades, it pulls any limit down to itself.

    Attributes:
        lowest_coupling: Lower cut, over the coupling at strength 1 [1], > 0.
        highest_coupling: Upper cut, likewise.
        power: $p$, signal events proportional to coupling**p; 2 or 4 as a rule.
    """

    lowest_coupling: float
    highest_coupling: float
    power: float

    def __post_init__(self) -> None:
        low = real_number(
            "lowest_coupling of a prior",
            self.lowest_coupling,
            low=0.0,
            is_low_open=True,
        )
        real_number(
            "highest_coupling of a prior",
            self.highest_coupling,
            low=low,
            is_low_open=True,
        )
        real_number(
            "power of a prior", self.power, low=0.0, high=100.0, is_low_open=True
        )

    @property
    def lowest(self) -> float:
        """Lower cut on the strength."""
        return self.lowest_coupling**self.power

    @property
    def highest(self) -> float:
        """Upper cut on the strength."""
        return self.highest_coupling**self.power

    @property
    def description(self) -> str:
        """Text for results; it says that the limit depends on the cut."""
        return (
            f"flat in ln(coupling) from {self.lowest_coupling:g} to "
            f"{self.highest_coupling:g} times the coupling at strength 1, signal "
            f"proportional to coupling**{self.power:g}; the limit depends on the "
            "lower cut"
        )

    def log_density(
        self, strength: Float[Array, ""], arrays: LikelihoodArrays
    ) -> Float[Array, ""]:
        """Minus log of the strength."""
        del arrays
        return -jnp.log(jnp.maximum(strength, _SMALLEST))

    def coordinate(self, strength: Float[Array, " ..."]) -> Float[Array, " ..."]:
        """Log of the strength."""
        return jnp.log(jnp.maximum(strength, _SMALLEST))

    def strength(self, coordinate: Float[Array, " ..."]) -> Float[Array, " ..."]:
        """Exponential of the coordinate."""
        return jnp.exp(coordinate)


@dataclass(frozen=True)
class JeffreysStrength:
    r"""Root of the Fisher information of the counts about the strength.

    $$\pi(\mu) \propto \sqrt{\sum_i s_i^2/(\mu s_i + b_i)}$$

    at nominal nuisances: not the Jeffreys prior of the whole model. Without background
    it is $1/\sqrt\mu$, integrable. Positions of single events are not used.

    Attributes:
        highest: Largest strength allowed [1].

    References:
        H. Jeffreys, Proc. R. Soc. A 186 (1946) 453 (unverified).
    """

    highest: float = math.inf

    def __post_init__(self) -> None:
        _check_highest(self.highest)

    @property
    def lowest(self) -> float:
        """0."""
        return 0.0

    @property
    def description(self) -> str:
        """Text for results."""
        return (
            "Jeffreys for the signal strength (counts, nominal nuisances) from 0 to "
            f"{self.highest:g}"
        )

    def log_density(
        self, strength: Float[Array, ""], arrays: LikelihoodArrays
    ) -> Float[Array, ""]:
        """Log of the root of the information."""
        signal, background = arrays.expected(arrays.nominal_parameters())
        rate = jnp.maximum(strength * signal + background, _SMALLEST)
        information = jnp.sum(signal * (signal / rate))
        return 0.5 * jnp.log(jnp.maximum(information, _SMALLEST))

    def coordinate(self, strength: Float[Array, " ..."]) -> Float[Array, " ..."]:
        """Square root of the strength."""
        return jnp.sqrt(strength)

    def strength(self, coordinate: Float[Array, " ..."]) -> Float[Array, " ..."]:
        """Square of the coordinate."""
        return coordinate**2


def check_prior(prior: object) -> None:
    """Refuse what is not a prior.

    Args:
        prior: What was given for one.

    Raises:
        InputError: It lacks what a prior has.
    """
    if isinstance(prior, type) or not isinstance(prior, Prior):
        msg = (
            f"prior = {prior!r} is none; give FlatStrength(), JeffreysStrength() or "
            "LogFlatCoupling(...) of bsmfit.inference.posteriors.priors"
        )
        raise InputError(msg)


def _check_highest(highest: object) -> None:
    """Refuse a largest strength that is none; infinity is one."""
    if not (isinstance(highest, float) and highest == math.inf):
        real_number("highest of a prior", highest, low=0.0, is_low_open=True)
