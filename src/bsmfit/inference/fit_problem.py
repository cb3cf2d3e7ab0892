r"""The function that a fit minimises, with its gradient and Hessian by hand.

$$f(m,\theta) = \sum_k\Big[\epsilon_k r_k - c_k\ln r_k\Big]
  + \tfrac12(\theta-a)^TQ(\theta-a),\qquad r_k = m\sum_{t\in S}y_{tk}(\theta)
  + \sum_{t\in B}y_{tk}(\theta)$$

Cells $k$ are the bins, with $\epsilon_k = 1$ and $c_k = n_k$, and the single events of
regions that have densities, with $\epsilon_k = 0$ and $c_k = 1$. The signal is scaled to
one expected event, so that $m$ counts signal events whatever the unit of the strength.
Nuisances are the correlated ones, $\theta = Cx$ with $Q = (CC^T)^{-1}$; parameters with a
Poisson constraint have its likelihood instead of the Gaussian one.

Derivatives use the structure. Yields of a term are $y_t = h_t(\theta)\,e^{\ell_t(\theta)}$
times factors that differ between its bins. All first derivatives of the rates are sums
of few rows: the terms $y_t$ (of which a normalisation takes a multiple) and one row for
every response that acts on a shape. With these rows $V$ and a small matrix $B$,
$$\nabla f = BVw,\quad \nabla^2 f = B\,V\mathrm{diag}(u)V^TB^T + \sum_k w_k\nabla^2r_k,
  \quad w = \epsilon - c/r,\ u = c/r^2,$$
so that the cost hardly grows with the number of normalisation nuisances.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import xlogy
from jaxtyping import Array, Float, PyTree

from bsmfit.likelihood.arrays import LikelihoodArrays, Structure
from bsmfit.likelihood.interpolation import code0, code1, code4, code4p

__all__ = ["Derivatives", "FitProblem"]

_FACTORS = {"code4": code4, "code1": code1}
_SHIFTS = {"code4p": code4p, "code0": code0}
_SMALLEST_RATE = 1e-300
# below it the derivatives of ln r are those at it
_SMALLEST_DIVISOR = 1e-10
_LARGEST_PULL = 6.0
_LARGEST_LOG_FACTOR = 30.0
_SMALLEST_CONTROL = 0.5
# signal events beyond any fit, for each event observed
_LARGEST_SIGNAL = 1e3


class Derivatives(NamedTuple):
    """Value, gradient and Hessian; the first parameter is the strength."""

    value: Float[Array, ""]
    gradient: Float[Array, " n_free"]
    hessian: Float[Array, "n_free n_free"]


class _Rows(NamedTuple):
    """Yields and what moves them.

    `log_slope` and `log_bend` are the first and second derivatives of the logs of
    factors common to a term; `local` are the first derivatives of the yields by
    responses that differ between bins, in the order of `_Layout.local` (shapes, then
    factors); `local_log` the same divided by the yields, for the factors; `local_bend`
    are second derivatives of the shapes.
    """

    yields: Float[Array, "n_term n_cell"]
    log_slope: Float[Array, "n_term n_parameter"]
    log_bend: Float[Array, "n_term n_parameter"]
    local: Float[Array, "n_local n_cell"]
    local_log: Float[Array, "n_factor n_cell"]
    local_bend: Float[Array, "n_morph n_cell"]


@dataclass(frozen=True)
class _Layout:
    """Which responses act on shapes, from the names alone: (term, parameter, kind)."""

    local: tuple[tuple[int, int, str], ...]

    @classmethod
    def from_structure(cls, structure: Structure) -> _Layout:
        morphs = [(term, parameter, "shape") for term, parameter, _ in structure.morphs]
        linear = [
            (term, parameter, "linear")
            for parameter in structure.linear
            for term, linked in structure.links
            if linked == parameter
        ]
        pairs = dict.fromkeys((term, p) for p, term, _ in structure.bin_factors)
        return cls((*morphs, *linear, *((term, p, "bin") for term, p in pairs)))

    def one_hot(self, axis: int, size: int) -> np.ndarray:
        """Matrix (n_local, size) with a 1 at the term (axis 0) or parameter (1)."""
        matrix = np.zeros((len(self.local), size))
        for row, entry in enumerate(self.local):
            matrix[row, entry[axis]] = 1.0
        return matrix

    def mixed(self) -> tuple[np.ndarray, np.ndarray]:
        """Mixed second derivatives of factor with factor, and of shape with factor.

        Masks of shape (n_local, n_factor). A linear factor has none with itself.
        """
        factors = [entry for entry in self.local if entry[2] != "shape"]
        once, twice = np.zeros((2, len(self.local), len(factors)))
        for i, entry in enumerate(self.local):
            for j, other in enumerate(factors):
                if entry[0] != other[0]:
                    continue
                if entry[2] == "shape":
                    twice[i, j] = 1.0
                elif entry != other or other[2] == "bin":
                    once[i, j] = 1.0
        return once, twice

    @property
    def has_factors(self) -> bool:
        return any(kind != "shape" for *_, kind in self.local)


class FitProblem(eqx.Module):
    """What a fit minimises, for one point.

    Attributes:
        counts: $c_k$ [events].
        yields: Nominal yields of the terms in the cells, signal scaled to one event.
        log_response: As in `LikelihoodArrays`.
        asymmetric: As in `LikelihoodArrays`.
        morphs: As in `LikelihoodArrays`, in the cells and with the scaled signal.
        linear_response: As in `LikelihoodArrays`, in the cells.
        auxiliary: Auxiliary measurements, of the correlated nuisances.
        scale: Expected auxiliary counts at a factor of 1.
        correlation: $C$ of $\\theta = Cx$; of shape (0, 0) without correlations.
        signal_events: Expected signal at strength 1 and nominal nuisances, constant.
        structure: Names and choices.
    """

    counts: Float[Array, " n_cell"]
    yields: Float[Array, "n_term n_cell"]
    log_response: Float[Array, "n_term n_parameter"]
    asymmetric: Float[Array, "n_asymmetric 2"]
    morphs: Float[Array, "n_morph 2 n_cell"]
    linear_response: Float[Array, "n_linear n_term n_cell"]
    auxiliary: Float[Array, " n_parameter"]
    scale: Float[Array, " n_parameter"]
    correlation: Float[Array, "n_correlated n_correlated"]
    signal_events: Float[Array, ""]
    structure: Structure = eqx.field(static=True)

    @classmethod
    def from_arrays(cls, arrays: LikelihoodArrays) -> FitProblem:
        """Put events beside bins and scale the signal to one event.

        Args:
            arrays: The likelihood.

        Returns:
            The problem; with a signal of zero or nan events the signal is not scaled.
        """
        structure = arrays.structure
        signal, _ = arrays.expected(arrays.nominal_parameters())
        total = lax.stop_gradient(jnp.sum(signal))
        events = jnp.where(total > 0.0, total, 1.0)
        cells = _cells(structure)
        n_term = arrays.yields.shape[0]
        largest = lax.stop_gradient(jnp.max(arrays.event_densities, axis=0, initial=0))
        largest = jnp.where(largest > 0.0, largest, 1.0)
        ones = jnp.ones((n_term, structure_n_bin(structure)))
        weights = jnp.concatenate(
            [ones, arrays.event_densities / largest[None]], axis=1
        )
        is_signal = (np.arange(n_term) < structure.n_signal)[:, None]
        weights = weights / jnp.where(is_signal, events, 1.0)
        terms = np.array([term for term, *_ in structure.morphs], dtype=int)
        is_event_bin = np.isin(np.arange(ones.shape[1]), structure.event_bins)
        counts = jnp.where(is_event_bin, 0.0, arrays.observed)
        correlation = jnp.zeros((0, 0))
        auxiliary = arrays.auxiliary
        if structure.correlated:
            unit = jnp.eye(arrays.n_parameter)
            correlation = jax.vmap(arrays.correlated_parameters, out_axes=1)(unit)
            auxiliary = correlation @ auxiliary
        return cls(
            counts=jnp.concatenate([counts, jnp.ones(len(structure.event_bins))]),
            yields=arrays.yields[:, cells] * weights,
            log_response=arrays.log_response,
            asymmetric=arrays.asymmetric,
            morphs=arrays.morphs[:, :, cells] * weights[terms][:, None, :],
            linear_response=arrays.linear_response[:, :, cells],
            auxiliary=auxiliary,
            scale=arrays.scale,
            correlation=correlation,
            signal_events=events,
            structure=structure,
        )

    def with_data(
        self, counts: Float[Array, " n_cell"], auxiliary: Float[Array, " n_parameter"]
    ) -> FitProblem:
        """The same problem for other counts and auxiliary measurements."""
        fields = (counts, auxiliary)
        return eqx.tree_at(lambda p: (p.counts, p.auxiliary), self, fields)

    def with_expected_data(self, point: Float[Array, " n_free"]) -> FitProblem:
        """The problem whose data are what a point expects, so that f is 0 there."""
        theta = point[1:]
        factor = jnp.exp(jnp.where(self._is("poisson"), theta, 0.0))
        auxiliary = jnp.where(self._is("poisson"), self.scale * factor, theta)
        return self.with_data(self.rates(point), auxiliary)

    @property
    def n_parameter(self) -> int:
        """Number of nuisances and free factors."""
        return len(self.structure.parameter_names)

    def nominal(self) -> Float[Array, " n_parameter"]:
        """Nuisances at which the auxiliary measurements are most likely."""
        ratio = jnp.maximum(self.auxiliary, _SMALLEST_CONTROL) / self.scale
        log_ratio = jnp.log(jnp.where(self._is("poisson"), ratio, 1.0))
        return jnp.where(self._is("normal"), self.auxiliary, log_ratio)

    def independent(
        self, theta: Float[Array, " n_parameter"]
    ) -> Float[Array, " n_parameter"]:
        """Independent parameters $x = C^{-1}\\theta$ of `LikelihoodArrays`."""
        if not self.structure.correlated:
            return theta
        return jnp.linalg.inv(self.correlation) @ theta

    def bounds(self) -> tuple[Float[Array, " n_free"], Float[Array, " n_free"]]:
        """Lowest and highest values of strength and nuisances that a fit may take.

        Nuisances stay within 6 standard deviations of their measurement, log factors
        within 30 of their nominal value; Gaussian factors do not go below zero.
        """
        nominal = self.nominal()
        width = jnp.where(self._is("normal"), _LARGEST_PULL, _LARGEST_LOG_FACTOR)
        lower = list(nominal - width)
        for parameter, response in zip(
            self.structure.linear, self.linear_response, strict=True
        ):
            edge = -1.0 / jnp.maximum(jnp.max(response), 1e-12)
            lower[parameter] = jnp.maximum(lower[parameter], edge)
        largest = _LARGEST_SIGNAL * (10.0 + jnp.sum(self.counts))
        return (
            jnp.stack([jnp.zeros_like(largest), *lower]),
            jnp.concatenate([largest[None], nominal + width]),
        )

    def rates(self, point: Float[Array, " n_free"]) -> Float[Array, " n_cell"]:
        """Expected events in the bins, and rate densities at the events."""
        rates = self._signs(point[0]) @ self._rows(point[1:]).yields
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
        counts = self.counts
        log_rate = jnp.log(jnp.maximum(rates, _SMALLEST_RATE))
        terms = self.extents() * rates - counts - counts * log_rate
        value = jnp.sum(terms + xlogy(counts, counts))
        theta = point[1:]
        normal = 0.5 * (theta - self.auxiliary) * self._pull(theta)
        log_expected = jnp.where(self._is("poisson"), theta, 0.0) + jnp.log(self.scale)
        auxiliary = self.auxiliary
        poisson = jnp.exp(log_expected) - auxiliary * (log_expected + 1.0)
        known = jnp.where(self._is("poisson"), auxiliary, 0.0)
        poisson = poisson + xlogy(known, known)
        constraint = jnp.where(self._is("poisson"), poisson, jnp.zeros_like(theta))
        return value + jnp.sum(jnp.where(self._is("normal"), normal, constraint))

    @jax.jit
    def derivatives(self, point: Float[Array, " n_free"]) -> Derivatives:
        """Value, gradient and Hessian.

        Args:
            point: Signal events, then nuisances.

        Returns:
            All three.
        """
        theta = point[1:]
        rows = self._rows(theta)
        signs = self._signs(point[0])
        rates = signs @ rows.yields
        is_open = rates >= 0.0
        rates = jnp.where(is_open, rates, 0.0)
        divisor = jnp.maximum(rates, _SMALLEST_DIVISOR)
        ratio = self.counts / divisor
        first = jnp.where(is_open, self.extents(), 0.0) - ratio
        second = ratio / divisor
        layout = _Layout.from_structure(self.structure)
        n_term = rows.yields.shape[0]
        to_parameter = layout.one_hot(1, self.n_parameter)
        local_signs = layout.one_hot(0, n_term) @ signs
        is_signal = (np.arange(n_term) < self.structure.n_signal).astype(float)
        of_signal = layout.one_hot(0, n_term) @ is_signal
        # rows of the matrix B: strength, then nuisances
        by_term = (signs[:, None] * rows.log_slope).T
        by_local = (local_signs[:, None] * to_parameter).T
        top = np.concatenate([is_signal, np.zeros(len(layout.local))])
        combine = jnp.concatenate(
            [jnp.asarray(top)[None], jnp.concatenate([by_term, by_local], axis=1)]
        )
        basis = jnp.concatenate([rows.yields, rows.local])
        weighted = basis @ first
        gradient = combine @ weighted
        hessian = combine @ ((basis * second[None]) @ basis.T) @ combine.T
        in_terms, in_local = weighted[:n_term], weighted[n_term:]
        slope = rows.log_slope
        curvature = slope.T @ ((signs * in_terms)[:, None] * slope)
        diagonal = (signs * in_terms) @ rows.log_bend
        if layout.local:
            of_term = layout.one_hot(0, n_term) @ slope
            cross = ((local_signs * in_local)[:, None] * of_term).T @ to_parameter
            curvature = curvature + cross + cross.T
            n_morph = len(self.structure.morphs)
            bend = local_signs[:n_morph] * (rows.local_bend @ first)
            diagonal = diagonal + bend @ to_parameter[:n_morph]
        if layout.has_factors:
            once, twice = layout.mixed()
            pairs = (rows.local * first[None] * local_signs[:, None]) @ rows.local_log.T
            mixed = to_parameter.T @ (pairs * twice) @ to_parameter[n_morph:]
            pairs = to_parameter.T @ (pairs * once) @ to_parameter[n_morph:]
            curvature = curvature + pairs + mixed + mixed.T
        with_strength = (is_signal * in_terms) @ slope
        if layout.local:
            with_strength = with_strength + (of_signal * in_local) @ to_parameter
        pull, precision, log_curvature = self._constraint_derivatives(theta)
        unit = np.eye(self.n_parameter)
        curvature = curvature + precision + unit * (diagonal + log_curvature)[:, None]
        block = jnp.concatenate(
            [
                jnp.concatenate([jnp.zeros((1, 1)), with_strength[None]], axis=1),
                jnp.concatenate([with_strength[:, None], curvature], axis=1),
            ]
        )
        gradient = gradient + jnp.concatenate([jnp.zeros(1), pull])
        return Derivatives(self._value(point, rates), gradient, hessian + block)

    def _constraint_derivatives(
        self, theta: Float[Array, " n_parameter"]
    ) -> tuple[Float[Array, " n_parameter"], Array, Float[Array, " n_parameter"]]:
        """Gradient of the constraint, its Hessian, and what adds to the diagonal."""
        is_normal, is_poisson = self._is("normal"), self._is("poisson")
        expected = self.scale * jnp.exp(jnp.where(is_poisson, theta, 0.0))
        poisson = jnp.where(is_poisson, expected - self.auxiliary, 0.0)
        gradient = jnp.where(is_normal, self._pull(theta), poisson)
        diagonal = jnp.where(is_poisson, expected, 0.0)
        if not self.structure.correlated:
            return gradient, jnp.diag(is_normal.astype(float)), diagonal
        both = is_normal[:, None] & is_normal[None, :]
        return gradient, jnp.where(both, self._precision(), 0.0), diagonal

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

    def _rows(self, theta: Float[Array, " n_parameter"]) -> _Rows:
        layout = _Layout.from_structure(self.structure)
        n_term = self.yields.shape[0]
        log_factor, log_slope, log_bend = self._common_factors(theta)
        shift, slope, bend = self._shifts(theta)
        n_morph = len(self.structure.morphs)
        of_term = layout.one_hot(0, n_term)[:n_morph]
        shapes = self.yields + of_term.T @ shift if n_morph else self.yields
        factors = jnp.exp(log_factor)[:, None]
        factors, local_log = self._bin_factors(theta, factors)
        yields = shapes * factors
        factors = jnp.broadcast_to(factors, yields.shape)
        scale = of_term @ factors
        local = [slope * scale]
        if layout.has_factors:
            local.append((layout.one_hot(0, n_term)[n_morph:] @ yields) * local_log)
        return _Rows(
            yields, log_slope, log_bend, jnp.concatenate(local), local_log, bend * scale
        )

    def _common_factors(
        self, theta: Float[Array, " n_parameter"]
    ) -> tuple[Array, Array, Array]:
        """Logs of factors common to all bins of a term, and two derivatives."""
        log_factor, log_slope = self.log_response @ theta, self.log_response
        log_bend = jnp.zeros_like(log_slope)
        for code, function in _FACTORS.items():
            rows = [i for i, e in enumerate(self.structure.asymmetric) if e[2] == code]
            if not rows:
                continue
            terms, parameters, _ = zip(
                *(self.structure.asymmetric[i] for i in rows), strict=True
            )
            place = np.zeros((len(rows), *log_slope.shape))
            place[np.arange(len(rows)), terms, parameters] = 1.0

            def log_response(t, both, function=function):
                return jnp.log(function(t, up=both[0], down=both[1]))

            both = self.asymmetric[np.array(rows)]
            value, slope, bend = jax.vmap(partial(_two_derivatives, log_response))(
                theta[np.array(parameters)], both
            )
            log_factor = log_factor + value @ np.sum(place, axis=2)
            log_slope = log_slope + jnp.tensordot(slope, place, 1)
            log_bend = log_bend + jnp.tensordot(bend, place, 1)
        return log_factor, log_slope, log_bend

    def _shifts(
        self, theta: Float[Array, " n_parameter"]
    ) -> tuple[Array, Array, Array]:
        """Shifts of the moving shapes, one row each, and two derivatives."""
        parts = []
        order: list[int] = []
        for code, function in _SHIFTS.items():
            rows = [i for i, e in enumerate(self.structure.morphs) if e[2] == code]
            if not rows:
                continue
            order += rows
            terms, parameters, _ = zip(
                *(self.structure.morphs[i] for i in rows), strict=True
            )

            def shift(t, arguments, function=function):
                nominal, (up, down) = arguments
                return function(t, nominal=nominal, up=up, down=down)

            arguments = (self.yields[np.array(terms)], self.morphs[np.array(rows)])
            parts.append(
                jax.vmap(partial(_two_derivatives, shift))(
                    theta[np.array(parameters)], arguments
                )
            )
        if not parts:
            empty = jnp.zeros((0, self.yields.shape[1]))
            return empty, empty, empty
        back = np.argsort(order)
        value, slope, bend = (
            jnp.concatenate(x)[back] for x in zip(*parts, strict=True)
        )
        return value, slope, bend

    def _bin_factors(
        self, theta: Float[Array, " n_parameter"], factors: Float[Array, "n_term 1"]
    ) -> tuple[Array, Array]:
        """Factors that differ between bins put in, and their log derivatives."""
        structure = self.structure
        logs = []
        for parameter, response in zip(
            structure.linear, self.linear_response, strict=True
        ):
            opened = 1.0 + response * theta[parameter]
            is_above = opened > 0.0
            factors = factors * jnp.where(is_above, opened, 0.0)
            log = jnp.where(is_above, response / jnp.where(is_above, opened, 1.0), 0.0)
            linked = [t for t, p in structure.links if p == parameter]
            logs += [log[term] for term in linked]
        cells = _cells(structure)
        touched: dict[tuple[int, int], np.ndarray] = {}
        for parameter, term, column in structure.bin_factors:
            before = touched.get((term, parameter), np.zeros(cells.size))
            touched[term, parameter] = before + (cells == column)
        if touched:
            place = np.zeros((len(touched), self.yields.shape[0], cells.size))
            for row, ((term, _), mask) in enumerate(touched.items()):
                place[row, term] = mask
            index = np.array([parameter for _, parameter in touched])
            factors = factors * jnp.exp(jnp.tensordot(theta[index], place, 1))
            logs += [jnp.asarray(mask) for mask in touched.values()]
        empty = jnp.zeros((0, cells.size))
        return factors, jnp.stack(logs) if logs else empty

    def _signs(self, signal_events: Float[Array, ""]) -> Float[Array, " n_term"]:
        is_signal = np.arange(self.yields.shape[0]) < self.structure.n_signal
        return jnp.where(is_signal, signal_events, 1.0)

    def extents(self) -> np.ndarray:
        n_bin, n_event = structure_n_bin(self.structure), len(self.structure.event_bins)
        return np.concatenate([np.ones(n_bin), np.zeros(n_event)])

    def _is(self, constraint: str) -> np.ndarray:
        return np.array([kind == constraint for kind in self.structure.constraints])


def structure_n_bin(structure: Structure) -> int:
    return sum(structure.region_bins)


def _cells(structure: Structure) -> np.ndarray:
    """The bin of every cell: the bins themselves, then those of the events."""
    n_bin = structure_n_bin(structure)
    return np.concatenate([np.arange(n_bin), np.array(structure.event_bins, dtype=int)])


def _two_derivatives(
    function: Callable[[Float[Array, ""], PyTree], Array],
    x: Float[Array, ""],
    arguments: PyTree,
) -> tuple[Array, Array, Array]:
    """Value, first and second derivative in a number x."""
    one = jnp.ones_like(x)

    def first(t: Float[Array, ""]) -> tuple[Array, Array]:
        return jax.jvp(lambda u: function(u, arguments), (t,), (one,))

    (value, slope), (_, bend) = jax.jvp(first, (x,), (one,))
    return value, slope, bend
