"""Rate of exact joint CLs of three low counts, and how it grows with the map.

    taskset -c 0 python benchmarks/joint_speed.py             # about 3 minutes idle
    taskset -c 0 python benchmarks/joint_speed.py --largest 6   # up to 1e6 points

Signal, background, responses and counts (0 or 1) all vary over the grid; one exposure
nuisance of 20 % is shared, at 12 nodes. CPU seconds are those of the process, the
median of three calls after the first; pin it to one core. Memory is the peak of the
process; the map is computed in chunks, so it grows by the arrays of results alone.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import bsmfit

N_CHANNEL = 3
N_NODE = 12


def grid(n_point: int) -> tuple[jax.Array, ...]:
    generator = np.random.default_rng(1)
    shape = (n_point, N_CHANNEL)
    return (
        jnp.asarray(10.0 ** generator.uniform(-1.0, 1.0, shape)),
        jnp.asarray(10.0 ** generator.uniform(-2.0, -0.3, shape)),
        jnp.asarray(generator.uniform(0.05, 0.3, n_point)),
        jnp.asarray(generator.integers(0, 2, shape)),
    )


def make_point(quantity: str) -> Callable[[tuple[jax.Array, ...]], tuple]:
    from bsmfit.inference.counts.joint_cls import joint_cls
    from bsmfit.inference.counts.joint_counts import JointCounts
    from bsmfit.inference.limits.joint_limit import joint_limit

    nodes, weights = np.polynomial.hermite_e.hermegauss(N_NODE)
    method = "convolution" if "convolution" in quantity else "enumeration"
    ordering = "qtilde" if "qtilde" in quantity else "likelihood-ratio"

    def point(data: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        signal, background, log_kappa, n_observed = data
        counts = JointCounts.from_log_kappa(
            signal,
            background,
            n_observed=n_observed,
            signal_log_kappa=jnp.full((N_CHANNEL, 1), log_kappa),
            background_log_kappa=jnp.zeros((N_CHANNEL, 1)),
            nodes=jnp.asarray(nodes)[:, None],
            node_weights=jnp.asarray(weights / weights.sum()),
        )
        if quantity == "limit":
            limit = joint_limit(counts, cl=0.9)
            return limit.strength, limit.is_converged
        cls = joint_cls(counts, jnp.array(1.0), ordering=ordering, method=method)
        return cls.log_cls, cls.is_converged

    return point


@partial(jax.jit, static_argnames=("quantity", "batch_size"))
def compute(data: tuple[jax.Array, ...], quantity: str, batch_size: int) -> tuple:
    return jax.lax.map(make_point(quantity), data, batch_size=batch_size)


def measure(quantity: str, n_point: int, batch_size: int) -> str:
    data = grid(n_point)
    start = time.process_time()
    result = jax.block_until_ready(compute(data, quantity, batch_size))
    first = time.process_time() - start
    times = []
    for _ in range(3):
        start = time.process_time()
        jax.block_until_ready(compute(data, quantity, batch_size))
        times.append(time.process_time() - start)
    cpu = sorted(times)[1]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    solved = float(jnp.mean(result[1].astype(float)))
    return (
        f"{quantity:16s} {n_point:9d} {batch_size:6d} {first:9.2f} {cpu:9.3f}"
        f" {n_point / cpu:12.3e} {memory:9.0f} {solved:9.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=5, help="log10 of the points")
    arguments = parser.parse_args()
    bsmfit.enable_x64()
    print(
        "quantity            points  chunk first/CPUs  warm/CPUs  points/CPUs"
        "  peak/MiB converged"
    )
    for exponent in range(3, arguments.largest + 1):
        print(measure("cls", 10**exponent, 256), flush=True)
    print(measure("limit", 2000, 256), flush=True)
    print(measure("cls qtilde", 1000, 32), flush=True)
    print(measure("cls convolution", 64, 8), flush=True)


if __name__ == "__main__":
    main()
