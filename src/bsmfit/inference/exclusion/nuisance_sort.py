"""Which nuisances of several regions are shared, and nodes for their average.

A nuisance that moves only the background of one region, or all signal terms of one
region alike, is *private*: it is averaged inside the region, at little cost. All others
are *shared* and averaged at common nodes: protons on target of two dump searches, the
norm of one production process among several, a factor common to signal and background.

Sorting and nodes are decided once per map, from the structure of the regions and those
responses that are the same at all points (`bsmfit.channels.search_region`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bsmfit.channels.search_region import (
    LogResponse,
    SearchRegion,
    SearchResponse,
)
from bsmfit.likelihood.nodes import NormalAxis, product_nodes

__all__ = [
    "N_UNKNOWN",
    "NuisanceSort",
    "all_responses",
    "hermite_rule",
    "private_background_nodes",
    "shared_nodes",
]

N_UNKNOWN = 12
"""Nodes of a response whose size depends on the point."""

_MOST_SHARED = 1024
_MOST_PRIVATE = 512
# information that a control region may have about an axis, in units of its constraint
_CONTROL_INFORMATION = 4.0


@dataclass(frozen=True)
class NuisanceSort:
    """Names of nuisances by where they act.

    Attributes:
        shared: Nuisances averaged at common nodes.
        private_signal: For each region, those that move its signal as a whole.
        private_background: For each region, those that move its background alone.
    """

    shared: tuple[str, ...]
    private_signal: tuple[tuple[str, ...], ...]
    private_background: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, regions: Sequence[SearchRegion]) -> NuisanceSort:
        """Sort the nuisances of some regions.

        Args:
            regions: The regions; only names and sizes of responses are read.

        Returns:
            The names.
        """
        users: dict[str, set[tuple[int, str]]] = {}
        for index, region in enumerate(regions):
            for role, response in all_responses(region):
                users.setdefault(response.name, set()).add((index, role))
        signal: list[list[str]] = [[] for _ in regions]
        background: list[list[str]] = [[] for _ in regions]
        shared = []
        for name, places in users.items():
            (index, role), *others = places
            if others:
                shared.append(name)
            elif role == "background":
                background[index].append(name)
            elif _is_common(regions[index], name):
                signal[index].append(name)
            else:
                shared.append(name)
        return cls(
            tuple(shared), tuple(map(tuple, signal)), tuple(map(tuple, background))
        )


def all_responses(region: SearchRegion) -> list[tuple[str, SearchResponse]]:
    """Every response of a region, with the role of the term that has it.

    Args:
        region: The region.

    Returns:
        Pairs (``"signal"`` or ``"background"``, response).
    """
    signal = [("signal", r) for term in region.signal for r in term.responses]
    return signal + [
        ("background", r) for term in region.background for r in term.responses
    ]


def shared_nodes(
    regions: Sequence[SearchRegion], names: Sequence[str]
) -> tuple[Float[np.ndarray, "n_node n_shared"], Float[np.ndarray, " n_node"]]:
    """Nodes and weights for the shared nuisances.

    Log-normal responses of known size act only through the span of their rows, so that
    principal axes need fewer nodes than the nuisances themselves.

    Args:
        regions: The regions.
        names: The shared nuisances.

    Returns:
        Nodes and weights of sum 1; one node where there is no nuisance.
    """
    if not names:
        return np.zeros((1, 0)), np.ones(1)
    terms = [term for r in regions for term in (*r.signal, *r.background)]
    rows = np.zeros((len(terms), len(names)))
    is_pure = np.ones(len(names), dtype=bool)
    sizes = np.zeros(len(names))
    for row, term in enumerate(terms):
        for response in term.responses:
            if response.name not in names:
                continue
            column = list(names).index(response.name)
            if isinstance(response, LogResponse) and response.size is not None:
                rows[row, column] = response.log_kappa
            else:
                is_pure[column] = False
            known = response.size
            sizes[column] = max(sizes[column], math.inf if known is None else known)
    has_control = any(not region.signal for region in regions)
    information = _CONTROL_INFORMATION if has_control else 0.0
    directions = np.eye(len(names))
    axes = [_axis(size, information) for size in sizes]
    if np.sum(is_pure) > 1:
        turned = _principal_axes(rows[:, is_pure])
        wide = np.zeros((turned.shape[0], len(names)))
        wide[:, is_pure] = turned
        rotated = np.concatenate([wide, directions[~is_pure]])
        reach = [float(np.abs(rows @ axis).max()) for axis in wide]
        candidates = [_axis(size, information) for size in (*reach, *sizes[~is_pure])]
        if _n_node(candidates) < _n_node(axes):
            axes, directions = candidates, rotated
    nodes, weights = product_nodes(axes, max_tensor=_MOST_SHARED)
    return nodes @ directions, weights


def private_background_nodes(
    region: SearchRegion, names: Sequence[str]
) -> tuple[Float[np.ndarray, "n_node n_private"], Float[np.ndarray, " n_node"]]:
    """Nodes and weights for the nuisances of the background of one region.

    Args:
        region: The region.
        names: Nuisances that move nothing else.

    Returns:
        Nodes and weights of sum 1.
    """
    sizes = dict.fromkeys(names, 0.0)
    for role, response in all_responses(region):
        if role == "background" and response.name in sizes:
            known = math.inf if response.size is None else response.size
            sizes[response.name] = max(sizes[response.name], known)
    if not sizes:
        return np.zeros((1, 0)), np.ones(1)
    axes = [_axis(size, 0.0) for size in sizes.values()]
    return product_nodes(axes, max_tensor=_MOST_PRIVATE)


def hermite_rule(n_node: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Hermite nodes and weights for a unit normal.

    Args:
        n_node: Number of nodes.

    Returns:
        Nodes and weights of sum 1.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_node)
    return nodes, weights / weights.sum()


class _UnknownAxis(NormalAxis):
    """An axis whose response depends on the point."""

    def rule(self) -> tuple[np.ndarray, np.ndarray]:
        return hermite_rule(N_UNKNOWN)


def _axis(size: float, information: float) -> NormalAxis:
    if math.isinf(size):
        return _UnknownAxis(0.5)
    return NormalAxis(size, information)


def _is_common(region: SearchRegion, name: str) -> bool:
    """Whether a nuisance moves all signal terms of a region alike."""
    found = [
        [response for response in term.responses if response.name == name]
        for term in region.signal
    ]
    logs = [r for one in found for r in one if isinstance(r, LogResponse)]
    if len(logs) != len(region.signal) or any(len(one) != 1 for one in found):
        return False
    if len(region.signal) == 1:
        return True
    sizes = {r.log_kappa for r in logs if isinstance(r.log_kappa, float)}
    return len(sizes) == 1 and all(r.size is not None for r in logs)


def _principal_axes(rows: np.ndarray) -> np.ndarray:
    _, sizes, axes = np.linalg.svd(np.unique(rows, axis=0), full_matrices=False)
    return axes[sizes > 1e-10]


def _n_node(axes: Sequence[NormalAxis]) -> float:
    return float(np.prod([float(axis.rule()[1].size) for axis in axes]))
