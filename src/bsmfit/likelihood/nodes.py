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

For a grid, responses are maximised over its points: one set of nodes serves a map.
"""

from __future__ import annotations

from itertools import product

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.quadrature import (
    LATTICE_NODES,
    MAX_TENSOR_NODES,
    axis_rule,
    lattice_rule,
)

__all__ = ["normal_nodes", "product_nodes", "response_sizes"]

_NEGLIGIBLE_RESPONSE = 1e-10
# sum of the weights that are left out of a tensor product
_NEGLIGIBLE_WEIGHT = 1e-9
# yields of a term below this fraction of its largest bin do not size a rule
_SMALL_FRACTION = 1e-3
_LARGEST_SIZE = 5.0
_MAP_BATCH = 64
# measured: asymmetries of 10 % to 4e-5 in limits, of 50 % to 1e-4
_N_JOINED = 17


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
    axes = np.eye(arrays.n_parameter)
    joined = arrays.structure.asymmetric + arrays.structure.morphs
    is_joined = np.isin(np.arange(arrays.n_parameter), [entry[1] for entry in joined])
    rules = _rules(*response_sizes(arrays, axes), is_joined)
    rotated = _rotated_axes(arrays)
    if rotated is not None:
        rotated_rules = _rules(*response_sizes(arrays, rotated), is_joined)
        if _n_product(rotated_rules) < _n_product(rules):
            axes, rules = rotated, rotated_rules
    nodes, weights = product_nodes(rules, max_tensor=max_tensor)
    return nodes @ axes, weights


def product_nodes(
    sizes: Float[np.ndarray, " n_axis"],
    *,
    information: Float[np.ndarray, " n_axis"] | None = None,
    max_tensor: int = MAX_TENSOR_NODES,
) -> tuple[Float[np.ndarray, "n_node n_axis"], Float[np.ndarray, " n_node"]]:
    r"""Nodes and weights for independent unit normals of given responses.

    Args:
        sizes: Largest response $|\ln y|$ to one standard deviation on each axis [1].
        information: What the data say about each axis: its Fisher information [1],
            $\sum_i n_i (d\ln\lambda_i/dz)^2$, which narrows the integrand; None for 0.
        max_tensor: Largest tensor product; the lattice above.

    Returns:
        Nodes and weights of sum 1; axes without response stay at 0.
    """
    sizes = np.asarray(sizes, dtype=float)
    if information is None:
        information = np.zeros_like(sizes)
    active = np.flatnonzero(sizes > _NEGLIGIBLE_RESPONSE)
    if not active.size:
        return np.zeros((1, sizes.size)), np.ones(1)
    if _n_product(sizes, information) > max_tensor:
        found, weights = lattice_rule(sizes[active], LATTICE_NODES)
    else:
        rules = [_axis(sizes[axis], information[axis]) for axis in active]
        found = np.array(list(product(*(nodes for nodes, _ in rules))))
        weights = np.array(list(product(*(weight for _, weight in rules))))
        weights = weights.prod(axis=1)
        order = np.argsort(weights)
        kept = np.sort(order[np.cumsum(weights[order]) > _NEGLIGIBLE_WEIGHT])
        found, weights = found[kept], weights[kept] / weights[kept].sum()
    nodes = np.zeros((found.shape[0], sizes.size))
    nodes[:, active] = found
    return nodes, weights


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
    if arrays.observed.ndim == 1:
        arrays = jax.tree.map(lambda leaf: leaf[None], arrays)
    sizes, information = _largest_responses(arrays, jnp.asarray(directions))
    return np.asarray(sizes), np.asarray(information)


@eqx.filter_jit
def _largest_responses(
    arrays: LikelihoodArrays, directions: Float[Array, "n_direction n_parameter"]
) -> tuple[Float[Array, " n_direction"], Float[Array, " n_direction"]]:
    def at_point(
        point: LikelihoodArrays,
    ) -> tuple[Float[Array, " n_direction"], Float[Array, " n_direction"]]:
        def yields(normal: Float[Array, " n_parameter"]) -> Float[Array, "term bin"]:
            return point.term_yields(point.parameters_from_normal(normal))

        nominal = yields(jnp.zeros(point.n_parameter))
        floor = _SMALL_FRACTION * jnp.max(nominal, axis=1, keepdims=True)
        is_open = jnp.broadcast_to(floor > 0.0, nominal.shape)
        safe = jnp.where(is_open, nominal + floor, 1.0)

        def change(direction: Float[Array, " n_parameter"]) -> Float[Array, "term bin"]:
            moved = jnp.where(is_open, yields(direction) + floor, 1.0)
            return jnp.abs(jnp.log(moved / safe))

        both = jnp.stack([directions, -directions], axis=1)
        changes = jnp.max(jax.vmap(jax.vmap(change))(both), axis=1)
        changes = jnp.minimum(changes, _LARGEST_SIZE)
        by_bin = jnp.max(changes, axis=1)
        information = by_bin**2 @ jnp.maximum(point.observed, 1.0)
        return jnp.max(by_bin, axis=1), information

    sizes, information = lax.map(at_point, arrays, batch_size=_MAP_BATCH)
    return jnp.max(sizes, axis=0), jnp.max(information, axis=0)


def _rotated_axes(arrays: LikelihoodArrays) -> np.ndarray | None:
    """Rows: principal axes of the log-normal nuisances, and the other axes."""
    structure = arrays.structure
    others = {parameter for _, parameter, _ in structure.asymmetric + structure.morphs}
    others |= set(structure.linear) | {entry[0] for entry in structure.bin_factors}
    others |= {index for pair in structure.correlated for index in pair}
    pure = np.array(
        [
            kind == "normal" and index not in others
            for index, kind in enumerate(structure.constraints)
        ],
        dtype=bool,
    )
    if pure.sum() < 2:
        return None
    responses = np.asarray(arrays.log_response).reshape(-1, pure.size)[:, pure]
    _, sizes, rows = np.linalg.svd(np.unique(responses, axis=0), full_matrices=False)
    axes = np.zeros((pure.size, pure.size))
    kept = sizes > _NEGLIGIBLE_RESPONSE
    axes[np.flatnonzero(pure)[: kept.sum()][:, None], pure] = rows[kept]
    axes[~pure] = np.eye(pure.size)[~pure]
    return axes


def _axis(
    size: float, information: float, is_joined: bool
) -> tuple[np.ndarray, np.ndarray]:
    r"""A rule for one axis: as `axis_rule`, finer where the data narrow the integrand.

    Equidistant nodes of spacing $h$ see a Gaussian of width $\sigma$ to
    $2e^{-2\pi^2\sigma^2/h^2}$, here with $\sigma^{-2} = 1 +$ information; N
    Gauss-Hermite nodes to about (information / (1 + information))^N. Responses that are
    joined at +-1 from pieces are no polynomials: equidistant nodes, too.
    """
    nodes, weights = axis_rule(size)
    n_hermite = int(np.ceil(14.0 / np.log1p(1.0 / max(information, 1e-30))))
    n_equidistant = 2 * int(np.ceil(6.5 / 0.97 * np.sqrt(1.0 + information))) + 1
    if is_joined:
        n_hermite, n_equidistant = 10**6, max(n_equidistant, _N_JOINED)
    if nodes.size >= min(n_hermite, n_equidistant):
        return nodes, weights
    if n_hermite < n_equidistant:
        nodes, weights = np.polynomial.hermite_e.hermegauss(n_hermite)
    else:
        half = max(n_equidistant, nodes.size) // 2
        nodes = np.arange(-half, half + 1) * (6.5 / half)
        weights = np.exp(-(nodes**2) / 2.0)
    return nodes, weights / weights.sum()
