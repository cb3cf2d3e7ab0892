"""Refined contours against dense grids: points, CPU time, difference.

    python benchmarks/contours.py [dump] [scalar] [joint]

For each case: the observed contour to 1e-3 in log10 of the coupling, and the map of the
same masses with couplings in steps of 1e-3 decades, in one process, both warm. CPU
seconds of this process, compilation apart. The difference is that of the edges at all
masses of both.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import xarray as xr

import bsmfit
from bsmfit.scan.stored_contours import without_contours

PRECISION = 1e-3
CASES = {
    "dump": ("dark-photon", ["na62-dump-mumu"]),
    "scalar": ("dark-scalar", ["na62-pi-invisible-run1"]),
    "joint": ("dark-photon", ["na62-dump-mumu", "na62-dump-ee"]),
}


def timed(call: Callable[[], xr.Dataset]) -> tuple[xr.Dataset, float, float]:
    """Result, CPU seconds of the second call, and what the first took longer."""
    start = time.process_time()
    call()
    middle = time.process_time()
    result = call()
    warm = time.process_time() - middle
    return result, warm, middle - start - warm


def compare(case: str) -> None:
    """Print the line of one case."""
    name, channels = CASES[case]
    model = bsmfit.load_model(name)
    searches = [bsmfit.load_channel(channel) for channel in channels]
    refined, cpu, first = timed(
        lambda: bsmfit.exclusion_contours(
            model, searches, precision=PRECISION, quantities=["observed"]
        )
    )
    grid = without_contours(refined)
    mass, coupling = (grid[str(dim)].values for dim in grid["n_signal"].dims)
    n_dense = round(np.log10(coupling[-1] / coupling[0]) / PRECISION) + 1
    axis = (coupling[0], coupling[-1], n_dense)
    dense, dense_cpu, dense_first = timed(
        lambda: bsmfit.scan_plane(model, searches, mass=mass, coupling=axis)
    )
    a, b = bsmfit.coupling_edges(refined), bsmfit.coupling_edges(dense)
    both = np.stack([np.log10(a.lower / b.lower), np.log10(a.upper / b.upper)])
    n, n_all = refined.attrs["n_evaluated"], mass.size * n_dense
    print(
        f"{case}: {n} points ({refined.attrs['n_evaluated_grid']} of the first grid) "
        f"against {n_all}: {100 * n / n_all:.2f} %; {cpu:.2f} against {dense_cpu:.2f} "
        f"CPU s (compilation {first:.1f} and {dense_first:.1f}); edges of "
        f"{np.isfinite(both).all(axis=0).sum()} masses differ by up to "
        f"{np.nanmax(np.abs(both)):.1e} decades",
        flush=True,
    )


if __name__ == "__main__":
    bsmfit.enable_x64()
    for chosen in sys.argv[1:] or CASES:
        compare(chosen)
