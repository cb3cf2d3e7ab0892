r"""How many asymptotic CLs of a shape a CPU core computes in a second.

    taskset -c 0 python benchmarks/shape_speed.py        # 2 minutes

The model is that of tests/inference/fits/test_profile.py: 20 bins, three backgrounds,
six normalisation and four shape nuisances. Each point is another signal, with its full
chain: fits at strength 0, at the best strength, and at 1 of data and Asimov set. Times
are CPU seconds of the process, the median of repeated calls; pyhf (numpy, scipy) does
the same on the same core, model already built. Nothing else should run on the core.
"""

from __future__ import annotations

import importlib.util
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

import bsmfit

MODEL = Path(__file__).parents[1] / "tests" / "inference" / "fits" / "test_profile.py"
CL = 0.9


def load_model() -> Any:
    spec = importlib.util.spec_from_file_location("shape_model", MODEL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cpu_seconds(function: Callable[[], object], n: int) -> float:
    times = []
    for _ in range(n):
        start = time.process_time()
        jax.block_until_ready(function())
        times.append(time.process_time() - start)
    return statistics.median(times)


def show(what: str, per_second: float, note: str = "") -> None:
    print(f"| {what:<34} | {per_second:>12.4g} | {note} |")


def ours(model: Any) -> tuple[float, float]:
    from bsmfit.inference.fits.profile import profile_cls, profile_limit

    def cls(scale):
        return profile_cls(model.shape_likelihood(scale).arrays(), jnp.array(1.0))

    def limit(scale):
        return profile_limit(model.shape_likelihood(scale).arrays(), cl=CL)[0]

    start = time.perf_counter()
    first = jax.jit(cls)(jnp.array(1.0))
    value = float(jnp.exp(first.log_cls))
    wall = time.perf_counter() - start
    show("bsmfit, first CLs with compilation", 1.0 / wall, f"{wall:.1f} s, {value:.8f}")
    best = 0.0
    for n_batch in (16, 32, 128, 256):
        run = jax.jit(lambda x, n=n_batch: lax.map(cls, x, batch_size=n))
        scales = jnp.linspace(0.2, 3.0, 2048)
        result = jax.block_until_ready(run(scales))
        rate = scales.size / cpu_seconds(lambda run=run, x=scales: run(x), 5)
        best = max(best, rate)
        good = f"{float(jnp.mean(result.is_converged)):.2%} converged"
        show(f"bsmfit, CLs, blocks of {n_batch}", rate, good)
    run = jax.jit(lambda x: lax.map(limit, x, batch_size=32))
    scales = jnp.linspace(0.2, 3.0, 512)
    value = float(jax.block_until_ready(run(scales))[0] * scales[0])
    rate = scales.size / cpu_seconds(lambda: run(scales), 5)
    show("bsmfit, 90 % limit, blocks of 32", rate, f"{value:.6f}")
    return best, rate


def pyhf_speed(model: Any) -> tuple[float, float]:
    import pyhf
    from scipy.optimize import brentq

    from bsmfit.export.pyhf_workspace import to_pyhf_workspace

    workspace = pyhf.Workspace(to_pyhf_workspace(model.shape_likelihood(1.0)).workspace)
    made = workspace.model()
    data = workspace.data(made)

    def cls(strength: float) -> float:
        return float(pyhf.infer.hypotest(strength, data, made, test_stat="qtilde"))

    value = cls(1.0)
    rate = 1.0 / cpu_seconds(lambda: cls(1.0), 7)
    show("pyhf numpy, CLs", rate, f"{value:.8f}")
    limit = brentq(lambda mu: cls(mu) - (1.0 - CL), 0.1, 10.0, xtol=1e-5)
    ends = (0.1, 10.0)
    limits = 1.0 / cpu_seconds(
        lambda: brentq(lambda mu: cls(mu) - (1.0 - CL), *ends, xtol=1e-5), 3
    )
    show("pyhf numpy, 90 % limit (brentq)", limits, f"{limit:.6f}")
    return rate, limits


def main() -> None:
    bsmfit.enable_x64()
    print(f"{platform.processor() or platform.machine()}, JAX {jax.__version__}\n")
    print("| what | points per CPU second | |\n|---|---|---|")
    model = load_model()
    rate, limits = ours(model)
    peer, peer_limits = pyhf_speed(model)
    print(f"\nratio: CLs {rate / peer:.0f}, limit {limits / peer_limits:.0f}")


if __name__ == "__main__":
    main()
