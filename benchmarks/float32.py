"""What a map loses and gains in 32-bit floats, which bsmfit itself refuses.

    python benchmarks/float32.py [--out figures.json]

The same program is traced twice, in float64 and in float32, on 200 x 200 points. Errors
are those of float32 against float64: relative ones of signal, limits and CLs above
1e-6, and the shift of the contour in log10 of the coupling. Points that a scan would
drop, since their solver did not converge, are counted, and compared all the same.
Seconds are CPU seconds of a warm map on a CPU, and wall-clock seconds otherwise.

The check for float64 is switched off in this process, and only here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import jax
import jax.numpy as jnp
import numpy as np
from device_kernels import PLANES, planned

import bsmfit
from bsmfit import _x64

N_POINT = 200
CHUNK_ROWS = 40
LEAST = 1e-6


def in_float32() -> Any:
    """A context without 64-bit floats, by the name that this JAX has for it."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(False)
    return jax.experimental.disable_x64()


def clock() -> float:
    """CPU seconds, where the work is the CPU's."""
    is_cpu = jax.default_backend() == "cpu"
    return time.process_time() if is_cpu else time.perf_counter()


def narrow(leaf: Any) -> Any:
    """An array of floats in 32 bits, anything else as it is."""
    is_float = isinstance(leaf, jax.Array) and leaf.dtype == jnp.float64
    return np.asarray(leaf, np.float32) if is_float else leaf


def run(whole: Any, point: Any, dtype: Any) -> tuple[dict[str, np.ndarray], float]:
    """The arrays of a map, failed points as they are, and seconds of a second time."""
    from bsmfit.scan.devices import row_mesh
    from bsmfit.scan.runner import _evaluate_rows, _place

    mesh = row_mesh(whole.devices[:1])
    mass = whole.first.points().astype(dtype)
    placed, coupling = _place((point, whole.coupling.points().astype(dtype)), mesh)

    def plane() -> dict[str, np.ndarray]:
        parts = [
            jax.device_get(_evaluate_rows(placed, jnp.asarray(some), coupling, mesh))
            for some in np.split(mass, N_POINT // CHUNK_ROWS)
        ]
        names = [k for k, v in vars(parts[0]).items() if v is not None]
        return {k: np.concatenate([getattr(p, k) for p in parts]) for k in names}

    plane()
    start = clock()
    found = plane()
    return found, clock() - start


def largest(wide: np.ndarray, small: np.ndarray, *, least: float = 0.0) -> float | None:
    """Largest relative error; None where no number is left to compare."""
    is_there = np.isfinite(wide) & np.isfinite(small) & (wide > LEAST)
    if not is_there.any():
        return None
    return float(np.abs(small[is_there] / wide[is_there] - 1.0).max())


def is_solved(plane: dict[str, np.ndarray]) -> np.ndarray:
    """Points that a scan would keep: solved, and every number one."""
    floats = [k for k in plane if k not in ("status", "n_obs")]
    kept = plane["status"] == 0
    for name in floats:
        is_nan = np.isnan(plane[name]).reshape(*kept.shape, -1)
        kept &= ~is_nan.any(axis=-1)
    return kept


def contour_error(
    whole: Any, wide: dict[str, np.ndarray], small: dict[str, np.ndarray]
) -> float | None:
    """Largest shift of the observed contour in log10 coupling, failures ignored."""
    from bsmfit.scan.exclusion_map import label_map

    widened = {k: v.astype(wide[k].dtype) for k, v in small.items()}
    widened |= {"status": wide["status"], "n_obs": wide["n_obs"]}
    one, two = (
        bsmfit.coupling_edges(label_map(whole, plane)) for plane in (wide, widened)
    )
    shifts = []
    for mine, other in ((one.lower, two.lower), (one.upper, two.upper)):
        both = np.isfinite(mine) & np.isfinite(other)
        shifts.append(np.abs(np.log10(other[both] / mine[both])))
    found = np.concatenate(shifts)
    return float(found.max()) if found.size else None


def forward_seconds(whole: Any) -> float:
    """Seconds of a warm map of signals alone, in float64."""
    mass, coupling = (
        jnp.asarray(axis.points()) for axis in (whole.first, whole.coupling)
    )
    signals = jax.jit(
        lambda m, g: jax.vmap(
            lambda one: jax.vmap(lambda x: whole.point.log_signal(one, x))(g)
        )(m)
    )
    jax.block_until_ready(signals(mass, coupling))
    start = clock()
    jax.block_until_ready(signals(mass, coupling))
    return clock() - start


def compare(name: str) -> dict[str, Any]:
    """Errors and seconds of one map."""
    axes = planned(name)
    whole = planned(
        name,
        # a little inside: in 32 bits an end may lie outside a table
        (1.001 * axes.first.low, axes.first.high / 1.001, N_POINT),
        (axes.coupling.low, axes.coupling.high, N_POINT),
    )
    wide, wide_seconds = run(whole, whole.point, np.float64)
    forward = forward_seconds(whole)
    narrowed = jax.tree.map(narrow, whole.point)
    with in_float32():
        small, small_seconds = run(whole, narrowed, np.float32)
    floats = [k for k in wide if k not in ("status", "n_obs")]
    return {
        "points_solved": int(is_solved(wide).sum()),
        "points_solved_float32": int(is_solved(small).sum()),
        "largest_relative_error": {k: largest(wide[k], small[k]) for k in floats},
        "contour_shift_log10": contour_error(whole, wide, small),
        "excluded_otherwise": int(
            ((wide["cls_obs"] < 0.1) != (small["cls_obs"] < 0.1)).sum()
        ),
        "seconds_float64": wide_seconds,
        "seconds_float32": small_seconds,
        "seconds_of_signals_alone": forward,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--map", action="append", help="only what has this in its name")
    given = parser.parse_args()
    if "bsmfit.scan.runner" in sys.modules:
        raise RuntimeError("too late to switch the check off")
    _x64.require_x64 = lambda caller: None
    bsmfit.enable_x64()
    found: dict[str, Any] = {"device": jax.devices()[0].device_kind}
    for name in PLANES:
        if any(word in name for word in given.map or [""]):
            found[name] = compare(name)
            print(json.dumps({name: found[name]}, indent=2), flush=True)
    if given.out:
        given.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
