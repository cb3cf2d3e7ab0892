r"""From a likelihood to its counts at the nodes of the nuisances.

The exact methods need probabilities of counts, averaged over the nuisances. Whatever
the responses are (log-normal, asymmetric, gamma, morphing), they enter in one way only:
through the expected signal $s_{ij}$ and background $b_{ij}$ of each bin $i$ at nodes
$j$ of unit normals (`bsmfit.likelihood.nodes`). Nuisances that move only the background
of one bin are averaged there, so that they cost no nodes elsewhere:

$$B_{ij}(k) = \sum_m v_{mi}\,\mathrm{Pois}(k\,|\,b_i(z_j + z_m)).$$

Bins without signal are no counts here: they change the weights of the nodes
(`bsmfit.inference.counts.conditioned`), and of the other bins alone `NodeYields` are
made. `marginal_counts_of` prepares one bin for `bsmfit.inference.counts.marginal`,
`joint_counts_of` several for `bsmfit.inference.limits.joint_limit`.
"""

from __future__ import annotations

from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from bsmfit.inference.counts.conditioned import (
    ConditionedNodes,
    conditioned_parameters,
    control_posterior,
    log_density,
)
from bsmfit.inference.counts.joint_counts import JointCounts, averaged_poisson_pmf
from bsmfit.inference.counts.marginal import MarginalCounts
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.nodes import FactorisedNodes
from bsmfit.likelihood.poisson_series import averaged_terms

__all__ = [
    "CountNodes",
    "NodeYields",
    "joint_counts_at",
    "joint_counts_of",
    "marginal_counts_at",
    "marginal_counts_of",
    "nominal_yields",
    "yields_at_nodes",
]

CountNodes: TypeAlias = FactorisedNodes | ConditionedNodes


class NodeYields(eqx.Module):
    """Yields of the counted bins at nodes of the nuisances.

    Attributes:
        observed: Observed events of these bins.
        nominal_signal: Signal at strength 1 and the likeliest nuisances [events].
        nominal_background: Background there [events].
        signal: Signal at each shared node.
        background: Background at each shared node, for each node of the nuisances of
            single backgrounds.
        shared_weights: Weights of the shared nodes, of sum 1.
        private_weights: Weights of the others for each bin, of sum 1.
        is_converged: Whether the posterior of the control bins is found.
    """

    observed: Float[Array, " n_bin"]
    nominal_signal: Float[Array, " n_bin"]
    nominal_background: Float[Array, " n_bin"]
    signal: Float[Array, "n_node n_bin"]
    background: Float[Array, "n_private n_node n_bin"]
    shared_weights: Float[Array, " n_node"]
    private_weights: Float[Array, "n_private n_bin"]
    is_converged: Bool[Array, ""]


def nominal_yields(
    arrays: LikelihoodArrays,
) -> tuple[Float[Array, " n_bin"], Float[Array, " n_bin"]]:
    """Signal at strength 1 and background, nuisances at what was measured for them.

    Args:
        arrays: The likelihood.

    Returns:
        Signal and background [events].
    """
    return arrays.expected(arrays.nominal_parameters())


def marginal_counts_of(
    arrays: LikelihoodArrays, nodes: CountNodes, *, n_max: int
) -> MarginalCounts:
    """Counts of a likelihood of one bin with signal.

    Args:
        arrays: The likelihood.
        nodes: Nodes of its nuisances.
        n_max: Largest count.

    Returns:
        The counts; the response is relative to the signal at nominal nuisances.
    """
    return marginal_counts_at(yields_at_nodes(arrays, nodes), n_max=n_max)


def marginal_counts_at(yields: NodeYields, *, n_max: int) -> MarginalCounts:
    """Counts of the only bin of given yields.

    Args:
        yields: Yields at nodes.
        n_max: Largest count.

    Returns:
        As `marginal_counts_of`.
    """
    nominal = yields.nominal_signal[0]
    safe = jnp.where(nominal > 0.0, nominal, 1.0)
    rates = yields.background[:, :, 0]
    offset = jax.lax.stop_gradient(jnp.min(rates))
    weights = yields.private_weights[:, 0]
    terms = averaged_terms(
        jnp.exp(offset - rates), rates, lambda term: weights @ term, n_max=n_max
    )
    return MarginalCounts(
        weights=yields.shared_weights,
        response=jnp.where(nominal > 0.0, yields.signal[:, 0] / safe, 1.0),
        background_terms=terms,
        log_scale=-offset,
    )


def joint_counts_of(
    arrays: LikelihoodArrays, nodes: CountNodes, *, n_max: int
) -> JointCounts:
    """Counts of a likelihood of several bins with signal.

    Args:
        arrays: The likelihood.
        nodes: Nodes of its nuisances.
        n_max: Largest count per bin.

    Returns:
        The counts.
    """
    return joint_counts_at(yields_at_nodes(arrays, nodes), n_max=n_max)


def joint_counts_at(yields: NodeYields, *, n_max: int) -> JointCounts:
    """Counts of several bins of given yields.

    Args:
        yields: Yields at nodes.
        n_max: Largest count per bin.

    Returns:
        As `joint_counts_of`.
    """
    terms = None
    if yields.background.shape[0] > 1:
        terms = jnp.stack(
            [
                averaged_poisson_pmf(
                    yields.background[:, :, i],
                    yields.private_weights[:, i],
                    n_max=n_max,
                )
                for i in range(yields.background.shape[2])
            ]
        )
    return JointCounts(
        n_observed=jnp.rint(yields.observed).astype(int),
        nominal_signal=yields.nominal_signal,
        nominal_background=yields.nominal_background,
        node_weights=yields.shared_weights,
        signal=yields.signal.T,
        background=yields.background[0].T,
        background_terms=terms,
        n_max=n_max,
    )


def yields_at_nodes(arrays: LikelihoodArrays, nodes: CountNodes) -> NodeYields:
    """Signal at the shared nodes, background at sums of shared and private ones.

    Args:
        arrays: The likelihood.
        nodes: Nodes of its nuisances.

    Returns:
        The yields of the bins with signal.
    """
    if isinstance(nodes, ConditionedNodes):
        return _conditioned_yields(arrays, nodes)
    signal, background = jax.vmap(jax.vmap(arrays.expected))(
        _base_parameters(arrays, nodes)
    )
    nominal_signal, nominal_background = nominal_yields(arrays)
    return NodeYields(
        observed=arrays.observed,
        nominal_signal=nominal_signal,
        nominal_background=nominal_background,
        signal=signal[0],
        background=background,
        shared_weights=jnp.asarray(nodes.shared_weights),
        private_weights=jnp.asarray(nodes.private_weights),
        is_converged=jnp.asarray(True),
    )


def _base_parameters(
    arrays: LikelihoodArrays, nodes: FactorisedNodes
) -> Float[Array, "n_private n_node n_parameter"]:
    shared, private = jnp.asarray(nodes.shared), jnp.asarray(nodes.private)
    sums = private[:, None, :] + shared[None, :, :]
    return jax.vmap(jax.vmap(arrays.parameters_from_normal))(sums)


def _conditioned_yields(
    arrays: LikelihoodArrays, nodes: ConditionedNodes
) -> NodeYields:
    """Yields where control bins have conditioned some of the nuisances.

    Their nodes multiply the private ones where they move one background alone, and the
    shared ones otherwise.
    """
    posterior = control_posterior(arrays, nodes)
    coordinates = posterior.coordinates(jnp.asarray(nodes.units))
    log_weights = jax.vmap(lambda c: log_density(arrays, nodes, c))(coordinates)
    weights = jax.nn.softmax(log_weights + jnp.asarray(nodes.log_volumes))
    moved = jax.vmap(lambda c: conditioned_parameters(arrays, nodes, c))(coordinates)
    base = _base_parameters(arrays, nodes.base)
    bins = np.array(nodes.signal_bins, dtype=int)

    def yields(unit: Array, rest: Array) -> tuple[Array, Array]:
        signal, background = arrays.expected(
            jnp.where(nodes.is_conditioned, unit, rest)
        )
        return signal[bins], background[bins]

    over_base = jax.vmap(jax.vmap(yields, (None, 0)), (None, 0))
    signal, background = jax.vmap(over_base, (0, None))(moved, base)
    private_weights = jnp.asarray(nodes.base.private_weights[:, bins])
    shared_weights = jnp.asarray(nodes.base.shared_weights)
    if nodes.is_private:
        signal = signal[0, 0]
        background = background.reshape(-1, *background.shape[2:])
        product = weights[:, None, None] * private_weights[None]
        private_weights = product.reshape(-1, bins.size)
    else:
        signal = signal[:, 0].reshape(-1, bins.size)
        background = jnp.moveaxis(background, 0, 1)
        background = background.reshape(background.shape[0], -1, bins.size)
        shared_weights = (weights[:, None] * shared_weights[None, :]).reshape(-1)
    centre = conditioned_parameters(arrays, nodes, posterior.centre)
    nominal_signal, nominal_background = arrays.expected(centre)
    return NodeYields(
        observed=arrays.observed[bins],
        nominal_signal=nominal_signal[bins],
        nominal_background=nominal_background[bins],
        signal=signal,
        background=background,
        shared_weights=shared_weights,
        private_weights=private_weights,
        is_converged=posterior.is_converged,
    )
