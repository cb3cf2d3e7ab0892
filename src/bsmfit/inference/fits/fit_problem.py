r"""The function that a fit minimises, with its gradient and Hessian by hand.

$$f(m,\theta) = \sum_k\Big[\epsilon_k r_k - c_k\ln r_k\Big]
  + \tfrac12(\theta-a)^TQ(\theta-a),\qquad r_k = m\sum_{t\in S}y_{tk}(\theta)
  + \sum_{t\in B}y_{tk}(\theta)$$

Cells $k$ are the bins, with $\epsilon_k = 1$ and $c_k = n_k$, and the single events of
regions with densities, with $\epsilon_k = 0$ and $c_k = 1$. The signal is scaled to one
expected event: $m$ counts signal events, whatever the unit of the strength. Nuisances
are the correlated ones, $\theta = Cx$ with $Q = (CC^T)^{-1}$; parameters with a Poisson
constraint have its likelihood instead. Constants are such that $f = 0$ for a perfect
description of counts and auxiliary measurements.

With the Jacobian $J$ of the rates, $w = \epsilon - c/r$ and $u = c/r^2$,
$$\nabla f = Jw,\qquad \nabla^2 f = J\,\mathrm{diag}(u)\,J^T
  + \sum_k w_k\nabla^2r_k;$$
both come from the few rows of `bsmfit.inference.fits.rate_rows`.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from bsmfit.core.argument import instance
from bsmfit.inference.fits.rate_rows import Layout, Rows, TermCells
from bsmfit.likelihood.arrays import LikelihoodArrays, Structure

__all__ = ["Derivatives", "FitProblem"]

_SMALLEST_RATE = 1e-300
# below it the derivatives of ln r are those at it
_SMALLEST_DIVISOR = 1e-10
_SMALLEST_CONTROL = 0.5
# share of its yield at which a Gaussian factor stops: the slope is that inside
_EDGE = 1e-12


class Derivatives(NamedTuple):
    """Of the function: value, gradient, Hessian; then the rates and their Jacobian."""

    value: Float[Array, ""]
    gradient: Float[Array, " n_free"]
    hessian: Float[Array, "n_free n_free"]
    rates: Float[Array, " n_cell"]
    jacobian: Float[Array, "n_free n_cell"]


class FitProblem(eqx.Module):
    r"""What a fit minimises, for one point.

    Attributes:
        counts: $c_k$ [events].
        terms: Yields and responses in the cells.
        auxiliary: Auxiliary measurements, of the correlated nuisances.
        scale: Expected auxiliary counts at a factor of 1.
        correlation: $C$ of $\theta = Cx$; of shape (0, 0) without correlations.
        signal_events: Expected signal at strength 1 and nominal nuisances, constant.
    """

    counts: Float[Array, " n_cell"]
    terms: TermCells
    auxiliary: Float[Array, " n_parameter"]
    scale: Float[Array, " n_parameter"]
    correlation: Float[Array, "n_correlated n_correlated"]
    signal_events: Float[Array, ""]

    @classmethod
    def from_arrays(cls, arrays: LikelihoodArrays) -> FitProblem:
        """Scale the signal to one event and correlate the nuisances.

        Args:
            arrays: The likelihood.

        Returns:
            The problem; a signal of no events is not scaled.

        Raises:
            InputError: It is something else, such as the likelihood itself.
        """
        hint = "write likelihood.arrays()"
        arrays = instance("arrays", arrays, LikelihoodArrays, hint=hint)
        structure = arrays.structure
        signal = jnp.sum(arrays.yields[: structure.n_signal], axis=1)
        nominal = arrays.nominal_parameters()
        log_factor = arrays.log_response[: structure.n_signal] @ nominal
        total = lax.stop_gradient(jnp.sum(signal * jnp.exp(log_factor)))
        events = jnp.where(total > 0.0, total, 1.0)
        is_event_bin = np.isin(np.arange(arrays.yields.shape[1]), structure.event_bins)
        counts = jnp.where(is_event_bin, 0.0, arrays.observed)
        correlation, auxiliary = jnp.zeros((0, 0)), arrays.auxiliary
        if structure.correlated:
            unit = jnp.eye(arrays.n_parameter)
            correlation = jax.vmap(arrays.correlated_parameters, out_axes=1)(unit)
            auxiliary = correlation @ auxiliary
        return cls(
            counts=jnp.concatenate([counts, jnp.ones(len(structure.event_bins))]),
            terms=TermCells.from_arrays(arrays, events),
            auxiliary=auxiliary,
            scale=arrays.scale,
            correlation=correlation,
            signal_events=events,
        )

    @property
    def structure(self) -> Structure:
        """Names and choices."""
        return self.terms.structure

    def with_data(
        self, counts: Float[Array, " n_cell"], auxiliary: Float[Array, " n_parameter"]
    ) -> FitProblem:
        """The same problem for other counts and auxiliary measurements."""
        fields = (counts, auxiliary)
        return eqx.tree_at(lambda p: (p.counts, p.auxiliary), self, fields)

    def with_expected_data(self, point: Float[Array, " n_free"]) -> FitProblem:
        """The problem whose data are what a point expects, so that f is 0 there."""
        return self.with_data(self.rates(point), self.expected_auxiliary(point[1:]))

    def expected_auxiliary(
        self, theta: Float[Array, " n_parameter"]
    ) -> Float[Array, " n_parameter"]:
        """Auxiliary measurements that nuisances expect."""
        factor = jnp.exp(jnp.where(self._is("poisson"), theta, 0.0))
        return jnp.where(self._is("poisson"), self.scale * factor, theta)

    @property
    def n_parameter(self) -> int:
        """Number of nuisances and free factors."""
        return len(self.structure.parameter_names)

    def nominal(self) -> Float[Array, " n_parameter"]:
        """Nuisances at which the auxiliary measurements are most likely."""
        ratio = jnp.maximum(self.auxiliary, _SMALLEST_CONTROL) / self.scale
        log_ratio = jnp.log(jnp.where(self._is("poisson"), ratio, 1.0))
        return jnp.where(self._is("normal"), self.auxiliary, log_ratio)

    def nominal_background(self) -> Float[Array, " n_cell"]:
        """Background where factors common to a term are at their nominal value."""
        terms = self.terms
        factor = jnp.exp(terms.log_response @ self.nominal())
        is_background = jnp.asarray(~terms.is_signal, dtype=float)
        return (is_background * factor) @ terms.yields

    def independent(
        self, theta: Float[Array, " n_parameter"]
    ) -> Float[Array, " n_parameter"]:
        r"""Independent parameters $x = C^{-1}\theta$ of `LikelihoodArrays`."""
        if not self.structure.correlated:
            return theta
        return jnp.linalg.inv(self.correlation) @ theta

    def lower_bounds(self) -> Float[Array, " n_free"]:
        r"""Lowest values of strength and nuisances: the edges of the model.

        The strength is not below zero, and a nuisance of Gaussian factors
        $1+\delta\theta$ not below the value at which the last of them vanishes: from
        there on the yields stay the same. Nothing else is bounded, and nothing above.

        Returns:
            The bounds; minus infinity where there is none.
        """
        lower = [jnp.full((), -jnp.inf)] * self.n_parameter
        for parameter, response in zip(
            self.structure.linear, self.terms.linear_response, strict=True
        ):
            smallest = jnp.min(jnp.where(response > 0.0, response, jnp.inf))
            lower[parameter] = (_EDGE - 1.0) / jnp.maximum(smallest, 1e-300)
        return jnp.stack([jnp.zeros(()), *lower])

    def steepness(self) -> Float[Array, " n_free"]:
        """Largest change of the log of any yield for a unit of each parameter.

        Returns:
            The changes; 0 for the strength and for shifts, which are linear.
        """
        structure = self.structure
        steepest = jnp.max(jnp.abs(self.terms.log_response), axis=0, initial=0.0)
        by_factor = np.zeros((len(structure.asymmetric), self.n_parameter))
        for row, (_, parameter, _) in enumerate(structure.asymmetric):
            by_factor[row, parameter] = 1.0
        logs = jnp.max(jnp.abs(jnp.log(self.terms.asymmetric)), axis=1, initial=0.0)
        by_factor = jnp.max(by_factor * logs[:, None], axis=0, initial=0.0)
        is_bin = np.isin(
            np.arange(self.n_parameter), [p for p, *_ in structure.bin_factors]
        )
        steepest = jnp.maximum(jnp.maximum(steepest, by_factor), is_bin.astype(float))
        return jnp.concatenate([jnp.zeros(1), steepest])

    def rates(self, point: Float[Array, " n_free"]) -> Float[Array, " n_cell"]:
        """Expected events in the bins, and rate densities at the events."""
        rates = self._signs(point[0]) @ self.terms.rows(point[1:]).yields
        return jnp.where(rates < 0.0, 0.0, rates)

    @jax.jit
    def value(self, point: Float[Array, " n_free"]) -> Float[Array, ""]:
        """The function, relative to that of a perfect description of all data.

        Args:
            point: Signal events, then nuisances.

        Returns:
            $f$, >= 0 but for regions with densities.
        """
        return self._value(point, self.rates(point))

    def _value(
        self, point: Float[Array, " n_free"], rates: Float[Array, " n_cell"]
    ) -> Float[Array, ""]:
        # differences, not logs of counts: 1e9 events keep eleven digits of f
        n_bin = len(rates) - len(self.structure.event_bins)
        value = jnp.sum(_poisson_excess(self.counts[:n_bin], rates[:n_bin]))
        if self.structure.event_bins:
            value = value - jnp.sum(jnp.log(jnp.maximum(rates[n_bin:], _SMALLEST_RATE)))
        theta = point[1:]
        if "poisson" in self.structure.constraints:
            poisson = np.flatnonzero(self._is("poisson"))
            known = self.auxiliary[poisson]
            log_factor = theta[poisson] + jnp.log(self.scale[poisson])
            value = value + jnp.sum(_log_poisson_excess(known, log_factor))
        normal = 0.5 * (theta - self.auxiliary) * self._pull(theta)
        return value + jnp.sum(jnp.where(self._is("normal"), normal, 0.0))

    @jax.jit
    def derivatives(
        self,
        point: Float[Array, " n_free"],
        *,
        is_exact: Bool[Array, ""] | None = None,
    ) -> Derivatives:
        r"""Value, gradient and Hessian.

        Args:
            point: Signal events, then nuisances.
            is_exact: Where false, the Hessian is replaced by a positive one, without
                the second derivatives of the rates and with $u = \max(c/r^2, 1/r)$.

        Returns:
            All three.
        """
        rows = self.terms.rows(point[1:])
        signs = self._signs(point[0])
        rates = signs @ rows.yields
        is_open = rates >= 0.0
        rates = jnp.where(is_open, rates, 0.0)
        divisor = jnp.maximum(rates, _SMALLEST_DIVISOR)
        ratio = self.counts / divisor
        first = jnp.where(is_open, self.terms.extents, 0.0) - ratio
        jacobian = _jacobian(self.terms, rows, signs)
        curvature = _rate_curvature(self.terms, rows, signs, first)
        weight = ratio / divisor
        if is_exact is not None:
            positive = jnp.maximum(weight, self.terms.extents / divisor)
            weight = jnp.where(is_exact, weight, positive)
            curvature = jnp.where(is_exact, curvature, 0.0)
        pull, precision = self._constraint_derivatives(point[1:])
        constraint = jnp.pad(precision, ((1, 0), (1, 0)))
        return Derivatives(
            self._value(point, rates),
            jacobian @ first + jnp.pad(pull, (1, 0)),
            (jacobian * weight[None]) @ jacobian.T + curvature + constraint,
            rates,
            jacobian,
        )

    def _constraint_derivatives(
        self, theta: Float[Array, " n_parameter"]
    ) -> tuple[Float[Array, " n_parameter"], Float[Array, "n_parameter n_parameter"]]:
        """Gradient and Hessian of the constraint."""
        is_normal, is_poisson = self._is("normal"), self._is("poisson")
        expected = self.scale * jnp.exp(jnp.where(is_poisson, theta, 0.0))
        poisson = jnp.where(is_poisson, expected - self.auxiliary, 0.0)
        gradient = jnp.where(is_normal, self._pull(theta), poisson)
        diagonal = jnp.where(is_poisson, expected, is_normal.astype(float))
        hessian = jnp.eye(self.n_parameter) * diagonal[:, None]
        if self.structure.correlated:
            both = is_normal[:, None] & is_normal[None, :]
            hessian = jnp.where(both, self._precision(), hessian)
        return gradient, hessian

    def _pull(
        self, theta: Float[Array, " n_parameter"]
    ) -> Float[Array, " n_parameter"]:
        difference = jnp.where(self._is("normal"), theta - self.auxiliary, 0.0)
        if not self.structure.correlated:
            return difference
        return self._precision() @ difference

    def _precision(self) -> Float[Array, "n_parameter n_parameter"]:
        inverse = jnp.linalg.inv(self.correlation)
        return inverse.T @ inverse

    def _signs(self, signal_events: Float[Array, ""]) -> Float[Array, " n_term"]:
        return jnp.where(self.terms.is_signal, signal_events, 1.0)

    def _is(self, constraint: str) -> np.ndarray:
        return np.array([kind == constraint for kind in self.structure.constraints])


def _poisson_excess(
    counts: Float[Array, " n"], rates: Float[Array, " n"]
) -> Float[Array, " n"]:
    r"""$\lambda - n - n\ln(\lambda/n)$ of counts, without cancellation."""
    has_counts = counts > 0.0
    known = jnp.where(has_counts, counts, 1.0)
    distance = rates / known - 1.0
    is_close = distance > -0.5
    close = jnp.log1p(jnp.where(is_close, distance, 0.0))
    far = jnp.log(jnp.maximum(jnp.where(is_close, known, rates), _SMALLEST_RATE))
    log_ratio = jnp.where(is_close, close, far - jnp.log(known))
    return jnp.where(has_counts, known * (distance - log_ratio), rates)


def _log_poisson_excess(
    counts: Float[Array, " n"], log_rates: Float[Array, " n"]
) -> Float[Array, " n"]:
    """The same from the log of the rate."""
    has_counts = counts > 0.0
    known = jnp.where(has_counts, counts, 1.0)
    distance = log_rates - jnp.log(known)
    excess = known * (jnp.expm1(distance) - distance)
    return jnp.where(has_counts, excess, jnp.exp(log_rates))


def _jacobian(
    terms: TermCells, rows: Rows, signs: Float[Array, " n_term"]
) -> Float[Array, "n_free n_cell"]:
    """First derivatives of the rates, that by the strength first."""
    layout = Layout.from_structure(terms.structure)
    n_term, n_parameter = rows.log_slope.shape
    by_strength = terms.is_signal.astype(float) @ rows.yields
    by_parameter = (signs[:, None] * rows.log_slope).T @ rows.yields
    if layout.local:
        local_signs = layout.one_hot(0, n_term) @ signs
        local = local_signs[:, None] * rows.local
        by_parameter = by_parameter + layout.one_hot(1, n_parameter).T @ local
    return jnp.concatenate([by_strength[None], by_parameter])


def _rate_curvature(
    terms: TermCells,
    rows: Rows,
    signs: Float[Array, " n_term"],
    first: Float[Array, " n_cell"],
) -> Float[Array, "n_free n_free"]:
    r"""$\sum_k w_k\nabla^2r_k$: products of slopes, bends, and strength with slope."""
    layout = Layout.from_structure(terms.structure)
    slope = rows.log_slope
    n_term, n_parameter = slope.shape
    to_term, to_parameter = layout.one_hot(0, n_term), layout.one_hot(1, n_parameter)
    in_terms, in_local = rows.yields @ first, rows.local @ first
    in_rates = signs * in_terms
    is_signal = terms.is_signal.astype(float)
    matrix = slope.T @ (in_rates[:, None] * slope)
    diagonal = in_rates @ rows.log_bend
    with_strength = (is_signal * in_terms) @ slope
    local_signs = to_term @ signs
    n_morph = rows.local_bend.shape[0]
    if layout.local:
        cross = ((local_signs * in_local)[:, None] * (to_term @ slope)).T @ to_parameter
        matrix = matrix + cross + cross.T
        bend = local_signs[:n_morph] * (rows.local_bend @ first)
        diagonal = diagonal + bend @ to_parameter[:n_morph]
        of_signal = to_term @ is_signal
        with_strength = with_strength + (of_signal * in_local) @ to_parameter
    if layout.has_factors:
        once, twice = layout.mixed()
        pairs = (rows.local * first[None, :] * local_signs[:, None]) @ rows.local_log.T
        both = to_parameter.T @ (pairs * twice) @ to_parameter[n_morph:]
        same = to_parameter.T @ (pairs * once) @ to_parameter[n_morph:]
        matrix = matrix + same + both + both.T
    matrix = matrix + np.eye(n_parameter) * diagonal[:, None]
    with_strength = with_strength[None]
    top = jnp.concatenate([jnp.zeros((1, 1)), with_strength], axis=1)
    return jnp.concatenate([top, jnp.concatenate([with_strength.T, matrix], axis=1)])
