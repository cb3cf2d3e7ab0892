r"""Expected yields of all terms, and first and second derivatives, by hand.

Yields of a term are $y_t = h_t(\theta)\,e^{\ell_t(\theta)}$ times factors that differ
between its bins. Each response depends on one parameter, so its derivatives are those
of a function of one number (`jax.jvp` of the interpolations themselves). All first
derivatives of the rates are combinations of few rows: the terms $y_t$, of which a
normalisation takes a multiple, and one row for every response that acts on a shape or
on single bins.

Cells are the bins, followed by the single events of regions that have densities.
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
from jaxtyping import Array, Float, PyTree

from bsmfit.likelihood.arrays import LikelihoodArrays, Structure
from bsmfit.likelihood.interpolation import code0, code1, code4, code4p

__all__ = ["Layout", "Rows", "TermCells"]

_FACTORS = {"code4": code4, "code1": code1}
_SHIFTS = {"code4p": code4p, "code0": code0}


class Rows(NamedTuple):
    """Yields and what moves them.

    Attributes:
        yields: Yields of the terms, signal at one event.
        log_slope: First derivatives of the logs of factors common to a term.
        log_bend: Second derivatives of these, each in one parameter.
        local: First derivatives of the yields by the responses of `Layout.local`.
        local_log: The same divided by the yields, for the factors among them.
        local_bend: Second derivatives of the yields by the shapes among them.
    """

    yields: Float[Array, "n_term n_cell"]
    log_slope: Float[Array, "n_term n_parameter"]
    log_bend: Float[Array, "n_term n_parameter"]
    local: Float[Array, "n_local n_cell"]
    local_log: Float[Array, "n_factor n_cell"]
    local_bend: Float[Array, "n_morph n_cell"]


@dataclass(frozen=True)
class Layout:
    """Which responses act on shapes, from the names alone.

    Attributes:
        local: (term, parameter, kind) of each, kind ``"shape"``, ``"linear"`` or
            ``"bin"``; shapes first.
    """

    local: tuple[tuple[int, int, str], ...]

    @classmethod
    def from_structure(cls, structure: Structure) -> Layout:
        """Collect them from the structure of a likelihood."""
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
        columns = np.array([entry[:2][axis] for entry in self.local], dtype=int)
        matrix[np.arange(columns.size), columns] = 1.0
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
        """Whether any is not a shape."""
        return any(kind != "shape" for *_, kind in self.local)


class TermCells(eqx.Module):
    """Terms and their responses in the cells.

    Attributes:
        yields: Nominal yields, signal scaled to one event.
        log_response: As in `LikelihoodArrays`.
        asymmetric: As in `LikelihoodArrays`.
        morphs: As in `LikelihoodArrays`, in the cells and with the scaled signal.
        linear_response: As in `LikelihoodArrays`, in the cells.
        structure: Names and choices.
    """

    yields: Float[Array, "n_term n_cell"]
    log_response: Float[Array, "n_term n_parameter"]
    asymmetric: Float[Array, "n_asymmetric 2"]
    morphs: Float[Array, "n_morph 2 n_cell"]
    linear_response: Float[Array, "n_linear n_term n_cell"]
    structure: Structure = eqx.field(static=True)

    @classmethod
    def from_arrays(
        cls, arrays: LikelihoodArrays, signal_events: Float[Array, ""]
    ) -> TermCells:
        """Put events beside bins and divide the signal by a number of events.

        Densities are divided by the largest of each event: a constant in the log
        likelihood, and no trouble with their unit.

        Args:
            arrays: The likelihood.
            signal_events: Expected signal at strength 1.

        Returns:
            Terms in the cells.
        """
        structure = arrays.structure
        cells = _cells(structure)
        n_term, n_bin = arrays.yields.shape
        largest = lax.stop_gradient(jnp.max(arrays.event_densities, axis=0, initial=0))
        largest = jnp.where(largest > 0.0, largest, 1.0)
        densities = arrays.event_densities / largest[None, :]
        weights = jnp.concatenate([jnp.ones((n_term, n_bin)), densities], axis=1)
        is_signal = (np.arange(n_term) < structure.n_signal)[:, None]
        weights = weights / jnp.where(is_signal, signal_events, 1.0)
        terms = np.array([term for term, *_ in structure.morphs], dtype=int)
        return cls(
            yields=arrays.yields[:, cells] * weights,
            log_response=arrays.log_response,
            asymmetric=arrays.asymmetric,
            morphs=arrays.morphs[:, :, cells] * weights[terms][:, None, :],
            linear_response=arrays.linear_response[:, :, cells],
            structure=structure,
        )

    @property
    def extents(self) -> np.ndarray:
        """1 for bins, whose expected events count, and 0 for single events."""
        n_event = len(self.structure.event_bins)
        return np.concatenate(
            [np.ones(sum(self.structure.region_bins)), np.zeros(n_event)]
        )

    @property
    def is_signal(self) -> np.ndarray:
        """Which terms the strength multiplies."""
        return np.arange(len(self.structure.term_names)) < self.structure.n_signal

    def rows(self, theta: Float[Array, " n_parameter"]) -> Rows:
        """Yields at some nuisances, and what moves them.

        Args:
            theta: Nuisances as the terms feel them.

        Returns:
            Yields and derivatives.
        """
        layout = Layout.from_structure(self.structure)
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
            to_factor = jnp.asarray(layout.one_hot(0, n_term)[n_morph:])
            local.append((to_factor @ yields) * local_log)
        return Rows(
            yields, log_slope, log_bend, jnp.concatenate(local), local_log, bend * scale
        )

    def _common_factors(
        self, theta: Float[Array, " n_parameter"]
    ) -> tuple[Array, Array, Array]:
        """Logs of factors common to all bins of a term, and two derivatives."""
        n_term, n_parameter = self.log_response.shape
        shape = (n_term, n_parameter)
        moved = jnp.stack(
            [
                self.log_response * theta[None],
                self.log_response,
                jnp.zeros(shape),
            ]
        )
        for code, function in _FACTORS.items():
            rows = [i for i, e in enumerate(self.structure.asymmetric) if e[2] == code]
            if not rows:
                continue
            pairs = [self.structure.asymmetric[i][:2] for i in rows]

            def log_response(t, both, function=function):
                return jnp.log(function(t, up=both[0], down=both[1]))

            both = self.asymmetric[np.array(rows)]
            parameters = np.array([parameter for _, parameter in pairs])
            found = jax.vmap(partial(_two_derivatives, log_response))(
                theta[parameters], both
            )
            table = jnp.pad(jnp.stack(found), ((0, 0), (0, 1)))
            for place in _places(pairs, shape):
                moved = moved + table[:, place]
        return jnp.sum(moved[0], axis=1), moved[1], moved[2]

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
        structure, n_cell = self.structure, self.yields.shape[1]
        logs = [jnp.zeros((0, n_cell))]
        if structure.linear:
            along = theta[np.array(structure.linear)][:, None, None]
            opened = 1.0 + self.linear_response * along
            is_above = opened > 0.0
            factors = factors * jnp.prod(jnp.where(is_above, opened, 0.0), axis=0)
            divisor = jnp.where(is_above, opened, 1.0)
            log = jnp.where(is_above, self.linear_response / divisor, 0.0)
            rows = [
                (row, term)
                for row, parameter in enumerate(structure.linear)
                for term, linked in structure.links
                if linked == parameter
            ]
            logs.append(log[tuple(np.array(rows).T)])
        cells = _cells(structure)
        touched: dict[tuple[int, int], np.ndarray] = {}
        for parameter, term, column in structure.bin_factors:
            before = touched.get((term, parameter), np.zeros(cells.size))
            touched[term, parameter] = before + (cells == column)
        if touched:
            terms, parameters = np.array(list(touched)).T
            masks = np.stack(list(touched.values()))
            to_term = np.eye(self.yields.shape[0])[:, terms]
            factors = factors * jnp.exp(to_term @ (theta[parameters][:, None] * masks))
            logs.append(jnp.asarray(masks))
        return factors, jnp.concatenate(logs)


def _places(pairs: list[tuple[int, int]], shape: tuple[int, int]) -> list[np.ndarray]:
    """Where in a padded table each term and parameter finds its response.

    One array will do unless a parameter moves a term by two responses.
    """
    places: list[np.ndarray] = []
    for row, pair in enumerate(pairs):
        free = [place for place in places if place[pair] == len(pairs)]
        if not free:
            places.append(np.full(shape, len(pairs)))
            free = places[-1:]
        free[0][pair] = row
    return places


def _cells(structure: Structure) -> np.ndarray:
    """The bin of every cell: the bins themselves, then those of the events."""
    n_bin = sum(structure.region_bins)
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
