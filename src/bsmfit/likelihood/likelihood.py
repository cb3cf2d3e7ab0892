r"""The likelihood: regions and the nuisances that they share.

$$L(\mu, x) = \prod_i \mathrm{Pois}(n_i\,|\,\mu s_i(x) + b_i(x))
  \prod_j C_j(a_j\,|\,x_j)$$

A `Likelihood` is a specification: a pytree of regions, whose terms name their
nuisances, and the correlations between named nuisances. It is what users build,
`combine` joins and exporters read. Computation works on its dense form,
`bsmfit.likelihood.arrays.LikelihoodArrays`, made by `likelihood.arrays()`.

Everything numerical is a leaf, so signal, background, data and uncertainties may all be
traced; names and choices of interpolation are static. Values are checked where they are
known, before anything is compiled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from bsmfit._x64 import require_x64
from bsmfit.core.argument import choice, instance, instances
from bsmfit.core.array_argument import real_array
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.likelihood.arrays import LikelihoodArrays
from bsmfit.likelihood.checks import check_correlations, check_regions
from bsmfit.likelihood.collect import collect_arrays
from bsmfit.likelihood.prefix import check_names, nuisance_names, with_prefix
from bsmfit.likelihood.region import Region
from bsmfit.likelihood.response import Value

__all__ = ["Likelihood", "broadcast_points", "combine", "point_shape"]

# Trailing axes that are not points of a grid, by the name of the field.
_EVENT_RANK = {
    "yields": 1,
    "observed": 1,
    "yields_up": 1,
    "yields_down": 1,
    "relative_errors": 1,
    "coefficients": 1,
    "signal": 2,
    "background": 2,
}
_Tree = TypeVar("_Tree")


class Likelihood(eqx.Module):
    """Regions and the nuisances that they share.

    Attributes:
        regions: The regions, in the order of the bins.
        correlated: Pairs of nuisances with a partial correlation.
        coefficients: Their correlation coefficients [1].
        fixed: Parameters that an import took out at their nominal values, with -ln of
            the constraint that the source has for them: a constant of its likelihood
            that is no part of this one.

    Examples:
        >>> from bsmfit.likelihood.region import Region, Term
        >>> from bsmfit.likelihood.response import LogNormal
        >>> likelihood = Likelihood.from_regions(
        ...     [
        ...         Region(
        ...             "dimuon",
        ...             observed=0,
        ...             signal=[Term("signal", 1.0, [LogNormal("protons", 1.2)])],
        ...             background=[Term("fakes", 0.016, [LogNormal("fakes", 1.5)])],
        ...         )
        ...     ]
        ... )
        >>> likelihood.arrays().parameter_names
        ('protons', 'fakes')
    """

    regions: tuple[Region, ...]
    correlated: tuple[tuple[str, str], ...] = eqx.field(static=True)
    coefficients: Float[Array, "*point n_pair"]
    fixed: tuple[tuple[str, float], ...] = eqx.field(static=True, default=())

    @classmethod
    def from_regions(
        cls,
        regions: Sequence[Region],
        correlations: Mapping[tuple[str, str], Value] | None = None,
    ) -> Likelihood:
        """Check the regions and put them together.

        Args:
            regions: The regions, of unique names.
            correlations: Correlation coefficients of pairs of nuisances that are
                constrained by a unit normal; 0 for pairs that are not named.

        Returns:
            The likelihood.

        Raises:
            InputError: A value is outside what is allowed, or names do not fit; the
                message names the region, the term and the value.
            PrecisionError: float64 is switched off.
        """
        require_x64("Likelihood.from_regions")
        hint = 'make one with bsmfit.Region("name", observed, signal, background)'
        regions = instances("regions", regions, Region, hint=hint)
        check_regions(regions)
        pairs = _correlation_pairs(correlations)
        values = list(pairs.values())
        coefficients = (
            jnp.stack(jnp.broadcast_arrays(*values), axis=-1)
            if values
            else jnp.zeros(0)
        )
        made = cls(regions=regions, correlated=tuple(pairs), coefficients=coefficients)
        check_correlations(made.regions, made.correlated, made.coefficients)
        point_shape(made)
        return made

    def arrays(self) -> LikelihoodArrays:
        """Return the dense form, for a likelihood of one point."""
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(self)):
            return _collect(self)
        # known numbers need no program: compiling one takes seconds where many are
        return collect_arrays(self.regions, self.correlated, self.coefficients)

    def with_observed(self, observed: Mapping[str, Value]) -> Likelihood:
        """Replace the observed counts of regions by name.

        Args:
            observed: Counts in the bins, by region.

        Returns:
            The likelihood with other data.

        Raises:
            InputError: There is no such region, or counts that are not allowed.
        """
        hint = 'write {"region": counts}'
        names = [region.name for region in self.regions]
        for name in instance("observed", observed, Mapping, hint=hint):
            choice("region", name, names)
        regions = tuple(
            Region(
                region.name,
                observed.get(region.name, region.observed),
                signal=region.signal,
                background=region.background,
                events=region.events,
            )
            for region in self.regions
        )
        check_regions(regions)
        return Likelihood(regions, self.correlated, self.coefficients, self.fixed)


def _correlation_pairs(
    correlations: object,
) -> dict[tuple[str, str], Float[Array, "*point"]]:
    """Correlation coefficients by pairs of names."""
    hint = 'write {("first", "second"): 0.5} with the names of two nuisances'
    given = {} if correlations is None else correlations
    pairs = {}
    for pair, value in instance("correlations", given, Mapping, hint=hint).items():
        names = instances("pair of a correlation", pair, str, hint=hint)
        if len(names) != 2:
            msg = f"a correlation has two nuisances, not {len(names)}; {hint}"
            raise InputError(msg)
        pairs[names] = real_array(f"correlation of {names[0]!r}, {names[1]!r}", value)
    return pairs


@eqx.filter_jit
def _collect(likelihood: Likelihood) -> LikelihoodArrays:
    """One compilation for all traced likelihoods of the same structure."""
    return collect_arrays(
        likelihood.regions, likelihood.correlated, likelihood.coefficients
    )


def combine(
    likelihoods: Sequence[Likelihood],
    *,
    prefixes: Sequence[str] | None = None,
    shared: Sequence[str] = (),
) -> Likelihood:
    """Join likelihoods of independent data into one.

    Nuisances of the same name become one parameter. The regions stay apart: an event in
    a clean region says more than one in a dirty region. Where different things have one
    name, prefixes tell them apart.

    Args:
        likelihoods: One or more, whose regions have different names.
        prefixes: One for each likelihood, put before the names of its regions and
            nuisances as by `bsmfit.likelihood.prefix.with_prefix`; an empty one leaves
            the names alone. None: no name changes.
        shared: Nuisances that keep their names under prefixes, and so stay common.

    Returns:
        One likelihood with all regions and correlations.

    Raises:
        InputError: Nothing was given, one name stands for different things, or a pair
            of nuisances has two correlations.
        UnknownNameError: A shared nuisance is in none of them.

    Examples:
        >>> from bsmfit.likelihood.region import Region, Term
        >>> from bsmfit.likelihood.response import LogNormal
        >>> search = Likelihood.from_regions(
        ...     [Region("sr", 0, [Term("s", 1.0, [LogNormal("lumi", 1.02)])])]
        ... )
        >>> both = combine([search, search], prefixes=["a", "b"], shared=["lumi"])
        >>> [region.name for region in both.regions], both.arrays().parameter_names
        (['a_sr', 'b_sr'], ('lumi',))
    """
    hint = "give a list of what Likelihood.from_regions returned"
    likelihoods = instances("likelihoods", likelihoods, Likelihood, hint=hint)
    if not likelihoods:
        msg = "combine needs one likelihood or more; none was given"
        raise InputError(msg)
    likelihoods = _with_prefixes(likelihoods, prefixes, shared)
    regions = [region for one in likelihoods for region in one.regions]
    try:
        check_regions(regions)  # each is right by itself: only names can clash
        _check_fixed(likelihoods)
    except InputError as error:
        remedy = (
            "tell them apart by combine([...], prefixes=['a', 'b', ...], "
            "shared=[...]), where shared lists the nuisances that stay common"
            if prefixes is None
            else "give other prefixes, or leave it out of shared"
        )
        msg = f"the likelihoods use one name for different things: {error}; {remedy}"
        raise InputError(msg) from error
    correlations = {}
    for likelihood in likelihoods:
        for index, pair in enumerate(likelihood.correlated):
            value = likelihood.coefficients[..., index]
            for known in (pair, pair[::-1]):
                before = correlations.get(known)
                if before is not None and not np.array_equal(before, value):
                    msg = (
                        f"the correlation of {pair[0]!r} and {pair[1]!r} is given "
                        "twice with different values"
                    )
                    raise InputError(msg)
            if pair[::-1] not in correlations:
                correlations[pair] = value
    joint = Likelihood.from_regions(regions, correlations)
    fixed = dict.fromkeys(entry for one in likelihoods for entry in one.fixed)
    return dataclasses.replace(joint, fixed=tuple(fixed))


def _with_prefixes(
    likelihoods: Sequence[Likelihood],
    prefixes: Sequence[str] | None,
    shared: Sequence[str],
) -> list[Likelihood]:
    """Check what `combine` was given, and rename."""
    check_names("shared", shared)
    if prefixes is None:
        return [with_prefix(one, "", shared=shared) for one in likelihoods]
    check_names("prefixes", prefixes)
    if len(prefixes) != len(likelihoods):
        msg = (
            f"{len(prefixes)} prefixes for {len(likelihoods)} likelihoods; give one "
            "for each ('' leaves the names of one alone)"
        )
        raise InputError(msg)
    names = [nuisance_names(one) for one in likelihoods]
    for name in shared:
        if not any(name in known for known in names):
            every = {name for known in names for name in known}
            kind = "nuisance in shared"
            raise UnknownNameError.from_choices(kind, name, every)
    return [
        with_prefix(one, prefix, shared=[n for n in shared if prefix and n in known])
        for one, prefix, known in zip(likelihoods, prefixes, names, strict=True)
    ]


def _check_fixed(likelihoods: Sequence[Likelihood]) -> None:
    """Refuse a nuisance that one likelihood has fixed and another has not."""
    free = {
        response.name
        for one in likelihoods
        for region in one.regions
        for term in (*region.signal, *region.background)
        for response in term.responses
    }
    for name, _ in (entry for one in likelihoods for entry in one.fixed):
        if name in free:
            msg = f"nuisance {name!r} is fixed in one of them and free in another"
            raise InputError(msg)


def point_shape(likelihood: Likelihood) -> tuple[int, ...]:
    """Shape of the grid that the leading axes of all arrays span.

    Args:
        likelihood: The likelihood.

    Returns:
        The shape; () for one point.

    Raises:
        InputError: The leading axes do not broadcast.
    """
    shapes = {
        jax.tree_util.keystr(path): np.shape(leaf)[: np.ndim(leaf) - _rank(path)]
        for path, leaf in jax.tree_util.tree_leaves_with_path(likelihood)
    }
    empty = next((path for path, shape in shapes.items() if 0 in shape), None)
    if empty is not None:
        msg = f"likelihood{empty} is empty: a grid has one point or more"
        raise InputError(msg)
    try:
        return np.broadcast_shapes(*shapes.values()) if shapes else ()
    except ValueError as error:
        longest = max(shapes.values(), key=len)
        for path, shape in shapes.items():
            try:
                np.broadcast_shapes(shape, longest)
            except ValueError:
                msg = (
                    f"the grid axes {shape} of likelihood{path} do not broadcast "
                    f"against {longest} of other arrays"
                )
                raise InputError(msg) from error
        raise


def broadcast_points(likelihood: Likelihood) -> Likelihood:
    """Give every array the same leading axis, one entry for each point of the grid.

    Args:
        likelihood: The likelihood, its grid of any shape.

    Returns:
        The same with every array of shape (n_point, ...), to be mapped over.
    """
    shape = point_shape(likelihood)
    n_point = int(np.prod(shape))

    def expand(path: tuple, leaf: object) -> object:
        array = jnp.asarray(leaf, dtype=float)
        event = array.shape[array.ndim - _rank(path) :]
        return jnp.broadcast_to(array, shape + event).reshape(n_point, *event)

    return jax.tree_util.tree_map_with_path(expand, likelihood)


def _rank(path: tuple) -> int:
    """Trailing axes of a leaf that are not points of a grid."""
    return _EVENT_RANK.get(getattr(path[-1], "name", ""), 0)
