r"""A counting search: how many events one region expects, and how likely a count is.

$$\lambda(\theta) = \sum_t S_t\, e^{\sum_j K_{tj}\theta_j}
  + \sum_r B_r\, e^{\sum_j L_{rj}\theta_j}$$

with signal terms $t$ (one per production process and channel), background terms $r$,
and unit-normal nuisances $\theta_j$ shared by name. The signal yields $S_t$ are the
arguments of the model (as logarithms, since they span tens of decades); everything else
is data.

The count is *one* number. Several searches are kept apart: see
`bsmfit.inference.exclusion.joint_kernel`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float, Int

from bsmfit.errors import InputError
from bsmfit.likelihood.nuisance import Nuisance, log_kappa_matrix, nuisance_names

__all__ = ["CountingModel"]

# exp of it, and its products with any response, stay finite in 64 bits
_LARGEST_EXPONENT = 600.0
_SMALLEST_RATE = 1e-300


class CountingModel(eqx.Module):
    r"""Signal and background terms of one count, with their uncertainties.

    Attributes:
        signal_log_kappa: Responses $K_{tj}$ of the signal terms [1].
        background: Expected background $B_r$ at nominal nuisances [events], >= 0.
        background_log_kappa: Responses $L_{rj}$ of the background terms [1].
        nuisance_names: The nuisances, in the order of the columns.

    Examples:
        >>> import jax.numpy as jnp
        >>> from bsmfit.likelihood.nuisance import Nuisance
        >>> protons = Nuisance("protons-on-target", jnp.array(1.2))
        >>> fakes = Nuisance("fakes", jnp.array(1.125))
        >>> model = CountingModel.from_terms(
        ...     [[protons], [protons]], [(jnp.array(0.016), [fakes])]
        ... )
        >>> log_signal = jnp.log(jnp.array([1.0, 2.0]))
        >>> float(model.expected_counts(log_signal, jnp.zeros(2)))
        3.016
    """

    signal_log_kappa: Float[Array, "n_signal n_nuisance"]
    background: Float[Array, " n_background"]
    background_log_kappa: Float[Array, "n_background n_nuisance"]
    nuisance_names: tuple[str, ...] = eqx.field(static=True)

    def __check_init__(self) -> None:
        shapes = (self.signal_log_kappa.shape[1:], self.background_log_kappa.shape[1:])
        if shapes != ((len(self.nuisance_names),),) * 2:
            msg = (
                f"the responses have {shapes} columns for the nuisances "
                f"{self.nuisance_names}; give one column to each"
            )
            raise InputError(msg)
        if len(set(self.nuisance_names)) != len(self.nuisance_names):
            msg = f"nuisance names occur twice in {self.nuisance_names}; merge them"
            raise InputError(msg)

    @classmethod
    def from_terms(
        cls,
        signal: Sequence[Sequence[Nuisance]],
        background: Sequence[tuple[Float[Array, ""], Sequence[Nuisance]]],
    ) -> CountingModel:
        """Build the model from the nuisances of each term.

        Args:
            signal: The nuisances of each signal term.
            background: Expected events [1] and nuisances of each background term.

        Returns:
            The model, its nuisances in order of first appearance.
        """
        background_terms = [nuisances for _, nuisances in background]
        names = nuisance_names([*signal, *background_terms])
        return cls(
            signal_log_kappa=log_kappa_matrix(signal, names),
            background=jnp.asarray(
                np.array([expected for expected, _ in background], dtype=float)
            ),
            background_log_kappa=log_kappa_matrix(background_terms, names),
            nuisance_names=names,
        )

    def expected_counts(
        self, log_signal: Float[Array, " n_signal"], theta: Float[Array, " n_nuisance"]
    ) -> Float[Array, ""]:
        r"""Expected events $\lambda(\theta)$, signal and background.

        A closed term (log_signal of -1e8 or so) gives exactly 0 events with zero
        gradient. Above e^600 events the signal is cut off.

        Args:
            log_signal: ln of the expected signal events at nominal nuisances, per term.
            theta: Nuisance parameters [standard deviations].

        Returns:
            Expected events.
        """
        exponent = log_signal + self.signal_log_kappa @ theta
        signal = jnp.exp(jnp.minimum(exponent, _LARGEST_EXPONENT))
        response = jnp.exp(self.background_log_kappa @ theta)
        return jnp.sum(signal) + jnp.sum(self.background * response)

    def log_likelihood(
        self,
        n_observed: Int[Array, ""],
        log_signal: Float[Array, " n_signal"],
        *,
        theta: Float[Array, " n_nuisance"],
    ) -> Float[Array, ""]:
        r"""Log probability of a count and of the nuisances.

        $$\ln L = n\ln\lambda - \lambda - \ln n! - \tfrac12\sum_j\theta_j^2
          - \tfrac J2\ln 2\pi$$

        Zero expected with zero observed is certain ($0\ln0 = 0$). Rates below 1e-300
        count as 1e-300, so that the value and the gradient stay finite.

        Args:
            n_observed: Observed events, >= 0.
            log_signal: ln of the expected signal events at nominal nuisances, per term.
            theta: Nuisance parameters [standard deviations].

        Returns:
            The log likelihood.
        """
        expected = self.expected_counts(log_signal, theta)
        n = n_observed.astype(expected.dtype)
        log_rate = jnp.log(jnp.maximum(expected, _SMALLEST_RATE))
        log_poisson = n * log_rate - expected - gammaln(n + 1.0)
        norm = 0.5 * len(self.nuisance_names) * math.log(2.0 * math.pi)
        return log_poisson - 0.5 * jnp.sum(theta**2) - norm
