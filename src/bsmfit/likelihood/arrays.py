r"""The dense form of a likelihood, on which everything is computed.

$$\lambda_i(\mu, x) = \mu\sum_{t\in S}y_{ti}(x) + \sum_{t\in B}y_{ti}(x),\qquad
  y_{ti}(x) = \Big[h_{ti} + \sum_m\Delta_{mti}(x)\Big]
  e^{\sum_j K_{tj}x_j}\,\prod_a\eta_a(x)\,\prod_l(1 + D_{lti}x_l)$$

Bins of all regions follow each other; terms are all signal terms and then all
background terms, with zero yields outside their own region. Parameters $x_j$ are unit
normal, or the logarithms of positive factors with a Poisson constraint or none. Partial
correlations are a matrix $C$ with $\theta = Cx$: the parameters themselves stay
independent.

`parameters_from_normal` maps independent unit normals to parameters distributed as
their constraints say: for averages over nuisances and for sampling (non-centred).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, ndtr, ndtri, xlogy
from jaxtyping import Array, Float

from bsmfit.likelihood.gamma_quantile import log_gamma_quantile
from bsmfit.likelihood.interpolation import code0, code1, code4, code4p

__all__ = ["LikelihoodArrays", "Structure"]

_SMALLEST_RATE = 1e-300
_FACTORS = {"code4": code4, "code1": code1}
_SHIFTS = {"code4p": code4p, "code0": code0}
# a sideband without events has its likelihood's maximum at zero, log of it nowhere
_SMALLEST_CONTROL = 0.5


@dataclass(frozen=True)
class Structure:
    """Names and choices: what a compiled program depends on besides shapes.

    Attributes:
        region_names: The regions, in the order of their bins.
        region_bins: Number of bins in each.
        term_names: ``region/term`` for all signal and then all background terms.
        term_regions: The region of each term, as an index.
        n_signal: Number of signal terms.
        parameter_names: The nuisances and free factors, in order of first appearance.
        constraints: ``"normal"``, ``"poisson"`` or ``"free"`` for each parameter.
        flat_offset: For a Poisson constraint, 1 where the prior is flat in the factor
            (a sideband), 0 where mean and variance are matched (a gamma factor).
        links: Which term responds to which parameter, as (term, parameter).
        asymmetric: (term, parameter, interpolation) of asymmetric factors.
        morphs: (term, parameter, interpolation) of moving shapes.
        linear: Parameters of Gaussian factors.
        bin_factors: (parameter, term, bin) of positive factors that act on one bin.
        correlated: Pairs of partially correlated parameters, as indices.
        event_bins: The bin of each event that has densities.
    """

    region_names: tuple[str, ...]
    region_bins: tuple[int, ...]
    term_names: tuple[str, ...]
    term_regions: tuple[int, ...]
    n_signal: int
    parameter_names: tuple[str, ...]
    constraints: tuple[str, ...]
    flat_offset: tuple[float, ...]
    links: tuple[tuple[int, int], ...]
    asymmetric: tuple[tuple[int, int, str], ...]
    morphs: tuple[tuple[int, int, str], ...]
    linear: tuple[int, ...]
    bin_factors: tuple[tuple[int, int, int], ...]
    correlated: tuple[tuple[int, int], ...]
    event_bins: tuple[int, ...]


class LikelihoodArrays(eqx.Module):
    r"""A likelihood as arrays.

    Attributes:
        observed: Observed events $n_i$ in each bin; any number >= 0 (Asimov data).
        yields: Nominal yields $h_{ti}$, signal terms first [events].
        log_response: $K_{tj}$, ln of the factor of one standard deviation, or 1 for the
            logarithm of a positive factor.
        asymmetric: Factors up and down of the asymmetric responses.
        morphs: Shapes up and down of the moving shapes.
        linear_response: $D_{lti}$, relative errors of the Gaussian factors.
        auxiliary: $a_j$, what the auxiliary measurements gave: 0 for a unit normal, the
            control count for a Poisson constraint.
        scale: Expected auxiliary count at a factor of 1; 1 for a unit normal.
        coefficients: Partial correlations of the pairs in the structure.
        event_densities: Density of each term at each event.
        structure: Names and choices.
    """

    observed: Float[Array, " n_bin"]
    yields: Float[Array, "n_term n_bin"]
    log_response: Float[Array, "n_term n_parameter"]
    asymmetric: Float[Array, "n_asymmetric 2"]
    morphs: Float[Array, "n_morph 2 n_bin"]
    linear_response: Float[Array, "n_linear n_term n_bin"]
    auxiliary: Float[Array, " n_parameter"]
    scale: Float[Array, " n_parameter"]
    coefficients: Float[Array, " n_pair"]
    event_densities: Float[Array, "n_term n_event"]
    structure: Structure = eqx.field(static=True)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the nuisances and free factors."""
        return self.structure.parameter_names

    @property
    def n_parameter(self) -> int:
        """Number of nuisances and free factors."""
        return len(self.structure.parameter_names)

    def term_yields(
        self, parameters: Float[Array, " n_parameter"]
    ) -> Float[Array, "n_term n_bin"]:
        """Yields of all terms, signal at strength 1.

        A moved shape may be negative in a bin where neighbours differ much. It stays
        so here, lest the likelihood have a kink at zero shift; sums are cut off at 0.

        Args:
            parameters: Nuisances and log factors.

        Returns:
            Expected events.
        """
        structure = self.structure
        theta = self.correlated_parameters(parameters)
        yields = self._shifted(theta)
        factor = jnp.exp(self.log_response @ theta) * self._asymmetric_factors(theta)
        yields = yields * factor[:, None]
        if structure.linear:
            along = theta[np.array(structure.linear)][:, None, None]
            opened = jnp.maximum(1.0 + self.linear_response * along, 0.0)
            yields = yields * jnp.prod(opened, axis=0)
        if structure.bin_factors:
            index, terms, bins = np.array(structure.bin_factors).T
            exponent = jnp.zeros_like(yields).at[terms, bins].add(theta[index])
            yields = yields * jnp.exp(exponent)
        return yields

    def _shifted(
        self, theta: Float[Array, " n_parameter"]
    ) -> Float[Array, "n_term n_bin"]:
        """Nominal yields and the shifts of all moving shapes."""
        yields = self.yields
        for code, function in _SHIFTS.items():
            rows = [i for i, e in enumerate(self.structure.morphs) if e[2] == code]
            if not rows:
                continue
            terms, parameters = np.array([self.structure.morphs[i][:2] for i in rows]).T
            shapes = self.morphs[np.array(rows)]
            shifts = jax.vmap(
                lambda x, nominal, both, function=function: function(
                    x, nominal=nominal, up=both[0], down=both[1]
                )
            )(theta[parameters], self.yields[terms], shapes)
            yields = yields + np.eye(yields.shape[0])[:, terms] @ shifts
        return yields

    def _asymmetric_factors(
        self, theta: Float[Array, " n_parameter"]
    ) -> Float[Array, " n_term"]:
        """Product of the asymmetric factors of each term."""
        factors = jnp.ones(self.yields.shape[0])
        for code, function in _FACTORS.items():
            rows = [i for i, e in enumerate(self.structure.asymmetric) if e[2] == code]
            if not rows:
                continue
            terms, parameters = np.array(
                [self.structure.asymmetric[i][:2] for i in rows]
            ).T
            sizes = self.asymmetric[np.array(rows)]
            found = jax.vmap(
                lambda x, both, function=function: function(x, up=both[0], down=both[1])
            )(theta[parameters], sizes)
            # a term takes its own responses and ones for those of others
            is_own = terms[None, :] == np.arange(self.yields.shape[0])[:, None]
            factors = factors * jnp.prod(jnp.where(is_own, found[None], 1.0), axis=1)
        return factors

    def expected(
        self, parameters: Float[Array, " n_parameter"]
    ) -> tuple[Float[Array, " n_bin"], Float[Array, " n_bin"]]:
        """Expected signal at strength 1, and background, in each bin.

        Args:
            parameters: Nuisances and log factors.

        Returns:
            Signal and background [events].
        """
        yields = self.term_yields(parameters)
        n_signal = self.structure.n_signal
        signal = jnp.sum(yields[:n_signal], axis=0)
        background = jnp.sum(yields[n_signal:], axis=0)
        return _not_negative(signal), _not_negative(background)

    def negative_log_likelihood(
        self, strength: Float[Array, ""], parameters: Float[Array, " n_parameter"]
    ) -> Float[Array, ""]:
        r"""$-\ln L$ with all its constants.

        Zero expected with zero observed is certain; rates below 1e-300 count as 1e-300.
        A region with densities for its events has the extended likelihood of unordered
        events, without $n!$.

        Args:
            strength: Signal strength $\mu$ [1].
            parameters: Nuisances and log factors.

        Returns:
            The value.
        """
        yields = self.term_yields(parameters)
        n_signal = self.structure.n_signal
        signs = jnp.where(np.arange(yields.shape[0]) < n_signal, strength, 1.0)
        rates = _not_negative(signs @ yields)
        has_events = np.isin(np.arange(yields.shape[1]), self.structure.event_bins)
        counted = jnp.where(has_events, 0.0, self.observed)
        log_rate = jnp.log(jnp.maximum(rates, _SMALLEST_RATE))
        value = jnp.sum(rates - counted * log_rate + gammaln(counted + 1.0))
        if self.structure.event_bins:
            bins = np.array(self.structure.event_bins)
            rate = signs @ (yields[:, bins] * self.event_densities)
            value = value - jnp.sum(jnp.log(jnp.maximum(rate, _SMALLEST_RATE)))
        return value + self.constraint(parameters)

    def constraint(self, parameters: Float[Array, " n_parameter"]) -> Float[Array, ""]:
        r"""$-\ln\prod_j C_j$, the part of the auxiliary measurements.

        Args:
            parameters: Nuisances and log factors.

        Returns:
            The value.
        """
        is_normal, is_poisson = self._is("normal"), self._is("poisson")
        normal = 0.5 * (parameters - self.auxiliary) ** 2 + 0.5 * math.log(2 * math.pi)
        log_expected = jnp.where(is_poisson, parameters, 0.0) + jnp.log(self.scale)
        poisson = jnp.exp(log_expected) - xlogy(self.auxiliary, jnp.exp(log_expected))
        poisson = poisson + gammaln(jnp.where(is_poisson, self.auxiliary, 0.0) + 1.0)
        zero = jnp.zeros_like(parameters)
        terms = jnp.where(is_normal, normal, jnp.where(is_poisson, poisson, zero))
        return jnp.sum(terms)

    def nominal_parameters(self) -> Float[Array, " n_parameter"]:
        """Parameters at which the auxiliary measurements are most likely.

        Returns:
            0 for a unit normal observed at 0, the log of the observed ratio for a
            factor (half an event where a control region is empty), 0 for a free factor.
        """
        ratio = jnp.maximum(self.auxiliary, _SMALLEST_CONTROL) / self.scale
        log_ratio = jnp.log(jnp.where(self._is("poisson"), ratio, 1.0))
        return jnp.where(self._is("normal"), self.auxiliary, log_ratio)

    def correlated_parameters(
        self, parameters: Float[Array, " n_parameter"]
    ) -> Float[Array, " n_parameter"]:
        r"""Correlated nuisances $\theta = Cx$ from independent ones.

        Args:
            parameters: Independent parameters, as fits and averages use them.

        Returns:
            The nuisances as the terms feel them.
        """
        if not self.structure.correlated:
            return parameters
        rows, columns = np.array(self.structure.correlated).T
        matrix = jnp.eye(self.n_parameter)
        matrix = matrix.at[rows, columns].set(self.coefficients)
        matrix = matrix.at[columns, rows].set(self.coefficients)
        return jnp.linalg.cholesky(matrix) @ parameters

    def parameters_from_normal(
        self, normal: Float[Array, " n_parameter"]
    ) -> Float[Array, " n_parameter"]:
        """Parameters distributed as their constraints, from independent unit normals.

        Gaussian factors are cut off at zero and renormalised; Poisson constraints give
        a gamma distribution.

        Args:
            normal: Independent unit normals.

        Returns:
            Parameters; those of free factors as given, since nothing distributes them.
        """
        parameters = self.auxiliary + normal
        for index, response in zip(
            self.structure.linear, self.linear_response, strict=True
        ):
            edge = -1.0 / jnp.max(response) - self.auxiliary[index]
            below = ndtr(edge)
            # upper tail by symmetry, so that no digit is lost there
            above = (1.0 - below) * ndtr(-normal[index])
            cut = self.auxiliary[index] - ndtri(above)
            parameters = parameters.at[index].set(cut)
        poisson = np.flatnonzero(self._is("poisson"))
        if poisson.size:
            offset = np.array(self.structure.flat_offset)[poisson]
            quantile = jax.vmap(log_gamma_quantile)(
                self.auxiliary[poisson] + offset, normal[poisson]
            )
            log_factor = quantile - jnp.log(self.scale[poisson])
            parameters = parameters.at[poisson].set(log_factor)
        return parameters

    def _is(self, constraint: str) -> np.ndarray:
        """Which parameters have this constraint."""
        return np.array([kind == constraint for kind in self.structure.constraints])


def _not_negative(rates: Float[Array, " n_bin"]) -> Float[Array, " n_bin"]:
    """Cut off at zero; at zero itself derivatives are those of the rate."""
    return jnp.where(rates < 0.0, 0.0, rates)
