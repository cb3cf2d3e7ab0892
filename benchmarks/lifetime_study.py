r"""What the lifetime model of K+ -> pi+ X gives against published limits. Numbers.

    python benchmarks/lifetime_study.py

The tables of docs/physics/kaon-to-pion.md, from the shipped channels and limits alone.
Nothing is fitted but lifetimes and paths that a published number would need, and these
are for reading. Two minutes on one core.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import bsmfit
from bsmfit.catalogue.files import data_root
from bsmfit.catalogue.kinds.pi_invisible_channel import load_pi_invisible
from bsmfit.catalogue.limit_curves import (
    limit_at,
    read_lifetime_csv,
    read_limit_csv,
    read_scalar_edge_csv,
)
from bsmfit.channels.pi_invisible import PiInvisibleChannel
from bsmfit.core.constants import HBAR
from bsmfit.inference.limits.invisible_limit import InvisibleLimit, invisible_limit

RUN1, ALL_DATA = "na62-pi-invisible-run1", "na62-pi-invisible-2016-2022"
DATA_2017, PI0 = "na62-pi-invisible-2017", "na62-pi0-invisible"
FOLDERS = {
    RUN1: "NA62_2103.15389",
    ALL_DATA: "NA62_2507.17286",
    DATA_2017: "NA62_2011.11329",
}
CL = 0.90
N_LARGEST = 40  # counts above it are not expected without signal
FIRST_REGION = 0.115  # GeV, between the two ranges of the mass
TABLE_MASSES = (0.0, 0.02, 0.04, 0.06, 0.08, 0.10, 0.16, 0.17, 0.19, 0.21, 0.23, 0.25)
EDGE_MASSES = tuple(np.round(np.arange(0.200, 0.2581, 0.004), 3))
CALIBRATION = (0.19, 500e-12)
LIFETIME_MASSES = (0.02, 0.05, 0.07, 0.09, 0.17, 0.19, 0.21, 0.23, 0.25)
NOTHING = (0.0, 0.0)

# Limits at 130 and 140 MeV over those for stable X, 9.52e-10 and 9.77e-10 [digitised]:
# arXiv:2010.07644, read by ALPaca (GitHub alp-aca/alp-aca, MIT, na62_kpipi0.npy)
PI0_RATIOS = (
    (0.130, 0.2e-9, 3.18e-5 / 9.52e-10),
    (0.130, 0.5e-9, 7.19e-8 / 9.52e-10),
    (0.130, 1.0e-9, 8.48e-9 / 9.52e-10),
    (0.130, 2.0e-9, 2.81e-9 / 9.52e-10),
    (0.130, 5.0e-9, 1.48e-9 / 9.52e-10),
    (0.140, 0.2e-9, 3.52e-5 / 9.77e-10),
    (0.140, 0.5e-9, 7.75e-8 / 9.77e-10),
    (0.140, 1.0e-9, 8.93e-9 / 9.77e-10),
    (0.140, 2.0e-9, 3.02e-9 / 9.77e-10),
    (0.140, 5.0e-9, 1.56e-9 / 9.77e-10),
)


def show(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a markdown table."""
    print(f"\n**{title}**\n\n| {' | '.join(head)} |")
    print(f"|{' --- |' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")


def escape(channel: PiInvisibleChannel, mass: float, lifetime: float) -> float:
    """Probability that an X of this mass [GeV] and lifetime [s] is not seen."""
    width = jnp.asarray(HBAR / lifetime)
    return float(jnp.exp(channel.escape(jnp.asarray(mass), width)[0]))


def needed_lifetime(channel: PiInvisibleChannel, mass: float, share: float) -> float:
    """Lifetime [s] at which this share of X escapes, on a grid of one per mille."""
    log_lifetimes = np.linspace(np.log(1e-11), np.log(1e-4), 16001)
    log_escape = _log_escape(channel, jnp.asarray(mass), jnp.asarray(log_lifetimes))
    return float(
        np.exp(np.interp(np.log(share), np.asarray(log_escape), log_lifetimes))
    )


@eqx.filter_jit
def _log_escape(
    channel: PiInvisibleChannel,
    mass: Float[Array, ""],
    log_lifetimes: Float[Array, " n"],
) -> Float[Array, " n"]:
    """Log of the escape probability by lifetime."""
    widths = HBAR * jnp.exp(-log_lifetimes)
    return jax.vmap(lambda width: channel.escape(mass, width)[0])(widths)


# -------------------------------------------------------- what a channel is made of
def channel_table(name: str) -> None:
    """Acceptance ratio, sensitivity, resolution, background, count and factor."""
    channel = load_pi_invisible(name)
    masses = jnp.asarray(TABLE_MASSES)
    limits = _limits(channel, masses, jnp.zeros_like(masses))
    rows = []
    for i, mass in enumerate(TABLE_MASSES):
        value = jnp.asarray(mass)
        rows.append(
            (
                f"{1e3 * mass:.0f}",
                f"{float(jnp.exp(channel.log_acceptance_ratio(value))):.3f}",
                f"{float(limits.sensitivity[i]):.2e}",
                f"{1e3 * float(channel.resolution(value)):.2f}",
                f"{float(limits.background[i]):.2f}",
                f"{float(limits.n_observed[i]):.2f}",
                f"{float(limits.signal_factor[i]):.3f}",
                f"{float(limits.branching_ratio[i]):.2e}",
                f"{float(limits.expected[i, 2]):.2e}",
            )
        )
    head = ("m [MeV]", "r", "SES", "sigma [1e-3 GeV^2]", "b", "n", "factor")
    show(name, (*head, "limit", "expected limit"), rows)


# ---------------------------------------------------- limits at finite lifetimes
def published_ratios(name: str) -> list[tuple[float, float, float]]:
    """Mass [GeV], lifetime [s] and published limit over that for stable X."""
    folder = data_root() / FOLDERS[name]
    table = read_lifetime_csv(folder / "limit_by_lifetime.csv")
    stable = limit_at(read_limit_csv(folder / "limit_stable.csv"), table.mass)
    return list(zip(table.mass, table.lifetime, table.limit / stable, strict=True))


def lifetime_ratios(name: str) -> list[tuple[float, float, float, float]]:
    """Mass, lifetime, our and the published limit over that for stable X."""
    channel, points = load_pi_invisible(name), published_ratios(name)
    mass, lifetime, theirs = (np.array(column) for column in zip(*points, strict=True))
    widths = jnp.asarray(HBAR / lifetime)
    finite = _limits(channel, jnp.asarray(mass), widths).branching_ratio
    stable = _limits(channel, jnp.asarray(mass), 0.0 * widths).branching_ratio
    ours = np.asarray(finite / stable)
    return list(zip(mass, lifetime, ours, theirs, strict=True))


@eqx.filter_jit
def _limits(
    channel: PiInvisibleChannel,
    masses: Float[Array, " n"],
    widths: Float[Array, " n"],
) -> InvisibleLimit:
    """Limits at many points, the end of the veto uncertain."""

    def limit(mass: Float[Array, ""], width: Float[Array, ""]) -> InvisibleLimit:
        return invisible_limit(channel, mass, decay_width=width, cl=CL, n_max=N_LARGEST)

    return jax.vmap(limit)(masses, widths)


def show_lifetimes(name: str, *, masses: Sequence[float]) -> None:
    """Our ratio to the limit for stable X over the published one, and its spread."""
    points = lifetime_ratios(name)
    lifetimes = sorted({lifetime for _, lifetime, _, _ in points})
    at = {(mass, lifetime): (ours, theirs) for mass, lifetime, ours, theirs in points}
    rows = []
    for mass in masses:
        found = [at.get((round(mass, 3), lifetime)) for lifetime in lifetimes]
        cells = [
            f"{a / b:.2f} ({b:.3g})" if (a, b) != NOTHING else "-"
            for a, b in (entry or NOTHING for entry in found)
        ]
        rows.append((f"{1e3 * mass:.0f}", *cells))
    head = ("m [MeV]", *(f"{1e9 * lifetime:g} ns" for lifetime in lifetimes))
    show(f"{name}: ours over published (published UL/UL stable)", head, rows)
    show_spread(name, points)


def show_spread(name: str, points: Sequence[tuple[float, ...]]) -> None:
    """Mean and root mean square of ours over published, by range and lifetime."""
    array = np.array([p for p in points if (p[0], p[1]) != CALIBRATION])
    relative = array[:, 2] / array[:, 3] - 1.0
    rows = []
    for label, is_first in (("below the pi0", True), ("above the pi0", False)):
        for lifetime in np.unique(array[:, 1]):
            here = (array[:, 0] < FIRST_REGION) == is_first
            here &= array[:, 1] == lifetime
            if here.any():
                part = relative[here]
                rms = np.sqrt(np.mean(part**2))
                cells = [f"{100 * part.mean():+.0f} %", f"{100 * rms:.0f} %"]
                rows.append((label, f"{1e9 * lifetime:g} ns", here.sum(), *cells))
    show(f"{name}: spread", ("masses", "lifetime", "points", "mean", "rms"), rows)


def path_factors(
    channel: PiInvisibleChannel, points: Iterable[tuple[float, float, float]]
) -> list[tuple[float, float, float, float]]:
    """By how much the path to the end of the veto is to be scaled.

    Escape depends on path over lifetime: scaling the one is dividing the other.

    Args:
        channel: The search.
        points: Mass [GeV], lifetime [s], published limit over that for stable X.

    Returns:
        Mass, lifetime, published ratio and factor on the path.
    """
    return [
        (mass, lifetime, ratio, lifetime / needed_lifetime(channel, mass, 1.0 / ratio))
        for mass, lifetime, ratio in points
    ]


def show_paths() -> None:
    """Factors on the path for the data of 2017, the pi0 region, and Run 1 beside."""
    for name in (RUN1, ALL_DATA, DATA_2017):
        points = [point for point in published_ratios(name) if point[2] > 1.05]
        found = path_factors(load_pi_invisible(name), points)
        rows = []
        for lifetime in sorted({entry[1] for entry in found}):
            factors = np.array([entry[3] for entry in found if entry[1] == lifetime])
            middle, low, high = np.quantile(factors, (0.5, 0.16, 0.84))
            cells = [f"{value:.2f}" for value in (middle, low, high)]
            rows.append((f"{1e9 * lifetime:g} ns", factors.size, *cells))
        head = ("lifetime", "points", "median", "16 %", "84 %")
        show(f"{name}: factor on the path that the published ratios need", head, rows)
    channel = load_pi_invisible(PI0)
    rows = [
        (f"{1e3 * m:.0f}", f"{1e9 * t:g} ns", f"{ratio:.3g}", f"{factor:.2f}")
        for m, t, ratio, factor in path_factors(channel, PI0_RATIOS)
    ]
    head = ("m [MeV]", "lifetime", "published ratio", "factor on the path")
    show(f"{PI0}: factor on the path", head, rows)


# ----------------------------------------------------------- the scalar of Run 1
def show_scalar_edge() -> None:
    """Both edges of sin^2(theta) against the published lower one."""
    channel = load_pi_invisible(RUN1)
    folder = data_root() / FOLDERS[RUN1]
    edge = read_scalar_edge_csv(folder / "scalar_edge.csv")
    stable = read_limit_csv(folder / "limit_stable.csv")
    model = bsmfit.load_model("dark-scalar", preset="na62-run1")
    masses = np.array(EDGE_MASSES)
    result = bsmfit.scan_plane(
        model, channel, mass=masses, coupling=(1e-9, 1e-2, 701), cl=CL
    )
    ours = bsmfit.coupling_edges(result)
    rows = []
    for i, mass in enumerate(masses):
        published = float(np.interp(mass, edge.mass, edge.mixing_squared))
        here = model(jnp.asarray(mass), jnp.asarray(published))
        lifetime = HBAR / float(here.decay_width)
        limit = float(limit_at(stable, masses[i : i + 1])[0])
        share = limit / float(here.production["kaon-to-pion"])
        needed = needed_lifetime(channel, mass, share) if share < 1.0 else np.inf
        rows.append(
            (
                f"{1e3 * mass:.0f}",
                f"{published:.3g}",
                f"{ours.lower[i]:.3g}",
                f"{ours.lower[i] / published:.2f}",
                f"{ours.upper[i]:.2g}" if ours.n_crossings[i] > 1 else "> 0.01",
                f"{escape(channel, mass, lifetime):.3f}",
                f"{share:.2f}",
                f"{1e9 * lifetime:.3g}",
                f"{1e9 * needed:.2g}" if np.isfinite(needed) else "-",
            )
        )
    head = ("m [MeV]", "published", "ours", "ratio", "upper edge, ours")
    needs = ("P_esc", "P_esc needed", "lifetime [ns]", "lifetime needed [ns]")
    show("Run 1, sin^2(theta), preset na62-run1", (*head, *needs), rows)


def main() -> None:
    """Print all tables."""
    bsmfit.enable_x64()
    for name in (RUN1, ALL_DATA):
        channel_table(name)
    for name in (RUN1, ALL_DATA):
        show_lifetimes(name, masses=LIFETIME_MASSES)
    show_paths()
    show_scalar_edge()


if __name__ == "__main__":
    main()
