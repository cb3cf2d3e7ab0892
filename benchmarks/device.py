"""Rate of every kernel against the number of points in flight, on any device.

    python benchmarks/device.py                      # from the source tree, 5 minutes
    python benchmarks/device.py --out figures.json   # and as JSON
    python benchmarks/device.py --seconds 60 --largest 4 --kernel "map" --kernel toys

Each kernel is the function of one point, vmapped over all points at once: a device is
full or not by that number, and no chunk hides it. Compilation is timed apart; seconds
are wall-clock seconds of `jax.block_until_ready`, the median of up to five calls, in
float64. Sizes grow by tens until the time is spent or the memory is not enough.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import jax
import jax.numpy as jnp
import numpy as np

import bsmfit

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


def map_kernel(model: str, *channels: str, preset: str | None = None) -> Kernel:
    """Observed and expected limits and CLs on a plane, as scans compute it."""
    from bsmfit.scan.exclusion_map import default_axes
    from bsmfit.scan.exclusion_point import ExclusionPoint

    theory = bsmfit.load_model(model, preset) if preset else bsmfit.load_model(model)
    searches = [bsmfit.load_channel(channel) for channel in channels]
    point = ExclusionPoint.from_model(theory, searches, cl=0.9)
    masses, couplings = default_axes(theory, searches)

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
    "map, dark photon in the dump": lambda: map_kernel("dark-photon", "na62-dump-mumu"),
    "map, scalar in kaon decays": lambda: map_kernel(
        "dark-scalar", "na62-pi-invisible-run1"
    ),
    "joint map, two dump searches": lambda: map_kernel(
        "dark-photon", "na62-dump-mumu", "na62-dump-ee"
    ),
    "joint map, two kinds of search": lambda: map_kernel(
        *("dark-photon", "na62-dump-mumu", "na62-dump-ee", "na62-pi-invisible-run1"),
        preset="bremsstrahlung-and-kaons",
    ),
    "joint CLs, three counts": joint_kernel,
    "counting CLs": lambda: counting_kernel(is_limit=False),
    "counting limits": lambda: counting_kernel(is_limit=True),
    "exact limits, one count": exact_kernel,
    "shape fits, twelve bins": shape_kernel,
    "toys, one count": toy_kernel,
}


def measure(kernel: Kernel, n_point: int) -> dict[str, float | int | str]:
    """Compile and time a kernel at one size."""
    function, make = kernel
    arguments = jax.block_until_ready(make(n_point))
    start = time.perf_counter()
    program = jax.jit(function).lower(*arguments).compile()
    compilation = time.perf_counter() - start
    result = program(*arguments)
    jax.block_until_ready(result)
    seconds: list[float] = []
    while len(seconds) < 5 and sum(seconds) < 3.0:
        start = time.perf_counter()
        jax.block_until_ready(program(*arguments))
        seconds.append(time.perf_counter() - start)
    warm = statistics.median(seconds)
    floats = [x for x in jax.tree.leaves(result) if x.dtype == jnp.float64]
    return {
        "n_point": n_point,
        "compilation_s": round(compilation, 3),
        "warm_s": warm,
        "points_per_s": n_point / warm,
        "n_call": len(seconds),
        "share_finite": float(jnp.mean(jnp.isfinite(floats[0]))),
    }


def machine() -> dict[str, Any]:
    """What the figures belong to."""
    device = jax.devices()[0]
    names = ("jax", "jaxlib", "equinox", "numpy")
    return {
        "bsmfit": bsmfit.__version__,
        "device": device.device_kind,
        "platform": device.platform,
        "n_device": len(jax.devices()),
        "cpu": platform.processor() or platform.machine(),
        "n_core": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in names},
        "is_float64": bool(jax.config.read("jax_enable_x64")),
    }


def measure_all(names: list[str], largest: int, seconds: float) -> dict[str, list]:
    """All kernels at 10^3 points, then 10^4, ..., while the time lasts."""
    end = time.perf_counter() + seconds
    kernels = {name: KERNELS[name]() for name in names}
    found: dict[str, list] = {name: [] for name in names}
    for exponent in range(3, largest + 1):
        for name in list(kernels):
            # ten times the points take up to ten times the time, twice at least
            expected = 0.0
            if found[name]:
                last = found[name][-1]
                expected = 20 * last["warm_s"] + last["compilation_s"]
            if time.perf_counter() + expected > end:
                print(f"{name:32s} {10**exponent:9d}  no time left", flush=True)
                del kernels[name]
                continue
            try:
                row = measure(kernels[name], 10**exponent)
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                print(f"{name:32s} {10**exponent:9d}  out of memory", flush=True)
                found[name].append({"n_point": 10**exponent, "error": "out of memory"})
                del kernels[name]
                continue
            found[name].append(row)
            print(
                f"{name:32s} {row['n_point']:9d} {row['compilation_s']:9.2f}"
                f" {row['warm_s']:10.4f} {row['points_per_s']:12.4g}"
                f" {row['share_finite']:7.2%}",
                flush=True,
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--seconds", type=float, default=280.0, help="time to spend")
    parser.add_argument("--largest", type=int, default=6, help="log10 of the points")
    parser.add_argument(
        "--kernel", action="append", help="only kernels whose name has this in it"
    )
    arguments = parser.parse_args()
    wanted = arguments.kernel or [""]
    names = [name for name in KERNELS if any(part in name for part in wanted)]
    if not names:
        parser.error(f"no such kernel; there are: {'; '.join(KERNELS)}")
    bsmfit.enable_x64()
    about = machine()
    print(json.dumps(about, indent=2))
    print(f"{'kernel':32s} {'points':>9s} {'compile/s':>9s} {'warm/s':>10s}", end=" ")
    print(f"{'points/s':>12s} {'finite':>7s}", flush=True)
    found = measure_all(names, arguments.largest, arguments.seconds)
    if arguments.out:
        text = json.dumps({"machine": about, "kernels": found}, indent=2)
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
