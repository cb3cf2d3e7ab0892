"""Speed of statistics for one count, side by side with pyhf and everwillow.

    taskset -c 0 python benchmarks/counting_speed.py
    taskset -c 0 python benchmarks/counting_speed.py --largest 100000

CPU seconds of the process on one core, after compilation; medians of five calls. The
count, signal, background and both responses differ at every point of the grid and are
traced: one program serves all of it. pyhf (numpy, scipy) and everwillow are measured
where they can be imported; everwillow uses its own (nominal) Asimov set.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

import bsmfit
from bsmfit.inference.asymptotics.counting import (
    asymptotic_counting_cls,
    asymptotic_counting_limit,
    in_chunks,
)
from bsmfit.inference.fits.counting_fit import CountingPoint
from bsmfit.inference.toys.counting import CountingToys, toy_counting_cls


def grid(n_point: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {
        "n": rng.integers(0, 6, n_point).astype(float),
        "b": rng.uniform(0.05, 4.0, n_point),
        "s": rng.uniform(0.5, 8.0, n_point),
        "kappa_s": rng.uniform(1.02, 1.4, n_point),
        "kappa_b": rng.uniform(1.02, 1.6, n_point),
    }


def as_points(table: dict[str, np.ndarray]) -> CountingPoint:
    return CountingPoint.from_nominal(
        jnp.array(table["n"]),
        jnp.array(table["s"]),
        signal_log_kappa=jnp.log(jnp.array(table["kappa_s"])),
        background=jnp.array(table["b"])[:, None],
        background_log_kappa=jnp.log(jnp.array(table["kappa_b"]))[:, None],
    )


def cpu_seconds(call: Callable[[], object], *, repeats: int = 5) -> tuple[float, float]:
    """Seconds of the first call and the median of the others."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.process_time()
        jax.block_until_ready(call())
        seconds.append(time.process_time() - start)
    return seconds[0], statistics.median(seconds[1:])


def row(what: str, n_point: int, first: float, seconds: float) -> float:
    rate = n_point / seconds
    print(f"| {what} | {n_point} | {rate:.3g} | {first:.1f} |", flush=True)
    return rate


def our_cls(point: CountingPoint) -> jax.Array:
    return asymptotic_counting_cls(point, jnp.ones(())).log_cls


def our_limit(point: CountingPoint) -> tuple[jax.Array, jax.Array]:
    return asymptotic_counting_limit(point, cl=0.90)


def measure_ours(largest: int) -> dict[str, float]:
    rates = {}
    for name, function in (("CLs", our_cls), ("90 % limit", our_limit)):
        compiled = jax.jit(lambda points, f=function: in_chunks(f, points))
        n_point = 1000
        while n_point <= largest:
            points = as_points(grid(n_point))
            timed = cpu_seconds(lambda f=compiled, p=points: f(p))
            rates[name] = row(f"bsmfit asymptotic {name}", n_point, *timed)
            n_point *= 10
    n_toy = 100_000
    toys = CountingToys.from_key(jax.random.key(1), n_toy, n_nuisance=2)
    one = jax.tree.map(lambda leaf: leaf[0], as_points(grid(1)))
    compiled_toys = jax.jit(
        lambda p, t: (
            toy_counting_cls(p, jnp.ones(()), toys=t, ensemble="unconditional").value
        )
    )
    timed = cpu_seconds(lambda: compiled_toys(one, toys))
    rates["toys"] = row("bsmfit profiled toys", 2 * n_toy, *timed)
    return rates


def pyhf_model(index: int, table: dict[str, np.ndarray]):
    import pyhf

    def sample(name: str, events: float, kappa: float, extra: list) -> dict:
        data = {"hi": kappa, "lo": 1.0 / kappa}
        response = {"name": f"{name}_error", "type": "normsys", "data": data}
        return {"name": name, "data": [events], "modifiers": [response, *extra]}

    strength = {"name": "mu", "type": "normfactor", "data": None}
    row_of = {key: float(column[index]) for key, column in table.items()}
    samples = [
        sample("signal", row_of["s"], row_of["kappa_s"], [strength]),
        sample("background", row_of["b"], row_of["kappa_b"], []),
    ]
    spec = {"channels": [{"name": "count", "samples": samples}]}
    model = pyhf.Model(spec, poi_name="mu")
    return model, [row_of["n"], *model.config.auxdata]


def measure_pyhf() -> dict[str, float]:
    import pyhf
    from scipy.optimize import brentq

    pyhf.set_backend("numpy", "scipy")
    n_point, n_limit = 60, 6
    table = grid(n_point)

    def cls(strength: float, model, data) -> float:
        return float(pyhf.infer.hypotest(strength, data, model, test_stat="qtilde"))

    def all_cls() -> list[float]:
        return [cls(1.0, *pyhf_model(i, table)) for i in range(n_point)]

    def limits() -> list[float]:
        found = []
        for i in range(n_limit):
            pair = pyhf_model(i, table)
            excess = lambda mu, pair=pair: cls(mu, *pair) - 0.1  # noqa: E731
            found.append(brentq(excess, 0.05, 10.0, xtol=1e-5))
        return found

    timed = cpu_seconds(all_cls, repeats=2)
    rates = {"CLs": row("pyhf build and CLs", n_point, *timed)}
    ours = np.exp(jax.jit(lambda p: in_chunks(our_cls, p))(as_points(table)))
    difference = np.max(np.abs(ours - np.array(all_cls())))
    try:
        timed = cpu_seconds(limits, repeats=1)
        rates["90 % limit"] = row("pyhf 90 % limit (brentq)", n_limit, *timed)
    except ValueError as error:
        print(f"| pyhf 90 % limit | failed: {error} | | |")
    print(f"\nlargest difference of CLs from pyhf: {difference:.1e}\n")
    return rates


def measure_everwillow() -> dict[str, float]:
    import everwillow.statelib as sl
    from everwillow.hypotest.calculators import AsymptoticCalculator
    from everwillow.hypotest.distributions import QTildeAsymptotic
    from everwillow.hypotest.test_statistics import QTilde

    def cls(n, s, b, log_kappa_s, log_kappa_b) -> jax.Array:
        def expected(values) -> jax.Array:
            signal = values["mu"] * s * jnp.exp(values["x"] * log_kappa_s)
            return signal + b * jnp.exp(values["y"] * log_kappa_b)

        def nll(values, observation) -> jax.Array:
            rate = jnp.maximum(expected(values), 1e-10)
            penalty = 0.5 * (values["x"] ** 2 + values["y"] ** 2)
            return rate - observation["n"] * jnp.log(rate) + penalty

        calculator = AsymptoticCalculator(
            nll_fn=nll,
            params=sl.State.from_pytree({"mu": 1.0, "x": 0.0, "y": 0.0}),
            observation={"n": n},
            poi_key="mu",
            predict_fn=lambda state: {"n": expected(state.to_pytree())},
            test_statistic=QTilde(),
            distribution=QTildeAsymptotic(),
        )
        return calculator.cls(calculator.test(1.0))

    rates = {}
    compiled = jax.jit(jax.vmap(cls))
    for n_point in (1000, 10_000):
        p = as_points(grid(n_point))
        arguments = (
            *(p.n_observed, p.signal, p.background[:, 0]),
            *(p.signal_log_kappa, p.background_log_kappa[:, 0]),
        )
        timed = cpu_seconds(lambda a=arguments: compiled(*a), repeats=3)
        rates["CLs"] = row("everwillow asymptotic CLs", n_point, *timed)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=1_000_000)
    largest = parser.parse_args().largest
    bsmfit.enable_x64()
    cores = len(os.sched_getaffinity(0))
    print(
        f"{platform.processor() or platform.machine()}, {cores} core(s) used, ", end=""
    )
    print(f"jax {jax.__version__}, Python {platform.python_version()}\n")
    print("| what | points | points per CPU s | first call, CPU s |")
    print("| --- | --- | --- | --- |")
    ours = measure_ours(largest)
    for name, measure in (("pyhf", measure_pyhf), ("everwillow", measure_everwillow)):
        if importlib.util.find_spec(name) is None:
            print(f"| {name} | not installed | | |")
            continue
        theirs = measure()
        version = importlib.metadata.version(name)
        for what in theirs:
            ratio = ours[what] / theirs[what]
            print(f"\n{what}: {ratio:.3g} times {name} {version}", flush=True)


if __name__ == "__main__":
    main()
