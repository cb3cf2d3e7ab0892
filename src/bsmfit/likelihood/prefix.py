"""New names for the regions and nuisances of a likelihood, by a prefix.

Likelihoods of different sources often use the same names for different things. A
prefix tells them apart; what they do share keeps its name.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bsmfit.core.argument import shown
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import BinFactors

if TYPE_CHECKING:
    from bsmfit.likelihood.likelihood import Likelihood

__all__ = ["check_names", "nuisance_names", "with_prefix"]


def with_prefix(
    likelihood: Likelihood, prefix: str, *, shared: Sequence[str] = ()
) -> Likelihood:
    """Put a prefix and an underscore before the names of regions and nuisances.

    Args:
        likelihood: The likelihood.
        prefix: Letters, digits, ``-``, ``.`` and ``_``; nothing is renamed where it is
            empty.
        shared: Nuisances that keep their names.

    Returns:
        The likelihood with other names, the same in every number.

    Raises:
        InputError: The prefix is no such text, nuisances are shared without a prefix,
            or a shared one is a set of factors for the bins of one region.
        UnknownNameError: A shared nuisance does not exist.

    Examples:
        >>> from bsmfit.likelihood.likelihood import Likelihood
        >>> from bsmfit.likelihood.response import LogNormal
        >>> terms = [Term("b", 1.0, [LogNormal("lumi", 1.02), LogNormal("jes", 1.1)])]
        >>> plain = Likelihood.from_regions([Region("sr", 1, [Term("s", 2.0)], terms)])
        >>> named = with_prefix(plain, "cms", shared=("lumi",))
        >>> named.regions[0].name, named.arrays().parameter_names
        ('cms_sr', ('lumi', 'cms_jes'))
    """
    if not hasattr(likelihood, "regions"):
        msg = (
            f"likelihood is a {type(likelihood).__name__}, not a Likelihood; make it "
            "with Likelihood.from_regions"
        )
        raise InputError(msg)
    if not isinstance(prefix, str) or not re.fullmatch(r"[\w.-]*", prefix):
        msg = f"prefix = {shown(prefix)}; give letters, digits, '-', '.' and '_'"
        raise InputError(msg)
    check_names("shared", shared)
    if not prefix:
        if shared:
            msg = (
                f"shared = {tuple(shared)!r} has no effect without a prefix: nuisances "
                "of one name are shared anyway; give a prefix as well"
            )
            raise InputError(msg)
        return likelihood
    _check_shared(likelihood, shared)
    keep = set(shared)

    def rename(name: str) -> str:
        return name if name in keep else f"{prefix}_{name}"

    return dataclasses.replace(
        likelihood,
        regions=tuple(_renamed(region, prefix, keep) for region in likelihood.regions),
        correlated=tuple((rename(a), rename(b)) for a, b in likelihood.correlated),
        fixed=tuple((rename(name), value) for name, value in likelihood.fixed),
    )


def nuisance_names(likelihood: Likelihood) -> list[str]:
    """Names of the nuisances, in the order in which they occur.

    Args:
        likelihood: The likelihood.

    Returns:
        The names; one for all factors of a `BinFactors`.
    """
    names: dict[str, None] = {}
    for region in likelihood.regions:
        for term in (*region.signal, *region.background):
            names.update((response.name, None) for response in term.responses)
    names.update((name, None) for name, _ in likelihood.fixed)
    return list(names)


def check_names(argument: str, names: Sequence[str]) -> None:
    """Refuse what is no sequence of names.

    Args:
        argument: What the names are given as, for the message.
        names: The names.

    Raises:
        InputError: They are one text, or not all text.
    """
    is_one = isinstance(names, str) or not isinstance(names, Sequence)
    if is_one or not all(isinstance(name, str) for name in names):
        msg = f"{argument} = {names!r}; give names in a list, such as ['lumi']"
        raise InputError(msg)


def _check_shared(likelihood: Likelihood, shared: Sequence[str]) -> None:
    """Refuse to share what does not exist or belongs to one region."""
    known = nuisance_names(likelihood)
    for name in shared:
        if name not in known:
            kind = "nuisance in shared"
            raise UnknownNameError.from_choices(kind, name, known)
    for region in likelihood.regions:
        for term in (*region.signal, *region.background):
            for response in term.responses:
                if response.name in shared and isinstance(response, BinFactors):
                    msg = (
                        f"{response.name!r} are factors for the bins of region "
                        f"{region.name!r} and cannot be shared with another; leave "
                        "them out of shared"
                    )
                    raise InputError(msg)


def _renamed(region: Region, prefix: str, keep: set[str]) -> Region:
    """A region with a prefix before its name and those of its nuisances."""

    def rename(name: str) -> str:
        if name in keep:
            return name
        base, at, owner = name.rpartition("@")  # a staterror of several channels
        if at and owner == region.name:
            return f"{prefix}_{base}@{prefix}_{owner}"
        return f"{prefix}_{name}"

    def renamed(term: Term) -> Term:
        responses = tuple(
            dataclasses.replace(response, name=rename(response.name))
            for response in term.responses
        )
        return dataclasses.replace(term, responses=responses)

    return dataclasses.replace(
        region,
        name=f"{prefix}_{region.name}",
        signal=tuple(renamed(term) for term in region.signal),
        background=tuple(renamed(term) for term in region.background),
    )
