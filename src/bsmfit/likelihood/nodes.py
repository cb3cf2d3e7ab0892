r"""Nodes for averages over the nuisances of any likelihood.

$$E_z[f(x(z))] \approx \sum_j w_j\,f(x(z_j))$$

$z$ are the independent unit normals from which
`LikelihoodArrays.parameters_from_normal` makes parameters $x$ that are distributed as
their constraints say: log-normal, asymmetric, Gaussian, gamma and morphing responses
alike. Nodes and weights are constants (numpy), chosen for known responses:

1. nuisances that are purely log-normal act only through the span of their responses,
   so that protons on target and an efficiency of all terms are one axis;
2. the largest change of any yield along an axis, and what the data say about it, size
   its rule (`bsmfit.likelihood.quadrature.axis_rule`); an axis that moves nothing has
   one node;
3. the tensor product of all axes or, where it has too many nodes, a rank-1 lattice.

Nuisances that move the background of one bin only are independent of those of other
bins once the shared ones are given. `FactorisedNodes` average over them bin by bin, at
any signal at once: the number of evaluations is the product of two sets, however many
bins there are.

For a grid, responses are maximised over its points: one set of nodes serves a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from bsmfit.errors import InputError
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.quadrature import (
    LATTICE_NODES,
    MAX_TENSOR_NODES,
    axis_rule,
    lattice_rule,
)
from bsmfit.likelihood.relevant import acting_responses

__all__ = [
    "FactorisedNodes",
    "NormalAxis",
    "factorised_nodes",
    "normal_nodes",
    "product_nodes",
    "response_sizes",
    "spanning_axes",
]

_NEGLIGIBLE_RESPONSE = 1e-10
# sum of the weights that are left out of a tensor product
_NEGLIGIBLE_WEIGHT = 1e-9
# yields of a term below this fraction of its largest bin do not size a rule
_SMALL_FRACTION = 1e-3
_LARGEST_SIZE = 5.0
_MAP_BATCH = 64
# measured: averages to 4e-5 for asymmetries of 10 %, 1e-4 for 50 %
_N_JOINED = 17


@dataclass(frozen=True)
class NormalAxis:
    r"""One direction in the space of unit normals.

    Attributes:
        size: Largest response $|\ln y|$ to one standard deviation [1].
        information: What the data say about it: their Fisher information [1],
            $\sum_i n_i (d\ln\lambda_i/dz)^2$, which narrows the integrand.
        is_joined: Whether the response is joined from pieces (asymmetric factors,
            morphs), so that it is no polynomial.
    """

    size: float
    information: float = 0.0
    is_joined: bool = False

    def rule(self) -> tuple[np.ndarray, np.ndarray]:
        r"""Nodes and weights: as `axis_rule`, finer where the integrand is narrow.

        Equidistant nodes of spacing $h$ see a Gaussian of width $\sigma$ to
        $2e^{-2\pi^2\sigma^2/h^2}$, here with $\sigma^{-2} = 1 + I$; N Gauss-Hermite
        nodes to about $(I / (1 + I))^N$, with $I$ the information.
        """
        if self.size <= _NEGLIGIBLE_RESPONSE:
            return np.zeros(1), np.ones(1)
        nodes, weights = axis_rule(self.size)
        n_hermite = np.ceil(14.0 / np.log1p(1.0 / max(self.information, 1e-30)))
        n_equidistant = np.ceil(13.4 * np.sqrt(1.0 + self.information)) + 1
        if self.is_joined:
            n_hermite, n_equidistant = np.inf, max(n_equidistant, _N_JOINED)
        if nodes.size >= min(n_hermite, n_equidistant):
            return nodes, weights
        if n_hermite < n_equidistant:
            nodes, weights = np.polynomial.hermite_e.hermegauss(int(n_hermite))
        else:
            half = int(max(n_equidistant, nodes.size)) // 2
            nodes = np.arange(-half, half + 1) * (6.5 / half)
            weights = np.exp(-(nodes**2) / 2.0)
        return nodes, weights / weights.sum()


class FactorisedNodes(eqx.Module):
    r"""Nodes for shared nuisances and for those of the background of single bins.

    $$E_z\Big[\prod_i f_i\Big] \approx \sum_j w_j\prod_i\sum_m v_{mi}\,f_i(z_j + z_m)$$

    Attributes:
        shared: $z_j$, zero in the private nuisances.
        shared_weights: $w_j$, of sum 1.
        private: $z_m$, zero in the shared nuisances; row m moves the private nuisances
            of all bins at once.
        private_weights: $v_{mi}$, of sum 1 for each bin; 0 for rows that a bin with
            fewer nodes does not need.
    """

    shared: Float[np.ndarray, "n_node n_parameter"]
    shared_weights: Float[np.ndarray, " n_node"]
    private: Float[np.ndarray, "n_private n_parameter"]
    private_weights: Float[np.ndarray, "n_private n_bin"]


def normal_nodes(
    arrays: LikelihoodArrays, *, max_tensor: int = MAX_TENSOR_NODES
) -> tuple[Float[np.ndarray, "n_node n_parameter"], Float[np.ndarray, " n_node"]]:
    """Nodes and weights in the space of the unit normals of a likelihood.

    Not to be called under jit: the number of nodes depends on the responses.

    Args:
        arrays: The likelihood; its leaves are numbers, with one leading axis for the
            points of a grid or none.
        max_tensor: Largest tensor product; above it the lattice has
            `bsmfit.likelihood.quadrature.LATTICE_NODES` nodes.

    Returns:
        Nodes, to be given to `parameters_from_normal` one by one, and their weights, of
        sum 1.

    Raises:
        InputError: A factor is free, so that there is nothing to average over.

    Examples:
        >>> from bsmfit.likelihood.likelihood import Likelihood
        >>> from bsmfit.likelihood.region import Region, Term
        >>> from bsmfit.likelihood.response import LogNormal
        >>> protons = LogNormal("protons", 1.2)
        >>> signal = Term("signal", 1.0, [protons, LogNormal("efficiency", 1.1)])
        >>> region = Region("dimuon", 0, signal=[signal])
        >>> nodes, weights = normal_nodes(Likelihood.from_regions([region]).arrays())
        >>> nodes.shape[1], weights.size < 12, round(float(weights.sum()), 9)
        (2, True, 1.0)
    """
    _refuse_free(arrays)
    everything = np.arange(arrays.n_parameter)
    return _nodes_of(arrays, everything, max_tensor=max_tensor)


def factorised_nodes(
    arrays: LikelihoodArrays,
    *,
    max_tensor: int = MAX_TENSOR_NODES,
    fixed: Sequence[int] = (),
    has_private: bool = True,
) -> FactorisedNodes:
    """Nodes for shared nuisances, and bin by bin for those of one background only.

    Not to be called under jit.

    Args:
        arrays: The likelihood; its leaves are numbers, with one leading axis for the
            points of a grid or none.
        max_tensor: Largest tensor product of the shared nuisances and of each bin.
        fixed: Parameters that stay at 0, since they are averaged over in another way.
        has_private: Whether nuisances of one background are kept apart; else all are
            shared.

    Returns:
        The nodes.

    Raises:
        InputError: A factor is free, so that there is nothing to average over.
    """
    n_bin = arrays.observed.shape[-1]
    is_averaged = np.ones(arrays.n_parameter, dtype=bool)
    is_averaged[list(fixed)] = False
    _refuse_free(arrays, is_averaged)
    homes = _home_bins(arrays) if has_private else np.full(arrays.n_parameter, -1)
    shared, shared_weights = _nodes_of(
        arrays, np.flatnonzero((homes < 0) & is_averaged), max_tensor=max_tensor
    )
    by_bin = [
        _nodes_of(
            arrays,
            np.flatnonzero((homes == index) & is_averaged),
            max_tensor=max_tensor,
        )
        for index in range(n_bin)
    ]
    n_private = max(weights.size for _, weights in by_bin)
    private = np.zeros((n_private, arrays.n_parameter))
    private_weights = np.zeros((n_private, n_bin))
    for index, (nodes, weights) in enumerate(by_bin):
        private[: weights.size] += nodes
        private_weights[: weights.size, index] = weights
    return FactorisedNodes(shared, shared_weights, private, private_weights)


def product_nodes(
    axes: Sequence[NormalAxis], *, max_tensor: int = MAX_TENSOR_NODES
) -> tuple[Float[np.ndarray, "n_node n_axis"], Float[np.ndarray, " n_node"]]:
    r"""Nodes and weights for independent unit normals.

    Args:
        axes: What is known of each.
        max_tensor: Largest tensor product; above it the lattice.

    Returns:
        Nodes and weights of sum 1; axes without response stay at 0.
    """
    rules = [axis.rule() for axis in axes]
    if _n_product(axes) > max_tensor:
        sizes = np.array([axis.size for axis in axes])
        active = sizes > _NEGLIGIBLE_RESPONSE
        found, weights = lattice_rule(sizes[active], LATTICE_NODES)
        nodes = np.zeros((weights.size, sizes.size))
        nodes[:, active] = found
        return nodes, weights
    nodes = np.array(list(product(*(nodes for nodes, _ in rules))))
    weights = np.array(list(product(*(weights for _, weights in rules)))).prod(axis=1)
    order = np.argsort(weights)
    kept = np.sort(order[np.cumsum(weights[order]) > _NEGLIGIBLE_WEIGHT])
    return nodes[kept].reshape(-1, len(axes)), weights[kept] / weights[kept].sum()


def response_sizes(
    arrays: LikelihoodArrays, directions: Float[np.ndarray, "n_direction n_parameter"]
) -> tuple[Float[np.ndarray, " n_direction"], Float[np.ndarray, " n_direction"]]:
    r"""How strongly the yields respond to one standard deviation along directions.

    Evaluated at both signs; the largest over terms, bins and points of the grid. Bins
    that hold less than a thousandth of the term's largest bin count in proportion.

    Args:
        arrays: The likelihood; its leaves are numbers, with one leading axis for the
            points of a grid or none.
        directions: Unit vectors in the space of the unit normals.

    Returns:
        Largest $|\ln y|$ change, at most 5, and the information
        $\sum_i \max(n_i, 1)\max_t(\Delta\ln y_{ti})^2$ [1].
    """
    has_points = arrays.observed.ndim > 1
    evaluate = _largest_responses if has_points else _responses_at_point
    sizes, information = evaluate(arrays, jnp.asarray(directions))
    return np.asarray(sizes), np.asarray(information)


def spanning_axes(
    arrays: LikelihoodArrays, parameters: Sequence[int]
) -> Float[np.ndarray, "n_axis n_parameter"]:
    """Orthonormal axes of parameters, as few as move all yields.

    Log-normal nuisances act through the span of their responses; all others are an axis
    each.

    Args:
        arrays: The likelihood; its leaves may have one leading axis for the points.
        parameters: Indices of the parameters.

    Returns:
        The axes.
    """
    index = np.array(parameters, dtype=int)
    rotated = _rotated(arrays, index)
    if rotated is not None and rotated.shape[0] < index.size:
        return rotated
    return np.eye(arrays.n_parameter)[index]


@eqx.filter_jit
def _largest_responses(
    arrays: LikelihoodArrays, directions: Float[Array, "n_direction n_parameter"]
) -> tuple[Float[Array, " n_direction"], Float[Array, " n_direction"]]:
    sizes, information = lax.map(
        lambda point: _responses_at_point(point, directions),
        arrays,
        batch_size=_MAP_BATCH,
    )
    return jnp.max(sizes, axis=0), jnp.max(information, axis=0)


@eqx.filter_jit
def _responses_at_point(
    point: LikelihoodArrays, directions: Float[Array, "n_direction n_parameter"]
) -> tuple[Float[Array, " n_direction"], Float[Array, " n_direction"]]:
    normals = jnp.concatenate(
        [jnp.zeros((1, point.n_parameter)), directions, -directions]
    )
    yields = jax.vmap(lambda z: point.term_yields(point.parameters_from_normal(z)))(
        normals
    )
    floor = _SMALL_FRACTION * jnp.max(yields[0], axis=1)[:, None]
    is_open = jnp.broadcast_to((floor > 0.0)[None], yields.shape)
    log_yields = jnp.log(
        jnp.where(is_open, jnp.maximum(yields, 0.0) + floor[None], 1.0)
    )
    changes = jnp.abs(log_yields[1:] - log_yields[:1])
    changes = jnp.max(changes.reshape(2, -1, *yields.shape[1:]), axis=0)
    by_bin = jnp.minimum(jnp.max(changes, axis=1), _LARGEST_SIZE)
    return jnp.max(by_bin, axis=1), by_bin**2 @ jnp.maximum(point.observed, 1.0)


def _nodes_of(
    arrays: LikelihoodArrays, parameters: np.ndarray, *, max_tensor: int
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes that move these parameters only."""
    if not parameters.size:
        return np.zeros((1, arrays.n_parameter)), np.ones(1)
    directions = np.eye(arrays.n_parameter)[parameters]
    axes = _axes(arrays, directions)
    rotated = _rotated(arrays, parameters)
    if rotated is not None:
        rotated_axes = _axes(arrays, rotated)
        if _n_product(rotated_axes) < _n_product(axes):
            axes, directions = rotated_axes, rotated
    nodes, weights = product_nodes(axes, max_tensor=max_tensor)
    return nodes @ directions, weights


def _axes(arrays: LikelihoodArrays, directions: np.ndarray) -> list[NormalAxis]:
    joined = arrays.structure.asymmetric + arrays.structure.morphs
    moved = [parameter for _, parameter, _ in joined]
    is_joined = np.any(directions[:, moved] != 0.0, axis=1)
    # one shape, so that it is compiled once
    padded = np.zeros((arrays.n_parameter, arrays.n_parameter))
    padded[: directions.shape[0]] = directions
    sizes, information = response_sizes(arrays, padded)
    found = zip(sizes, information, is_joined, strict=False)
    return [NormalAxis(float(a), float(b), bool(c)) for a, b, c in found]


def _rotated(arrays: LikelihoodArrays, parameters: np.ndarray) -> np.ndarray | None:
    """Principal axes of the log-normal ones of these parameters, and the others."""
    structure = arrays.structure
    others = {parameter for _, parameter, _ in structure.asymmetric + structure.morphs}
    others |= set(structure.linear) | {entry[0] for entry in structure.bin_factors}
    others |= {index for pair in structure.correlated for index in pair}
    others |= {i for i, kind in enumerate(structure.constraints) if kind != "normal"}
    is_pure = np.array([index not in others for index in parameters])
    pure = parameters[is_pure]
    if pure.size < 2:
        return None
    responses = np.asarray(arrays.log_response).reshape(-1, arrays.n_parameter)
    responses = np.unique(responses[:, pure], axis=0)
    _, sizes, rows = np.linalg.svd(responses, full_matrices=False)
    rows = rows[sizes > _NEGLIGIBLE_RESPONSE]
    axes = np.zeros((rows.shape[0], arrays.n_parameter))
    axes[:, pure] = rows
    return np.concatenate([axes, np.eye(arrays.n_parameter)[parameters[~is_pure]]])


def _home_bins(arrays: LikelihoodArrays) -> np.ndarray:
    """The only bin whose background each parameter moves, -1 for all others."""
    acts = acting_responses(arrays)
    touches = acts.any(axis=1)
    is_private = (touches.sum(axis=1) == 1) & ~acts[:, : arrays.structure.n_signal].any(
        axis=(1, 2)
    )
    for pair in arrays.structure.correlated:
        is_private[list(pair)] = False
    return np.where(is_private, touches.argmax(axis=1), -1)


def _refuse_free(
    arrays: LikelihoodArrays, is_averaged: np.ndarray | None = None
) -> None:
    """Refuse to average over what has no distribution."""
    for index, kind in enumerate(arrays.structure.constraints):
        if kind == "free" and (is_averaged is None or is_averaged[index]):
            msg = (
                f"the free factor {arrays.parameter_names[index]!r} has no constraint "
                "to average over; give the term a constraint (LogNormal, Sideband), or "
                "take asymptotic formulae"
            )
            raise InputError(msg)


def _n_product(axes: Sequence[NormalAxis]) -> float:
    """Nodes of the tensor product, as a float since it may be huge."""
    return float(np.prod([float(axis.rule()[1].size) for axis in axes]))
