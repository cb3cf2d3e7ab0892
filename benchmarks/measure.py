"""Measure what a user waits for, one figure after the other.

    python benchmarks/measure.py            # everything, about 3 minutes when idle
    python benchmarks/measure.py warm map   # some of it

Every figure is a median over fresh processes or repeated calls, as stated; CPU seconds
are those of the process. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

# Without the programs that the command line keeps: what a first run costs.
ENVIRONMENT = {**os.environ, "JAX_PLATFORMS": "cpu", "BSMFIT_CACHE": "off"}

SCALAR = """
import json, time
import numpy as np
import bsmfit
bsmfit.enable_x64()
model = bsmfit.load_model("dark-scalar")  # with its uncertainty of 20 %
channel = bsmfit.load_channel("na62-pi-invisible-run1")
masses = np.linspace(0.002, 0.26, 200)

def scan():
    bsmfit.scan_plane(model, channel, mass=masses, coupling=(1e-9, 1e-3, 200))

scan()
wall, cpu = [], []
for _ in range(15):
    t, c = time.perf_counter(), time.process_time()
    scan()
    wall.append(time.perf_counter() - t)
    cpu.append(time.process_time() - c)
print(json.dumps({"wall": sorted(wall)[7], "cpu": sorted(cpu)[7]}))
"""

PREPARE = """
import json, resource, time
import bsmfit
bsmfit.enable_x64()
channel = bsmfit.load_channel("na62-dump-mumu")

electrons = bsmfit.load_channel("na62-dump-ee")
kaons = bsmfit.load_channel("na62-pi-invisible-run1")

def scan(n_mass, n_coupling, preset="bremsstrahlung", channels=channel, lowest=0.212):
    model = bsmfit.load_model("dark-photon", preset)
    return bsmfit.scan_plane(
        model, channels, mass=(lowest, 0.6, n_mass), coupling=(2e-7, 1e-5, n_coupling)
    )

def repeated(n, *arguments):
    scan(*arguments)
    wall, cpu = [], []
    for _ in range(n):
        t, c = time.perf_counter(), time.process_time()
        scan(*arguments)
        wall.append(time.perf_counter() - t)
        cpu.append(time.process_time() - c)
    return {"wall": sorted(wall)[n // 2], "cpu": sorted(cpu)[n // 2]}
"""


FIRST = """
import json, time
import bsmfit
bsmfit.enable_x64()
import numpy as np
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import LogNormal

n = np.arange(12)
sizes = np.linspace(1.02, 1.2, 10)
regions = [
    Region(
        f"bin{i}", int(30 + 5 * i),
        signal=[Term("s", 1.0 + 0.3 * i, [LogNormal(f"n{i % 10}", sizes[i % 10])])],
        background=[
            Term(f"b{i}", 28.0 + 5 * i,
                 [LogNormal(f"n{j}", sizes[j]) for j in (i % 10, (i + 3) % 10)]),
        ],
    )
    for i in n
]
likelihood = bsmfit.Likelihood.from_regions(regions)
cpu = []
for _ in range(2):
    c = time.process_time()
    bsmfit.upper_limit(likelihood, cl=0.9).value.block_until_ready()
    cpu.append(time.process_time() - c)
print(json.dumps({"first": cpu[0], "again": cpu[1]}))
"""


def in_a_fresh_process(code: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=ENVIRONMENT,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def import_time() -> str:
    """Seconds that `import bsmfit` takes after `import jax`."""
    code = (
        "import json, time; import jax; t = time.perf_counter(); import bsmfit;"
        "print(json.dumps({'wall': time.perf_counter() - t}))"
    )
    wall = [in_a_fresh_process(code)["wall"] for _ in range(7)]
    return f"{statistics.median(wall):.3f} s after import jax (median of 7 processes)"


DUMP_SCAN = (
    *("scan", "dark-photon", "--channel", "na62-dump-mumu"),
    *("--mass", "0.212:0.6:200", "--coupling", "2e-7:1e-5:200"),
)
SCALAR_SCAN = (
    *("scan", "dark-scalar", "--channel", "na62-pi-invisible-run1"),
    *("--mass", "0.002:0.26:200:lin", "--coupling", "1e-9:1e-3:200"),
)


def start() -> str:
    """Commands that compute nothing: list, show, help."""
    texts = [
        f"`{' '.join(arguments)}` {_command_line(*arguments)}"
        for arguments in (("list",), ("show", "na62-dump-mumu"), ("--help",))
    ]
    return ", ".join(texts)


def cold() -> str:
    """Process start to figure, 200 x 200 points, tables shipped."""
    return _command_line(*DUMP_SCAN)


def scalar_cold() -> str:
    """Process start to figure, 200 x 200 points of the dark scalar, Run 1."""
    return _command_line(*SCALAR_SCAN)


def cached() -> str:
    """The same commands, with the programs of an earlier run."""
    commands = {
        "dump": DUMP_SCAN,
        "scalar": SCALAR_SCAN,
        "limit": KAON_LIMIT,
        "measure": MEASURE,
    }
    with tempfile.TemporaryDirectory() as folder:
        for command in commands.values():
            _command_line(*command, n_run=1, cache=folder)
        texts = [
            f"{name} {_command_line(*command, cache=folder)}"
            for name, command in commands.items()
        ]
    return ", ".join(texts)


KAON_LIMIT = (
    *("limit", "na62-pi-invisible-run1", "--mass", "0.2", "--lifetime-ns", "2"),
)
MEASURE = ("measure", "na62-pi-nunu-run1")


def limit() -> str:
    """`bsmfit limit` of a search in kaon decays, process start to answer."""
    return _command_line(*KAON_LIMIT)


def measurement() -> str:
    """`bsmfit measure na62-pi-nunu`, process start to answer."""
    return _command_line(*MEASURE)


def first_call() -> str:
    """First limit of a likelihood of 12 bins and 10 nuisances, compilation included."""
    found = [in_a_fresh_process(FIRST) for _ in range(3)]
    first, again = (statistics.median(x[key] for x in found) for key in found[0])
    return f"{first:.2f} CPU s, {again:.3f} again (median of 3 processes)"


def scalar() -> str:
    """The same plane again, in Python, theory uncertainty averaged over."""
    result = in_a_fresh_process(SCALAR)
    return f"{result['wall']:.3f} s wall, {result['cpu']:.3f} CPU s (median of 15)"


def _command_line(*arguments: str, n_run: int = 5, cache: str = "off") -> str:
    """Median over fresh processes of the command line."""
    times = []
    environment = ENVIRONMENT | {"BSMFIT_CACHE": cache}
    for _ in range(n_run):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "bsmfit", *arguments]
            if arguments[0] == "scan":
                command += ["--out", folder]
            before = os.times()
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=environment)
            wall = time.perf_counter() - start
            after = os.times()
            cpu = sum(after[2:4]) - sum(before[2:4])
            times.append((wall, cpu))
    wall, cpu = (statistics.median(values) for values in zip(*times, strict=True))
    return f"{wall:.2f} s wall, {cpu:.2f} CPU s (median of {n_run} processes)"


def warm() -> str:
    """The same plane again, in Python."""
    result = in_a_fresh_process(PREPARE + "print(json.dumps(repeated(15, 200, 200)))")
    return f"{result['wall']:.3f} s wall, {result['cpu']:.3f} CPU s (median of 15)"


def large_map() -> str:
    """601 x 201 points with likelihood and three nuisances, after compilation."""
    result = in_a_fresh_process(PREPARE + "print(json.dumps(repeated(7, 601, 201)))")
    rate = 601 * 201 / result["cpu"]
    return (
        f"{result['cpu']:.2f} CPU s, {result['wall']:.2f} s wall (median of 7), "
        f"{rate:.2g} points per CPU s"
    )


def full() -> str:
    """200 x 200 points of the preset `full`, seven processes and eight nuisances."""
    result = in_a_fresh_process(
        PREPARE + "print(json.dumps(repeated(3, 200, 200, 'full')))"
    )
    return f"{result['cpu']:.1f} CPU s, {result['wall']:.1f} s wall (median of 3)"


def full_joint() -> str:
    """32 x 64 points of the preset `full`, muons and electrons jointly."""
    call = "repeated(3, 32, 64, 'full', [channel, electrons])"
    result = in_a_fresh_process(PREPARE + f"print(json.dumps({call}))")
    return f"{result['cpu']:.2f} CPU s, {result['wall']:.2f} s wall (median of 3)"


def six() -> str:
    """1e5 and 1e6 points of `mesons-bremsstrahlung`, norms as nuisances, after one."""
    code = PREPARE + (
        "found = []\n"
        "for n in (100, 1000):\n"
        "    found.append(repeated(1, n, 1000, 'mesons-bremsstrahlung')['cpu'])\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2\n"
        "print(json.dumps({'cpu': found, 'gib': peak}))"
    )
    result = in_a_fresh_process(code)
    few, many = result["cpu"]
    return f"{few:.2f} and {many:.1f} CPU s, {result['gib']:.2f} GiB peak"


def joint() -> str:
    """200 x 200 points of both dump searches jointly, observed and bands."""
    call = "repeated(7, 200, 200, 'bremsstrahlung', [channel, electrons])"
    result = in_a_fresh_process(PREPARE + f"print(json.dumps({call}))")
    return f"{result['wall']:.2f} s wall, {result['cpu']:.2f} CPU s (median of 7)"


def joint_kinds() -> str:
    """200 x 200 points of both dump searches and one in kaon decays jointly."""
    searches = "[channel, electrons, kaons]"
    call = f"repeated(3, 200, 200, 'bremsstrahlung-and-kaons', {searches}, 0.01)"
    result = in_a_fresh_process(PREPARE + f"print(json.dumps({call}))")
    return f"{result['wall']:.2f} s wall, {result['cpu']:.2f} CPU s (median of 3)"


def memory() -> str:
    """Peak resident memory of a 1000 x 1000 scan."""
    code = PREPARE + (
        "scan(1000, 1000)\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2\n"
        "print(json.dumps({'gib': peak}))"
    )
    return f"{in_a_fresh_process(code)['gib']:.2f} GiB peak"


MEASUREMENTS = {
    "import": import_time,
    "start": start,
    "cold": cold,
    "limit": limit,
    "measure": measurement,
    "first-call": first_call,
    "cached": cached,
    "warm": warm,
    "map": large_map,
    "joint": joint,
    "joint-kinds": joint_kinds,
    "full": full,
    "full-joint": full_joint,
    "six": six,
    "scalar-cold": scalar_cold,
    "scalar": scalar,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"out of {', '.join(MEASUREMENTS)}")
    chosen = parser.parse_args().names or list(MEASUREMENTS)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores,")
    print(f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}")
    for name in chosen:
        text = (MEASUREMENTS[name].__doc__ or "").strip().rstrip(".")
        print(f"{name:11s} {text}: {MEASUREMENTS[name]()}", flush=True)


if __name__ == "__main__":
    main()
