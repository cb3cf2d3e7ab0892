r"""Nuisance parameters: what is uncertain, by how much, and who shares it.

A nuisance $\theta$ is unit normal; it multiplies an expected yield by the log-normal
factor $\kappa^{\theta} = e^{\theta\ln\kappa}$ (median 1, always positive, smooth at
$\theta = 0$). Two terms that name the same nuisance are moved by the same $\theta$: the
name is the correlation. Here the names of all terms become the columns of one matrix of
$\ln\kappa$, which is all that the likelihood and the quadrature need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.argument import LARGEST_FACTOR, text
from bsmfit.core.array_argument import check_range, scalar
from bsmfit.errors import InputError, UnknownNameError

__all__ = ["Nuisance", "log_kappa_matrix", "nuisance_names"]


class Nuisance(eqx.Module):
    r"""A log-normal uncertainty of one yield, shared by name.

    Attributes:
        name: What is uncertain, for example ``"protons-on-target"``. The same name in
            two terms is the same parameter.
        kappa: Factor of one standard deviation [1], > 0: 1.2 for 20 %. A factor
            below 1 is an anticorrelated response.

    Examples:
        >>> import jax.numpy as jnp
        >>> Nuisance("protons-on-target", jnp.array(1.2)).name
        'protons-on-target'
    """

    name: str = eqx.field(static=True)
    kappa: Float[Array, ""]

    def __check_init__(self) -> None:
        text("name of a nuisance", self.name)
        check_range(
            f"nuisance {self.name!r}: kappa",
            scalar("kappa", self.kappa),
            low=1.0 / LARGEST_FACTOR,
            high=LARGEST_FACTOR,
        )


def nuisance_names(terms: Sequence[Sequence[Nuisance]]) -> tuple[str, ...]:
    """Every name in the terms, once, in order of first appearance.

    Args:
        terms: The nuisances of each term.

    Returns:
        The names.
    """
    return tuple(dict.fromkeys(nuisance.name for term in terms for nuisance in term))


def log_kappa_matrix(
    terms: Sequence[Sequence[Nuisance]], names: Sequence[str]
) -> Float[Array, "n_term n_nuisance"]:
    r"""Responses of all terms to all nuisances, $\ln\kappa_{tj}$.

    Args:
        terms: The nuisances of each term (a signal process or a background).
        names: The columns. Must hold every name that occurs in the terms.

    Returns:
        The matrix [1]; 0 where a term does not depend on a nuisance.

    Raises:
        InputError: A term names a nuisance twice, or one that is not a column.

    Examples:
        >>> import jax.numpy as jnp
        >>> protons = Nuisance("protons-on-target", jnp.array(1.2))
        >>> log_kappa_matrix([[protons], []], ["protons-on-target"]).shape
        (2, 1)
    """
    columns = {name: column for column, name in enumerate(names)}
    matrix = np.zeros((len(terms), len(columns)))
    for row, term in enumerate(terms):
        for name, count in Counter(nuisance.name for nuisance in term).items():
            if count > 1:
                msg = f"term {row} names nuisance {name!r} {count} times; give it once"
                raise InputError(msg)
            if name not in columns:
                kind = "nuisance"
                raise UnknownNameError.from_choices(kind, name, names)
        for nuisance in term:
            matrix[row, columns[nuisance.name]] = np.log(nuisance.kappa)
    return jnp.asarray(matrix)
