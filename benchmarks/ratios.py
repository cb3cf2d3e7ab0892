"""All ratios to the peers that are installed, side by side in one run.

    taskset -c 0 python benchmarks/ratios.py                  # print them, as JSON
    taskset -c 0 python benchmarks/ratios.py --check          # against ratios.json
    taskset -c 0 python benchmarks/ratios.py --write

Ratios of points per CPU second, ours over theirs, of one process on one core:

    map            a map of the dump (forward model, likelihood, bands) against pyhf's
                   CLs of one count at each point, whose signal it would still need
    counting CLs   asymptotic CLs of one count: pyhf, everwillow
    counting limit its 90 % limit: pyhf with brentq
    shape CLs, shape limit   20 bins, 10 nuisances: pyhf

``--check`` exits with 1 where a ratio is below half of that in ratios.json: machines
are shared, and a peer runs with a factor of two between runs. No test runs it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import platform
import sys
import time
from pathlib import Path

import counting_speed
import jax
import shape_speed

import bsmfit

RATIOS = Path(__file__).with_name("ratios.json")
SMALLEST_SHARE = 0.5


def map_rate() -> float:
    """Points of a map per CPU second, after compilation."""
    model = bsmfit.load_model("dark-photon")
    channel = bsmfit.load_channel("na62-dump-mumu")

    def scan() -> None:
        bsmfit.scan_plane(
            model, channel, mass=(0.212, 0.6, 601), coupling=(2e-7, 1e-5, 201)
        )

    scan()
    start = time.process_time()
    for _ in range(5):
        scan()
    return 5 * 601 * 201 / (time.process_time() - start)


def measure() -> dict[str, float]:
    """Ratio by task and peer."""
    bsmfit.enable_x64()
    ours = counting_speed.measure_ours(100_000)
    found: dict[str, float] = {}
    if importlib.util.find_spec("pyhf"):
        theirs = counting_speed.measure_pyhf()
        found["map / pyhf"] = map_rate() / theirs["CLs"]
        found["counting CLs / pyhf"] = ours["CLs"] / theirs["CLs"]
        if "90 % limit" in theirs:
            limits = ours["90 % limit"] / theirs["90 % limit"]
            found["counting limit / pyhf"] = limits
        model = shape_speed.load_model()
        rates = zip(shape_speed.ours(model), shape_speed.pyhf_speed(model), strict=True)
        for name, (one, other) in zip(("CLs", "limit"), rates, strict=True):
            found[f"shape {name} / pyhf"] = one / other
    if importlib.util.find_spec("everwillow"):
        theirs = counting_speed.measure_everwillow()
        found["counting CLs / everwillow"] = ours["CLs"] / theirs["CLs"]
    return found


def versions() -> dict[str, str]:
    """What was measured, on what."""
    names = ("bsmfit", "jax", "pyhf", "everwillow")
    found = {n: importlib.metadata.version(n) for n in names if _is_installed(n)}
    machine = platform.processor() or platform.machine()
    return found | {"python": platform.python_version(), "machine": machine}


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def main() -> None:
    """Print the ratios; write or check them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    found = {name: float(f"{ratio:.3g}") for name, ratio in measure().items()}
    text = json.dumps({"ratios": found, **versions()}, indent=2)
    print(text)
    if given.write:
        RATIOS.write_text(text + "\n")
    if given.check:
        known = json.loads(RATIOS.read_text())["ratios"]
        slow = {
            name: (ratio, known[name])
            for name, ratio in found.items()
            if name in known and ratio < SMALLEST_SHARE * known[name]
        }
        for name, (now, before) in slow.items():
            print(f"{name}: {now:.3g} times, was {before:.3g}", file=sys.stderr)
        sys.exit(bool(slow))


if __name__ == "__main__":
    jax.config.update("jax_platforms", "cpu")
    main()
