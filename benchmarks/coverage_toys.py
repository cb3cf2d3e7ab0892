r"""Coverage of limits by toys, in the unconditional and the conditional ensemble.

    python benchmarks/coverage_toys.py       # coverage/coverage_toys.csv

Limits come from toys, for each count and a few measured backgrounds; the coverage of
these limits is then an exact sum, as in coverage.py. So the only statistical error is
that of the limits, and it is common to all signals.
"""

from __future__ import annotations

import math
import time
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from coverage import AUXILIARY, CL, TRUTHS, Ends, coverage_of, write_table

import bsmfit
from bsmfit.inference.fits.counting_fit import CountingPoint
from bsmfit.inference.toys.counting import CountingToys, toy_counting_limit

UNCERTAINTY = 0.1
N_TOY = 10_000
SEED = 20
ENSEMBLES = ("unconditional", "conditional")
LARGEST_SIGNAL = {0.016: 8.0, 3.0: 10.0}
# at it the limit is so high that all tested signals are inside
LARGEST_COUNT = {0.016: 15, 3.0: 20}
NODES = {0.016: np.array([-5.0, 0.0, 5.0]), 3.0: np.linspace(-5.0, 5.0, 7)}
N_SIGNAL = 60
LOG_KAPPA = math.log1p(UNCERTAINTY)


def toy_limits(background: float, ensemble: str) -> np.ndarray:
    """Limits by measured background (NODES) and count."""
    toys = CountingToys.from_key(jax.random.key(SEED), N_TOY, n_nuisance=2)

    def limit(n: jax.Array, measured: jax.Array) -> tuple[jax.Array, jax.Array]:
        point = CountingPoint.from_nominal(
            n,
            jnp.array(1.0),
            signal_log_kappa=jnp.array(LOG_KAPPA),
            background=measured[None],
            background_log_kappa=jnp.array([LOG_KAPPA]),
        )
        return toy_counting_limit(point, cl=CL, toys=toys, ensemble=ensemble)

    counts = np.arange(LARGEST_COUNT[background] + 1.0)
    measured = background * np.exp(LOG_KAPPA * NODES[background])
    grid = [array.ravel() for array in np.meshgrid(counts, measured)]
    run = jax.jit(lambda n, b: jax.lax.map(lambda x: limit(*x), (n, b)))
    limits, is_converged = run(*map(jnp.asarray, grid))
    print(f"{ensemble}, b = {background}: {int((~is_converged).sum())} not converged")
    return np.asarray(limits).reshape(measured.size, counts.size)


def ends_at(limits: np.ndarray, nodes: np.ndarray, auxiliary: np.ndarray) -> Ends:
    """Interpolate ln(limit) between the nodes."""
    log_limits = np.log(limits)
    high = np.exp(
        [[np.interp(a, nodes, column) for column in log_limits.T] for a in auxiliary]
    )
    return Ends(np.zeros_like(high), high)


def main() -> None:
    bsmfit.enable_x64()
    start = time.process_time()
    rows = []
    for background, largest in LARGEST_SIGNAL.items():
        signals = np.linspace(largest / N_SIGNAL, largest, N_SIGNAL)
        limits = {name: toy_limits(background, name) for name in ENSEMBLES}
        for truth in TRUTHS:
            auxiliary = AUXILIARY if truth == "auxiliary" else np.zeros(1)
            values = [
                coverage_of(
                    ends_at(limits[name], NODES[background], auxiliary),
                    signals,
                    background=background,
                    uncertainty=UNCERTAINTY,
                    truth=truth,
                )
                for name in ENSEMBLES
            ]
            rows += [
                (background, UNCERTAINTY, truth, *row)
                for row in zip(signals, *values, strict=True)
            ]
        for n, name in product(range(4), ENSEMBLES):
            middle = limits[name][NODES[background].size // 2]
            print(f"b = {background}, n = {n}, {name}: {middle[n]:.3f}")
    write_table(
        "coverage_toys.csv",
        ("background", "uncertainty", "truth", "signal", *ENSEMBLES),
        rows,
        f"Coverage of 90 % upper limits from {N_TOY} toys of each hypothesis, seed"
        f" {SEED}.",
    )
    print(f"{time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
