"""Make the B-meson spectra of data/beauty_spectra_400GeV with Pythia 8.

B mesons made by 400 GeV protons in a dump are the parents of scalars and axion-like
particles.  This script counts them in bins of laboratory momentum and angle to the
beam, per event with a pair of bottom quarks:

    leading-order g g, q qbar -> b bbar, shower and hadronisation -> B mesons, which do
    not decay (so that none mixes and none is counted twice) -> histograms -> .npz file

It gives the *shape*.  The leading-order cross section is several times too small; the
measured one is put in by bsmfit.physics.beauty_production.

The generator is needed by this script only; bsmfit itself never imports it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["HADRONS", "angle_edges", "histogram", "main", "momentum_edges"]

# PDG particle numbers; both signs are counted together
HADRONS = {"b_charged": 521, "b_neutral": 511, "b_strange": 531, "lambda_b": 5122}
BEAM_ENERGY = 400.0  # [GeV]
SETTINGS = [
    "Beams:idA = 2212",
    "Beams:idB = 2212",
    "Beams:frameType = 2",
    f"Beams:eA = {BEAM_ENERGY}",
    "Beams:eB = 0.",
    "HardQCD:hardbbbar = on",
    "PhaseSpace:pTHatMin = 0.",
    *(f"{number}:mayDecay = off" for number in HADRONS.values()),
]
EXAMPLE = """example (run from the repository root; about a minute):
  python tools/generate_beauty_spectra.py --events 240000 --seed 501 \\
      --output data/beauty_spectra_400GeV/pp_bbbar.npz
needs: pip install pythia8mc==8.317.2 (8.318 has no wheel)"""


def momentum_edges() -> np.ndarray:
    """Return the 41 momentum edges [GeV], logarithmic from 10 to 400."""
    return np.geomspace(10.0, 400.0, 41)


def angle_edges() -> np.ndarray:
    """Return the 26 angle edges [rad]: 0, then logarithmic from 2e-3 to 0.3."""
    return np.concatenate([[0.0], np.geomspace(2e-3, 0.3, 25)])


def histogram(momentum: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Count hadrons per bin; those outside the edges are left out.

    Args:
        momentum: Laboratory momenta [GeV], any length.
        angle: Angles to the beam [rad], same length.

    Returns:
        uint32 counts of shape [40 momentum bins, 25 angle bins].
    """
    edges = (momentum_edges(), angle_edges())
    return np.histogram2d(momentum, angle, bins=edges)[0].astype(np.uint32)


def start(seed: int) -> Any:
    """Start Pythia for leading-order pairs of bottom quarks."""
    import pythia8mc  # pyright: ignore[reportMissingImports] # tool only

    pythia = pythia8mc.Pythia("", False)
    seeding = ["Print:quiet = on", "Random:setSeed = on", f"Random:seed = {seed}"]
    if not all(pythia.readString(line) for line in seeding + SETTINGS):
        raise RuntimeError("Pythia refused a setting")
    if not pythia.init():
        raise RuntimeError("Pythia did not initialise")
    return pythia


def generate(pythia: Any, n_events: int) -> tuple[np.ndarray, int]:
    """Generate events; return rows (species, p, theta, E) and the failures."""
    number = {identity: i for i, identity in enumerate(HADRONS.values())}
    rows: list[tuple[float, ...]] = []
    n_good = n_failed = 0
    while n_good < n_events:
        if not pythia.next():
            n_failed += 1
            if n_failed > n_events:
                raise RuntimeError("more than half of the events failed")
            continue
        n_good += 1
        event = pythia.event
        for index in range(1, event.size()):
            particle = event[index]
            species = number.get(particle.idAbs())
            if species is not None and particle.isFinal():
                angle, energy = particle.theta(), particle.e()
                rows.append((species, particle.pAbs(), angle, energy))
    return np.array(rows), n_failed


def arrays_of(table: np.ndarray, metadata: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the arrays of the output file."""
    arrays: dict[str, np.ndarray] = {
        "momentum_edges": momentum_edges(),
        "angle_edges": angle_edges(),
        "n_events": np.array(metadata["n_events"]),
    }
    species, momentum, angle, energy = table.T
    for i, name in enumerate(HADRONS):
        chosen = species == i
        arrays[f"counts_{name}"] = histogram(momentum[chosen], angle[chosen])
        arrays[f"total_{name}"] = np.array(int(chosen.sum()))
        transverse = momentum[chosen] * np.sin(angle[chosen])
        metadata.setdefault("hadrons", {})[name] = {
            "per_event": float(chosen.sum() / metadata["n_events"]),
            "mean_energy_gev": float(energy[chosen].mean()),
            "mean_transverse_momentum_gev": float(transverse.mean()),
        }
    arrays["metadata"] = np.array(json.dumps(metadata))
    return arrays


def main(arguments: list[str] | None = None) -> None:
    """Generate the spectra and write the file."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        description="Spectra of B mesons made by 400 GeV protons, with Pythia 8.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, required=True, help="bb events")
    parser.add_argument("--seed", type=int, required=True, help="from 1 on")
    parser.add_argument("--output", type=Path, required=True, help=".npz file to write")
    args = parser.parse_args(given)
    if args.events < 1 or args.seed < 1:
        parser.error("--events and --seed must be 1 or more")
    pythia = start(args.seed)
    table, n_failed = generate(pythia, args.events)
    command = shlex.join(["python", "tools/generate_beauty_spectra.py", *given])
    metadata = {
        "tool": "tools/generate_beauty_spectra.py",
        "command": command,
        "generator": "Pythia 8 (pythia8mc, PyPI)",
        "generator_version": importlib.metadata.version("pythia8mc"),
        "provenance": "computed",
        "beam": f"proton, {BEAM_ENERGY:g} GeV, on a proton at rest",
        "normalisation": "hadrons (both charges) per event with a pair of b quarks",
        "settings": SETTINGS,
        "seed": args.seed,
        "n_events": args.events,
        "n_failed": n_failed,
        "cross_section_mb": pythia.infoPython().sigmaGen(),
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.output, **arrays_of(table, metadata))


if __name__ == "__main__":
    main()
