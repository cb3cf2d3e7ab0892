r"""From a likelihood to its counts at the nodes of the nuisances.

The exact methods need probabilities of counts, averaged over the nuisances. Whatever
the responses are (log-normal, asymmetric, gamma, morphing), they enter in one way only:
through the expected signal $s_{ij}$ and background $b_{ij}$ of each bin $i$ at nodes
$j$ of unit normals (`bsmfit.likelihood.nodes`). Nuisances that move only the background
of one bin are averaged there, so that they cost no nodes elsewhere:

$$B_{ij}(k) = \sum_m v_{mi}\,\mathrm{Pois}(k\,|\,b_i(z_j + z_m)).$$

`marginal_counts_of` prepares one bin for `bsmfit.inference.counts.marginal`,
`joint_counts_of` several for `bsmfit.inference.limits.joint_limit`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.inference.counts.joint_counts import JointCounts, averaged_poisson_pmf
from bsmfit.inference.counts.marginal import MarginalCounts
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.nodes import FactorisedNodes

__all__ = ["joint_counts_of", "marginal_counts_of", "nominal_yields"]


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
    arrays: LikelihoodArrays, nodes: FactorisedNodes, *, n_max: int
) -> MarginalCounts:
    """Counts of a likelihood of one bin.

    Args:
        arrays: The likelihood.
        nodes: Nodes of its nuisances.
        n_max: Largest count.

    Returns:
        The counts; the response is relative to the signal at nominal nuisances.
    """
    signal, background = _at_nodes(arrays, nodes)
    nominal = nominal_yields(arrays)[0][0]
    safe = jnp.where(nominal > 0.0, nominal, 1.0)
    rates = background[:, :, 0]
    offset = jax.lax.stop_gradient(jnp.min(rates))
    term = jnp.exp(offset - rates)
    weights = jnp.asarray(nodes.private_weights[:, 0])
    terms = [weights @ term]
    for k in range(1, n_max + 1):
        term = term * rates / k
        terms.append(weights @ term)
    return MarginalCounts(
        weights=jnp.asarray(nodes.shared_weights),
        response=jnp.where(nominal > 0.0, signal[:, 0] / safe, 1.0),
        background_terms=jnp.stack(terms),
        log_scale=-offset,
    )


def joint_counts_of(
    arrays: LikelihoodArrays, nodes: FactorisedNodes, *, n_max: int
) -> JointCounts:
    """Counts of a likelihood of several bins.

    Args:
        arrays: The likelihood.
        nodes: Nodes of its nuisances.
        n_max: Largest count per bin.

    Returns:
        The counts.
    """
    signal, background = _at_nodes(arrays, nodes)
    nominal_signal, nominal_background = nominal_yields(arrays)
    terms = None
    if nodes.private.shape[0] > 1:
        weights = jnp.asarray(nodes.private_weights)
        terms = jnp.stack(
            [
                averaged_poisson_pmf(background[:, :, i], weights[:, i], n_max=n_max)
                for i in range(background.shape[2])
            ]
        )
    return JointCounts(
        n_observed=arrays.observed.astype(int),
        nominal_signal=nominal_signal,
        nominal_background=nominal_background,
        node_weights=jnp.asarray(nodes.shared_weights),
        signal=signal.T,
        background=background[0].T,
        background_terms=terms,
        n_max=n_max,
    )


def _at_nodes(
    arrays: LikelihoodArrays, nodes: FactorisedNodes
) -> tuple[Float[Array, "n_node n_bin"], Float[Array, "n_private n_node n_bin"]]:
    """Signal at the shared nodes, background at sums of shared and private ones."""

    def expected(
        normal: Float[Array, " n_parameter"],
    ) -> tuple[Float[Array, " n_bin"], Float[Array, " n_bin"]]:
        return arrays.expected(arrays.parameters_from_normal(normal))

    shared, private = jnp.asarray(nodes.shared), jnp.asarray(nodes.private)
    sums = private[:, None, :] + shared[None, :, :]
    signal, background = jax.vmap(jax.vmap(expected))(sums)
    return signal[0], background
