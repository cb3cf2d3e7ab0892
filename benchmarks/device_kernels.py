"""The kernels that device.py measures: functions of all points at once.

Each is the function of one point under `jax.vmap`, with the arguments for so many
points: a device is full or not by that number, and no chunk hides it. The suite of
tests lowers each for CUDA.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import bsmfit

__all__ = ["KERNELS", "PLANES", "Kernel", "planned"]

Arguments = tuple[Any, ...]
Kernel = tuple[Callable[..., Any], Callable[[int], Arguments]]
"""The function of all points, and what makes its arguments for so many."""


def uniform(low: float, high: float, n_point: int, seed: int = 1) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).uniform(low, high, n_point))


def log_uniform(axis: Any, n_point: int, seed: int) -> jax.Array:
    """Points between the ends of an axis."""
    low, high = np.log(axis.points()[[0, -1]])
    return jnp.exp(uniform(low, high, n_point, seed))


N_COUPLING = 100
"""Couplings at every mass: maps solve once per mass what does not depend on them."""


PLANES: dict[str, tuple[str, str | None, tuple[str, ...]]] = {
    "map, dark photon in the dump": ("dark-photon", None, ("na62-dump-mumu",)),
    "map, scalar in kaon decays": ("dark-scalar", None, ("na62-pi-invisible-run1",)),
    "joint map, two dump searches": (
        "dark-photon",
        None,
        ("na62-dump-mumu", "na62-dump-ee"),
    ),
    "joint map, two kinds of search": (
        "dark-photon",
        "bremsstrahlung-and-kaons",
        ("na62-dump-mumu", "na62-dump-ee", "na62-pi-invisible-run1"),
    ),
}
"""Model, preset and searches of the maps."""


def planned(name: str, mass: Any = None, coupling: Any = None) -> Any:
    """A map as `scan_plane` plans it, on the devices of this machine."""
    from bsmfit.scan.exclusion_map import plan_map

    model, preset, channels = PLANES[name]
    return plan_map(
        bsmfit.load_model(model, preset),
        [bsmfit.load_channel(channel) for channel in channels],
        mass=mass,
        coupling=coupling,
    )


def map_kernel(name: str) -> Kernel:
    """Observed and expected limits and CLs on a plane, as scans compute it."""
    whole = planned(name)
    point, masses, couplings = whole.point, whole.first, whole.coupling

    def plane(mass: jax.Array, coupling: jax.Array):
        return jax.vmap(lambda one: jax.vmap(lambda g: point(one, g))(coupling))(mass)

    return plane, lambda n: (
        log_uniform(masses, n // N_COUPLING, 1),
        log_uniform(couplings, N_COUPLING, 2),
    )


def joint_kernel() -> Kernel:
    """Exact CLs of three low counts that share an exposure, at twelve nodes."""
    from bsmfit.inference.counts.joint_cls import joint_cls
    from bsmfit.inference.counts.joint_counts import JointCounts

    nodes, weights = np.polynomial.hermite_e.hermegauss(12)

    def point(signal, background, log_kappa, n_observed):
        counts = JointCounts.from_log_kappa(
            signal,
            background,
            n_observed=n_observed,
            signal_log_kappa=jnp.full((3, 1), log_kappa),
            background_log_kappa=jnp.zeros((3, 1)),
            nodes=jnp.asarray(nodes)[:, None],
            node_weights=jnp.asarray(weights / weights.sum()),
        )
        return joint_cls(
            counts,
            jnp.array(1.0),
            ordering="likelihood-ratio",
            method="enumeration",
        ).log_cls

    def arguments(n_point: int) -> Arguments:
        signal, background = (
            10.0 ** uniform(low, high, 3 * n_point, seed).reshape(n_point, 3)
            for low, high, seed in ((-1.0, 1.0, 1), (-2.0, -0.3, 2))
        )
        counts = np.random.default_rng(3).integers(0, 2, (n_point, 3))
        return signal, background, uniform(0.05, 0.3, n_point, 4), jnp.asarray(counts)

    return jax.vmap(point), arguments


def counting_kernel(*, is_limit: bool) -> Kernel:
    """Asymptotic CLs, or the limit, of one count with two nuisances."""
    from bsmfit.inference.asymptotics.counting import (
        asymptotic_counting_cls,
        asymptotic_counting_limit,
    )
    from bsmfit.inference.fits.counting_fit import CountingPoint

    def point(count: CountingPoint):
        if is_limit:
            return asymptotic_counting_limit(count, cl=0.9)
        return asymptotic_counting_cls(count, jnp.ones(())).log_cls

    def arguments(n_point: int) -> Arguments:
        counts = np.random.default_rng(5).integers(0, 6, n_point).astype(float)
        return (
            CountingPoint.from_nominal(
                jnp.asarray(counts),
                uniform(0.5, 8.0, n_point, 6),
                signal_log_kappa=uniform(0.02, 0.34, n_point, 7),
                background=uniform(0.05, 4.0, n_point, 8)[:, None],
                background_log_kappa=uniform(0.02, 0.47, n_point, 9)[:, None],
            ),
        )

    return jax.vmap(point), arguments


def exact_kernel() -> Kernel:
    """Exact limits of one count with known background."""
    from bsmfit.likelihood.poisson import upper_limit

    def point(count, background):
        return upper_limit(count, background, cl=0.9, n_max=12).n_up

    def arguments(n_point: int) -> Arguments:
        counts = np.random.default_rng(1).integers(0, 13, n_point)
        return jnp.asarray(counts), uniform(0.01, 5.0, n_point)

    return jax.vmap(point), arguments


def shape_kernel() -> Kernel:
    """Asymptotic CLs of twelve bins, two backgrounds and three nuisances."""
    from bsmfit.inference.fits.profile import profile_cls
    from bsmfit.likelihood.response import LogNormal

    bins = np.arange(12.0)
    falling, flat = 200.0 * np.exp(-bins / 4.0), np.full(12, 20.0)
    peak = 15.0 * np.exp(-0.5 * (bins - 5.0) ** 2)
    n_observed = np.round(falling + flat).astype(int)

    def point(scale):
        exposure = LogNormal("exposure", 1.02)
        region = bsmfit.Region(
            "shape",
            n_observed,
            [bsmfit.Term("s", scale * peak, [exposure, LogNormal("efficiency", 1.1)])],
            [
                bsmfit.Term("falling", falling, [exposure, LogNormal("fakes", 1.2)]),
                bsmfit.Term("flat", flat, [exposure]),
            ],
        )
        likelihood = bsmfit.Likelihood.from_regions([region])
        return profile_cls(likelihood.arrays(), jnp.array(1.0)).log_cls

    return jax.vmap(point), lambda n: (uniform(0.2, 3.0, n),)


def toy_kernel() -> Kernel:
    """Profiled toys of one count with two nuisances: points are toys."""
    from bsmfit.inference.toys.counting import CountingToys, toy_counting_cls

    _, counts = counting_kernel(is_limit=False)
    one = jax.tree.map(lambda leaf: leaf[0], counts(1)[0])

    def cls(toys: CountingToys):
        return toy_counting_cls(
            one, jnp.ones(()), toys=toys, ensemble="unconditional"
        ).value

    return cls, lambda n: (CountingToys.from_key(jax.random.key(1), n, n_nuisance=2),)


KERNELS: dict[str, Callable[[], Kernel]] = {
    "counting CLs": lambda: counting_kernel(is_limit=False),
    "counting limits": lambda: counting_kernel(is_limit=True),
    "exact limits, one count": exact_kernel,
    "joint CLs, three counts": joint_kernel,
    "likelihood fits, shape of twelve bins": shape_kernel,
    "toys, one count": toy_kernel,
    **{name: functools.partial(map_kernel, name) for name in PLANES},
}
"""Made when they are asked for, since maps read tables."""
