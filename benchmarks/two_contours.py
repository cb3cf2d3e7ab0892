r"""What do the published contours of A' -> e+ e- and A' -> mu+ mu- imply together?

    python benchmarks/two_contours.py [--vertex]

The numbers of the last section of docs/physics/open-question.md and the norms of the
preset `published-leptonic`. From the shipped yield tables: events by process on both
lower edges; a least-squares fit of three norms and the electrons' efficiency over that
of the muons to them; the edges that follow. With `--vertex`, from simulated decays:
which vertex errors pairs on the published edges have. A minute on one core, two with
`--vertex`.
"""

from __future__ import annotations

import argparse

import jax.numpy as jnp
import numpy as np
from scipy.optimize import least_squares

import bsmfit
from bsmfit.catalogue.kinds.beam_dump import load_channel
from bsmfit.catalogue.published import load_published_limit
from bsmfit.scan.contour import coupling_edges
from bsmfit.scan.exclusion_map import scan_plane
from bsmfit.scan.exclusion_point import ExclusionPoint

BREMS, PION, ETA = "proton-bremsstrahlung", "pi0-decay", "eta-decay"
PROCESSES = (BREMS, PION, ETA)
CHANNELS = ("na62-dump-mumu", "na62-dump-ee")
FITTED = {"na62-dump-mumu": (0.229, 0.521), "na62-dump-ee": (0.019, 0.451)}
NOTCH = (0.404, 0.425)
"""Masses at which the lower edges are fitted [GeV]: away from the threshold of muons,
where the digitisations differ, and from 20 MeV on."""


def lower_edge(channel: str) -> tuple[np.ndarray, np.ndarray]:
    """Masses and couplings of a published lower edge in the range that is fitted."""
    limit = load_published_limit(channel)
    assert limit is not None
    low, high = FITTED[channel]
    kept = (limit.mass > low) & (limit.mass < high)
    if channel == "na62-dump-mumu":
        kept &= (limit.mass < NOTCH[0]) | (limit.mass > NOTCH[1])
    return limit.mass[kept], limit.lower[kept]


def events(channel: str) -> tuple[np.ndarray, np.ndarray]:
    """Events at efficiency 1 over the limit on the lower edge, [mass, process]."""
    search = load_channel(channel)
    model = bsmfit.load_model("dark-photon", processes=dict.fromkeys(PROCESSES, 1.0))
    point = ExclusionPoint.from_model(model, [search])
    masses, couplings = lower_edge(channel)
    found = np.zeros((masses.size, len(PROCESSES)))
    for row, (mass, coupling) in enumerate(zip(masses, couplings, strict=True)):
        at = jnp.asarray(mass), jnp.asarray(coupling)
        limit = float(np.asarray(point.exclusion(*at).n_up_obs))
        found[row] = np.exp(np.asarray(point.log_signal(*at))) / limit
    names = point.channels[0].processes
    order = [names.index(process) for process in PROCESSES]
    return masses, found[:, order] / float(search.efficiency)


def fit(*, is_ratio_free: bool = True) -> dict[str, float]:
    """Norms times the muons' efficiency, and the electrons' efficiency over it."""
    (_, muons), (_, electrons) = (events(channel) for channel in CHANNELS)

    def misses(logs: np.ndarray) -> np.ndarray:
        norms, ratio = np.exp(logs[:3]), np.exp(logs[3]) if is_ratio_free else 1.0
        # ln of the edge: events go with its fourth power
        ours = [muons @ norms, ratio * (electrons @ norms)]
        return np.concatenate([np.log(n) / 4.0 / np.sqrt(n.size) for n in ours])

    found = least_squares(misses, np.log([0.8, 0.07, 0.02, 0.8]))
    norms = dict(zip(PROCESSES, np.exp(found.x[:3]).tolist(), strict=True))
    ratio = float(np.exp(found.x[3])) if is_ratio_free else 1.0
    spread = 100.0 * np.sqrt(np.sum(found.fun**2) / 2.0)
    return norms | {"ratio": ratio, "rms": spread}


def edge_table(channel: str, norms: dict[str, float], ratio: float) -> None:
    """Both edges over the published ones."""
    search = load_channel(channel)
    # norms are times the muons' efficiency: the electrons get the ratio
    factor = {k: v * ratio / float(search.efficiency) for k, v in norms.items()}
    limit = load_published_limit(channel)
    assert limit is not None
    assert limit.upper is not None
    edges = coupling_edges(
        scan_plane(
            bsmfit.load_model("dark-photon", processes=factor),
            search,
            mass=limit.mass,
            coupling=(1e-7, 4e-4, 3000),
        )
    )
    print(f"\n{channel}: edges over the published ones, lower, upper")
    ratios = edges.lower / limit.lower, edges.upper / limit.upper
    for row in zip(limit.mass, *ratios, strict=True):
        print("{:8.4g} GeV {:8.3f} {:8.3f}".format(*row))


def vertex_errors() -> None:
    """Events with a vertex error below some, over all, on the published upper edges."""
    from dump_simulation import Laboratory, is_accepted, measure, simulate_spinning

    print(
        "\nupper edges: share of bremsstrahlung with a vertex error below 2.6, 4, 8 m"
    )
    for channel, masses in (
        ("na62-dump-mumu", (0.22, 0.25)),
        ("na62-dump-ee", (0.02, 0.05, 0.1)),
    ):
        limit = load_published_limit(channel)
        assert limit is not None
        assert limit.upper is not None
        lab = Laboratory(channel, 11)
        for mass in masses:
            edge = float(np.exp(np.interp(mass, limit.mass, np.log(limit.upper))))
            trials = (0.8 * edge, edge, 1.25 * edge)
            decays = simulate_spinning(BREMS, mass, lab, trials)
            weight = decays.weights(edge) * is_accepted(decays, lab.search)
            error = measure(decays, lab.search).vertex_error
            shares = [np.sum(weight * (error < e)) / weight.sum() for e in (2.6, 4, 8)]
            print(f"{channel} {mass:5.3g} GeV", " ".join(f"{s:6.2f}" for s in shares))


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vertex", action="store_true")
    arguments = parser.parse_args()
    bsmfit.enable_x64()
    for channel in CHANNELS:
        masses, table = events(channel)
        print(f"\n{channel}: events over the limit, efficiency 1: {PROCESSES}")
        for mass, values in zip(masses, table, strict=True):
            print(f"{mass:8.4g} GeV", " ".join(f"{value:8.3f}" for value in values))
    muons = float(load_channel(CHANNELS[0]).efficiency)
    for is_free in (True, False):
        found = fit(is_ratio_free=is_free)
        norms = {process: found[process] for process in PROCESSES}
        print(f"\nelectrons' efficiency {'free' if is_free else 'that of the muons'}")
        print(f"norms over the efficiency {muons:.3f} of the muons, with factor 1:")
        for process, value in norms.items():
            print(f"  {process:24s} {value / muons:.4f}")
        print(f"  ratio {found['ratio']:.3f}, rms of ln epsilon {found['rms']:.2f} %")
        for channel, ratio in zip(CHANNELS, (1.0, found["ratio"]), strict=True):
            edge_table(channel, norms, ratio)
    if arguments.vertex:
        vertex_errors()


if __name__ == "__main__":
    main()
