"""Make the meson spectra of data/meson_spectra_*GeV with Pythia 8.

Light neutral mesons made by protons in a dump are the parents of dark photons, kaons
(``--species kaons``) those of scalars.  This script counts them in bins of laboratory
momentum and angle to the beam, per inelastic interaction of one beam proton:

    Pythia event -> mesons that really end free (not copies, not projectiles of a
    further collision) -> block of 1000 events -> histograms and window yields
    -> sum over jobs -> one .npz file

Two modes exist:

- ``pp-inelastic``: SoftQCD:inelastic, proton on a proton at rest;
- ``pCu-cascade``: PythiaCascade, proton on a copper nucleus (A = 63) at rest.

A meson is counted when it is made, whether it comes from the string, from a decay or
from a low-energy process, and whether or not it decays later.  Three kinds of entry in
the event record are not counted as mesons: (i) an entry with a daughter of the same
species (a copy); (ii) in ``pCu-cascade`` an entry that hits a further nucleon of the
same nucleus, since it is used up there before it could decay.  What comes out of that
collision is counted.  Entries of kind (ii) are stored separately
(``counts_reinteracted_*``).  Particles that live longer than 1 mm / c (K0S, Lambda,
charged pions, kaons, ...) do not decay: in a metal dump most of them interact first.

The generator is needed by this script only; bsmfit itself never imports it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import multiprocessing
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "KAONS",
    "MESONS",
    "WINDOWS",
    "angle_edges",
    "histogram",
    "main",
    "momentum_edges",
]

# PDG particle numbers
MESONS = {
    "pi0": 111,
    "eta": 221,
    "eta_prime": 331,
    "rho": 113,
    "omega": 223,
    "phi": 333,
}
KAONS = {"kaon_plus": 321, "kaon_minus": -321, "kaon_short": 310, "kaon_long": 130}
SPECIES = {"light": MESONS, "kaons": KAONS}
# name: lowest momentum [GeV], largest angle [rad]
WINDOWS = {
    "all": (0.0, np.inf),
    "p>20 GeV, theta<5 mrad": (20.0, 5e-3),
    "p>40 GeV, theta<3 mrad": (40.0, 3e-3),
}
BEAM_ENERGY = 400.0  # [GeV], unless --beam-energy says another
PROTON_MASS = 0.93827  # [GeV], the value Pythia uses
COPPER = (29, 63)  # Z, A
BLOCK = 1000  # events per block: memory is bounded, errors come from block to block
MAX_LIFETIME_MM = 1.0  # c tau; longer-lived particles do not decay
PP_SETTINGS = [
    "Beams:idA = 2212",
    "Beams:idB = 2212",
    "Beams:frameType = 2",
    "Beams:eA = {energy}",
    "Beams:eB = 0.",
    "SoftQCD:inelastic = on",
    "ParticleDecays:limitTau0 = on",
    f"ParticleDecays:tau0Max = {MAX_LIFETIME_MM}",
    "111:mayDecay = off",
]
CASCADE_SETTINGS = [
    "eKinMin = 0.3",
    "enhanceSDtarget = 0.5",
    "initFile = InitDefaultMPI.cmnd + Random:setSeed, Random:seed",
    "rapidDecays = true",
    f"smallTau0 = {MAX_LIFETIME_MM}",
    "slowDecays = false",
    "listFinalOnly = false",
    "111:mayDecay = off",
    "seed of decays and of the number of subcollisions = seed + 500000",
]
INSTALL = "pip install pythia8mc==8.317.2 (8.318 has no wheel)"
EXAMPLES = """examples (run from the repository root):
  python tools/generate_meson_spectra.py pp-inelastic --events 1000000 \\
      --seeds 301 302 303 304 --output data/meson_spectra_400GeV/pp_inelastic.npz
  python tools/generate_meson_spectra.py pp-inelastic --species kaons \\
      --events 1000000 --seeds 401 402 403 404 \\
      --output data/meson_spectra_400GeV/pp_kaons.npz
  python tools/generate_meson_spectra.py pCu-cascade --events 10000 --seeds 5 \\
      --processes 1 --output small.npz
"""


def momentum_edges() -> np.ndarray:
    """Return the 61 momentum edges [GeV], logarithmic from 0.5 to 400."""
    return np.geomspace(0.5, 400.0, 61)


def angle_edges() -> np.ndarray:
    """Return the 47 angle edges [rad]: 0, then logarithmic from 1e-4 to 0.5."""
    return np.concatenate([[0.0], np.geomspace(1e-4, 0.5, 46)])


def histogram(momentum: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Count mesons per bin; those outside the edges are left out.

    Args:
        momentum: Laboratory momenta [GeV], any length.
        angle: Angles to the beam [rad], same length.

    Returns:
        uint32 counts of shape [60 momentum bins, 46 angle bins].
    """
    edges = (momentum_edges(), angle_edges())
    return np.histogram2d(momentum, angle, bins=edges)[0].astype(np.uint32)


def window_counts(momentum: np.ndarray, angle: np.ndarray) -> list[int]:
    """Count the mesons in each entry of `WINDOWS`."""
    return [
        int(np.count_nonzero((momentum > lowest) & (angle < largest)))
        for lowest, largest in WINDOWS.values()
    ]


def open_pp(seed: int, energy: float) -> tuple[Callable[[], Any], Callable[[], dict]]:
    """Start Pythia for p p; return the event source and its description."""
    import pythia8mc  # pyright: ignore[reportMissingImports] # tool only

    pythia = pythia8mc.Pythia("", False)
    seeding = ["Print:quiet = on", "Random:setSeed = on", f"Random:seed = {seed}"]
    settings = [line.format(energy=energy) for line in PP_SETTINGS]
    if not all(pythia.readString(line) for line in seeding + settings):
        raise RuntimeError("Pythia refused a setting")
    if not pythia.init():
        raise RuntimeError("Pythia did not initialise")

    def next_event() -> Any:
        return (pythia.event, frozenset()) if pythia.next() else None

    def describe() -> dict:
        info = pythia.infoPython()
        sigma = {info.nameProc(c): info.sigmaGen(c) for c in info.codesHard()}
        sigma["inelastic"] = info.sigmaGen()
        codes = {str(c): int(info.nAccepted(c)) for c in info.codesHard()}
        return {
            "settings": settings,
            "cross_sections_mb": sigma,
            "events_by_process_code": codes,
        }

    return next_event, describe


def open_copper(
    seed: int, energy: float
) -> tuple[Callable[[], Any], Callable[[], dict]]:
    """Start PythiaCascade for p Cu; return the event source and its description."""
    import pythia8mc  # pyright: ignore[reportMissingImports] # tool only

    share = Path(sys.prefix) / "share" / "Pythia8" / "setups" / "InitDefaultMPI.cmnd"
    cascade = pythia8mc.PythiaCascade()
    with tempfile.TemporaryDirectory() as folder:
        # The generator of the subcollisions has no public seed: pass it by file.
        card = Path(folder) / "init.cmnd"
        seeding = f"Random:setSeed = on\nRandom:seed = {seed}\n"
        card.write_text(f"include = {share}\n{seeding}", encoding="utf-8")
        if not cascade.init(0.3, 0.5, str(card), True, MAX_LIFETIME_MM, False, False):
            raise RuntimeError("PythiaCascade did not initialise")
    cascade.rndm().init(seed + 500_000)  # decays and number of subcollisions
    cascade.particleData().mayDecay(MESONS["pi0"], False)
    momentum = np.sqrt(energy**2 - PROTON_MASS**2)
    beam = pythia8mc.Vec4(0.0, 0.0, momentum, energy)
    if not cascade.sigmaSetuphN(2212, beam, PROTON_MASS):
        raise RuntimeError("PythiaCascade has no cross section at this energy")
    codes: Counter[str] = Counter()

    def next_event() -> Any:
        event = cascade.nextColl(*COPPER, pythia8mc.Vec4())
        if event.size() == 0:
            return None
        codes[str(cascade.firstCollisionCode())] += 1
        # status 181, 182: struck nucleon, its second mother is the projectile
        struck = (event[i] for i in range(1, event.size()))
        return event, {p.mother2() for p in struck if p.statusAbs() in (181, 182)}

    def describe() -> dict:
        return {
            "settings": CASCADE_SETTINGS,
            "cross_sections_mb": {
                "inelastic": cascade.sigmahA(COPPER[1]),
                "proton-nucleon inelastic": cascade.sigmahA(1),
            },
            "mean_subcollisions_table": cascade.nCollAvg(COPPER[1]),
            "events_by_process_code": dict(sorted(codes.items())),
        }

    return next_event, describe


MODES = {"pp-inelastic": open_pp, "pCu-cascade": open_copper}
KINDS = ("counted", "reinteracted", "copy", "status_above_80")


def mesons_of(event: Any, projectiles: Any, number: dict[int, int]) -> list[tuple]:
    """List (species, kind, status > 80, p, theta, E) of the mesons of one event."""
    rows = []
    for index in range(1, event.size()):
        particle = event[index]
        identity = particle.id()
        if identity not in number:
            continue
        first, last = particle.daughter1(), particle.daughter2()
        if index in projectiles:
            kind = 1
        elif first > 0 and any(
            event[i].id() == identity for i in range(first, max(first, last) + 1)
        ):
            kind = 2
        else:
            kind = 0
        rows.append(
            (
                number[identity],
                kind,
                particle.statusAbs() > 80,
                particle.pAbs(),
                particle.theta(),
                particle.e(),
            )
        )
    return rows


def generate_block(
    next_event: Callable[[], Any], mesons: dict[str, int]
) -> tuple[np.ndarray, int]:
    """Generate `BLOCK` events; return their mesons and the number of failures."""
    number = {identity: i for i, identity in enumerate(mesons.values())}
    rows: list[tuple] = []
    n_good = n_failed = 0
    while n_good < BLOCK:
        made = next_event()
        if made is None:
            n_failed += 1
            if n_failed > BLOCK:
                raise RuntimeError("more than half of the events failed")
            continue
        event, projectiles = made
        rows += mesons_of(event, projectiles, number)
        n_good += 1
    return np.array(rows), n_failed


def run_job(job: tuple[str, str, int, int, float]) -> dict:
    """Generate one seed's events; return histograms, block yields, description."""
    mode, kind_of_meson, seed, n_events, beam_energy = job
    mesons = SPECIES[kind_of_meson]
    next_event, describe = MODES[mode](seed, beam_energy)
    shape = (len(mesons), len(momentum_edges()) - 1, len(angle_edges()) - 1)
    counts = np.zeros((2, *shape), np.uint32)  # counted, reinteracted
    energy = np.zeros(len(mesons))
    blocks, n_failed = [], 0
    for _ in range(n_events // BLOCK):
        table, failures = generate_block(next_event, mesons)
        n_failed += failures
        species, kind, above, momentum, angle, total = table.T
        block = np.zeros((len(KINDS), len(WINDOWS), len(mesons)), np.int64)
        for i in range(len(mesons)):
            selections = [(species == i) & (kind == k) for k in range(3)]
            selections.append((species == i) & (above > 0))
            for k, chosen in enumerate(selections):
                block[k, :, i] = window_counts(momentum[chosen], angle[chosen])
                if k < 2:
                    counts[k, i] += histogram(momentum[chosen], angle[chosen])
            energy[i] += total[selections[0]].sum()
        blocks.append(block)
    return {
        "counts": counts,
        "energy": energy,
        "blocks": np.array(blocks),
        "n_failed": n_failed,
        "description": describe(),
    }


def yields(blocks: np.ndarray, n_events: int, mesons: dict[str, int]) -> dict:
    """Tabulate counts, yields and their errors per meson, kind and window.

    `relative_error` is from the spread of the blocks; mesons of one event are
    correlated, so it differs from `relative_error_poisson` = 1 / sqrt(count).
    """
    table: dict[str, dict] = {name: {} for name in mesons}
    for i, name in enumerate(mesons):
        for k, kind in enumerate(KINDS):
            table[name][kind] = entries = {}
            for w, window in enumerate(WINDOWS):
                per_block = blocks[:, k, w, i]
                count = int(per_block.sum())
                entries[window] = entry = {
                    "count": count,
                    "per_interaction": count / n_events,
                }
                if count and len(per_block) > 1:
                    error = per_block.std(ddof=1) * np.sqrt(len(per_block)) / count
                    entry["relative_error"] = float(f"{error:.3g}")
                    entry["relative_error_poisson"] = float(f"{count**-0.5:.3g}")
    return table


def merge(results: list[dict], args: argparse.Namespace, command: str) -> dict:
    """Add the jobs and return the arrays of the output file."""
    mesons = SPECIES[args.species]
    counts = np.sum([result["counts"] for result in results], axis=0)
    blocks = np.concatenate([result["blocks"] for result in results])
    energy = np.sum([result["energy"] for result in results], axis=0) / args.events
    description = dict(results[0]["description"])
    codes: Counter[str] = Counter()
    for result in results:
        codes.update(result["description"]["events_by_process_code"])
    description["events_by_process_code"] = dict(sorted(codes.items()))
    metadata = {
        "tool": "tools/generate_meson_spectra.py",
        "command": command,
        "generator": "Pythia 8 (pythia8mc, PyPI)",
        "generator_version": importlib.metadata.version("pythia8mc"),
        "provenance": "computed",
        "mode": args.mode,
        "beam": f"proton, {args.beam_energy:g} GeV, on a target at rest",
        "normalisation": "mesons per inelastic interaction",
        "counting": "every meson when made; no copies, no reinteracting projectiles",
        "seeds": args.seeds,
        "n_events": args.events,
        "n_failed": sum(result["n_failed"] for result in results),
        "block_size": BLOCK,
        **description,
        "mean_energy_gev_per_interaction": dict(
            zip(mesons, energy.tolist(), strict=True)
        ),
        "yields": yields(blocks, args.events, mesons),
    }
    arrays: dict[str, np.ndarray] = {
        "momentum_edges": momentum_edges(),
        "angle_edges": angle_edges(),
        "n_events": np.array(args.events),
        "metadata": np.array(json.dumps(metadata)),
    }
    for i, name in enumerate(mesons):
        arrays[f"counts_{name}"] = counts[0, i].astype(np.uint32)
        arrays[f"total_{name}"] = np.array(blocks[:, 0, 0, i].sum())
        if args.mode == "pCu-cascade":
            arrays[f"counts_reinteracted_{name}"] = counts[1, i].astype(np.uint32)
    return arrays


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read and check the command line."""
    parser = argparse.ArgumentParser(
        description="Meson spectra of beam protons with Pythia 8.",
        epilog=EXAMPLES + f"\nneeds: {INSTALL}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("mode", choices=sorted(MODES), help="p p or p Cu, both inelastic")
    add("--species", choices=sorted(SPECIES), default="light", help="which mesons")
    add("--events", type=int, required=True, help="interactions, all seeds together")
    add("--seeds", type=int, nargs="+", required=True, help="one job per seed")
    add("--processes", type=int, default=2, help="jobs at a time (default: 2)")
    add("--beam-energy", type=float, default=BEAM_ENERGY, help="[GeV], default: 400")
    add("--output", type=Path, required=True, help="name of the .npz file to write")
    args = parser.parse_args(arguments)
    if args.events <= 0 or args.events % (BLOCK * len(args.seeds)):
        parser.error(
            f"--events {args.events}: must be a multiple of {BLOCK} x the number of "
            f"seeds ({len(args.seeds)}), that is of {BLOCK * len(args.seeds)}"
        )
    if len(set(args.seeds)) < len(args.seeds) or min(args.seeds) < 1:
        parser.error("--seeds: must be different and at least 1")
    highest = momentum_edges()[-1]
    if not 10.0 <= args.beam_energy <= highest:
        parser.error(f"--beam-energy: must be 10 to {highest:g} GeV")
    return args


def main(arguments: list[str] | None = None) -> None:
    """Generate, add and write; the result depends on mode, events and seeds only."""
    arguments = sys.argv[1:] if arguments is None else arguments
    args = parse(arguments)
    if importlib.util.find_spec("pythia8mc") is None:
        raise SystemExit(f"pythia8mc is not installed: {INSTALL}")
    share = args.events // len(args.seeds)
    jobs = [
        (args.mode, args.species, seed, share, args.beam_energy) for seed in args.seeds
    ]
    with multiprocessing.get_context("spawn").Pool(args.processes) as pool:
        results = pool.map(run_job, jobs, chunksize=1)
    command = "python tools/generate_meson_spectra.py " + shlex.join(arguments)
    arrays = merge(results, args, command)
    np.savez_compressed(args.output, **arrays)
    for name, kinds in json.loads(str(arrays["metadata"]))["yields"].items():
        print(name, {w: e["per_interaction"] for w, e in kinds["counted"].items()})


if __name__ == "__main__":
    main()
