"""Speed of exact limits: one count, known and uncertain background, and belts.

    taskset -c 0 python benchmarks/exact_speed.py

CPU seconds (`time.process_time`) of one process, medians of five calls after one
compilation. Signal, background, errors and counts all vary over the grid and are
traced.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import bsmfit
from bsmfit.inference.asymptotics.counting import in_chunks
from bsmfit.inference.intervals.feldman_cousins import feldman_cousins_belt
from bsmfit.inference.limits.exact import ExactPlan, exact_limits
from bsmfit.inference.limits.points import Points
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.poisson import upper_limit
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import LogNormal

_N_MAX = 12


def _median_cpu(function: Callable[[], object]) -> float:
    jax.block_until_ready(function())
    times = []
    for _ in range(5):
        start = time.process_time()
        jax.block_until_ready(function())
        times.append(time.process_time() - start)
    return statistics.median(times)


def _known(n_point: int) -> float:
    rng = np.random.default_rng(1)
    n = jnp.asarray(rng.integers(0, _N_MAX + 1, n_point))
    background = jnp.asarray(rng.uniform(0.01, 5.0, n_point))

    def limit(count, expected):
        return upper_limit(count, expected, cl=0.90, n_max=_N_MAX).n_up

    run = jax.jit(lambda n, b: in_chunks(limit, n, b))
    return _median_cpu(lambda: run(n, background))


def _marginal(n_point: int) -> float:
    rng = np.random.default_rng(1)

    def column(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, n_point)

    signal = [
        Term(
            "s", column(0.5, 8.0)[:, None], [LogNormal("efficiency", column(1.02, 1.3))]
        )
    ]
    background = [
        Term("b", column(0.01, 2.0)[:, None], [LogNormal("fakes", column(1.05, 1.5))])
    ]
    observed = rng.integers(0, 4, n_point)[:, None]
    region = Region("r", observed, signal, background)
    points = Points.from_likelihood(Likelihood.from_regions([region]), "benchmark")
    plan = ExactPlan.from_points(points, ordering="likelihood-ratio")
    shape = plan.nodes.shared.shape[0], plan.nodes.private.shape[0]
    print(f"  marginal nodes (signal, background): {shape}")
    return _median_cpu(lambda: exact_limits(points, plan, cl=0.90))


def main() -> None:
    """Print the table."""
    bsmfit.enable_x64()
    print("| task | points | CPU s | points per CPU s |")
    print("| --- | --- | --- | --- |")
    for name, run, sizes in (
        ("exact limits, known background, n <= 12", _known, (10**3, 10**5, 10**6)),
        ("marginal limits, two nuisances, n <= 3", _marginal, (10**3, 10**5)),
    ):
        for n_point in sizes:
            seconds = run(n_point)
            print(f"| {name} | {n_point} | {seconds:.4f} | {n_point / seconds:.3g} |")
    belt = jax.jit(lambda b: feldman_cousins_belt(b, cl=0.90, n_max=40))
    seconds = _median_cpu(lambda: belt(jnp.array(0.5)))
    print(f"| Feldman-Cousins belt, n <= 40 | 1 | {seconds:.4f} | |")


if __name__ == "__main__":
    main()
