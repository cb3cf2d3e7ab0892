r"""Limits on another vector from those on the dark photon in DarkCast's way, and ours.

    python benchmarks/darkcast_way.py [--figure docs/figures/b-minus-l-darkcast.png]

arXiv:1801.04847 maps an excluded interval of $\epsilon$ to one of g at each mass with
one production process, whose rate is known up to a norm, and one effective decay
volume: it solves

$$\sigma_1(g)\,BR_1\,\eta(\tau_1) = \sigma_0(\epsilon)\,BR_0\,\eta(\tau_0), \qquad
  \eta(\tau) = e^{-t_0/\tau} - e^{-t_1/\tau}, \quad
  t_1 = t_0 (1 + L_{dec}/L_{sh}),$$

with $t_0$ from the equality of both edges of the reference. For the dump its files take
decays of the eta and $L_{dec}/L_{sh}$ = 75/142. Here the reference is our own dark
photon with the preset `published-leptonic`, which follows the published contours, so
that nothing but the way of the recast differs. A minute on one core.
"""

from __future__ import annotations

import argparse

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import brentq

import bsmfit

PRESET = "published-leptonic"
DECAY_OVER_SHIELD = 75.0 / 142.0
CHANNELS = {"na62-dump-ee": ("ee", 0.006, 0.45), "na62-dump-mumu": ("mumu", 0.215, 0.6)}
TRACES = {"eta-decay": "eta alone", "proton-bremsstrahlung": "bremsstrahlung alone"}


def edges(model: str, channel: str, low: float, high: float) -> bsmfit.CouplingEdges:
    """Excluded couplings of a model, on masses that all models share."""
    result = bsmfit.scan_plane(
        bsmfit.load_model(model, PRESET),
        bsmfit.load_channel(channel),
        mass=np.geomspace(low, high, 80),
        coupling=(1e-8, 1e-3, 400),
        cl=0.90,
    )
    return bsmfit.coupling_edges(result)


def unit_rates(model: str, state: str, masses: np.ndarray) -> dict[str, np.ndarray]:
    """Width, share of the final state and production at unit coupling."""
    function = bsmfit.load_model(model, "full").function
    at = jax.jit(jax.vmap(function, (0, None)))(jnp.asarray(masses), jnp.asarray(1.0))
    rates = {name: np.asarray(rate) for name, rate in at.production.items()}
    share = np.asarray(at.branching_ratios[state])
    return {"width": np.asarray(at.decay_width), "share": share} | rates


def log_acceptance(x: float) -> float:
    """Logarithm of the share that decays in the volume, for t_0 over the lifetime."""
    return -x + float(np.log(-np.expm1(-x * DECAY_OVER_SHIELD)))


def recast(low: float, high: float, rate: float, width: float) -> tuple[float, float]:
    """Edges of g^2 over the lower edge of epsilon^2, from two ratios at unit coupling.

    Args:
        low: Lower edge of the reference.
        high: Its upper edge.
        rate: Production times branching ratio over those of the reference.
        width: Width over that of the reference.

    Returns:
        Both edges in the coupling; nan where nothing is excluded.
    """
    step = (high / low) ** 2

    def unequal(x: float) -> float:
        return np.log(step) + log_acceptance(x * step) - log_acceptance(x)

    # t_0 over the lifetime at the lower edge
    x0 = brentq(unequal, 1e-12, 50.0)

    def gain(log: float) -> float:
        g2 = np.exp(log)
        now = log_acceptance(x0 * width * g2)
        return log + np.log(rate) + now - log_acceptance(x0)

    grid = np.linspace(-30.0, np.log(step / width) + 10.0, 4000)
    signs = np.sign([gain(one) for one in grid])
    turns = np.flatnonzero(np.diff(signs) != 0)
    if turns.size < 2:
        return np.nan, np.nan
    roots = [brentq(gain, grid[k], grid[k + 1]) for k in turns[[0, -1]]]
    first, last = (low * float(np.exp(0.5 * root)) for root in roots)
    return first, last


def compare(channel: str) -> dict[str, np.ndarray]:
    """Edges by way of recast, on the masses where the dark photon is excluded."""
    state, low, high = CHANNELS[channel]
    reference = edges("dark-photon", channel, low, high)
    ours = edges("b-minus-l", channel, low, high)
    masses = np.asarray(reference.mass)
    photon = unit_rates("dark-photon", state, masses)
    vector = unit_rates("b-minus-l", state, masses)
    found = {"mass": masses, "ours": np.stack([ours.lower, ours.upper])}
    for process, words in TRACES.items():
        rows = []
        for k in range(masses.size):
            span = float(reference.lower[k]), float(reference.upper[k])
            is_open = np.all(np.isfinite(span)) and photon[process][k] > 0.0
            if not is_open or span[1] <= 1.001 * span[0]:
                rows.append((np.nan, np.nan))
                continue
            wanted = ("width", "share", process)
            ratio = {key: vector[key][k] / photon[key][k] for key in wanted}
            rate = ratio[process] * ratio["share"]
            rows.append(recast(span[0], span[1], rate, ratio["width"]))
        found[words] = np.array(rows).T
    return found


def draw(results: dict[str, dict[str, np.ndarray]], path: str) -> None:
    """Our regions, and the edges of the other way on top."""
    figure, axis = plt.subplots(figsize=(5.2, 4.2))
    styles = {"ours": ("C0", "-"), "eta alone": ("C3", "--")}
    styles["bremsstrahlung alone"] = ("C2", ":")
    for found in results.values():
        mass = 1e3 * found["mass"]
        axis.fill_between(mass, *found["ours"], color="C0", alpha=0.15, lw=0)
        for name, (color, dash) in styles.items():
            for edge in found[name]:
                axis.plot(mass, edge, color=color, ls=dash, lw=1.3)
    labels = {
        "ours": "recomputed: all production, widths, acceptance",
        "eta alone": "DarkCast's way, production by the eta alone",
        "bremsstrahlung alone": "DarkCast's way, production by bremsstrahlung alone",
    }
    for name, (color, dash) in styles.items():
        axis.plot([], [], color=color, ls=dash, lw=1.3, label=labels[name])
    axis.set(xscale="log", yscale="log", xlim=(6, 600), ylim=(8e-8, 6e-5))
    axis.set_xlabel(r"$m_X$ [MeV]")
    axis.set_ylabel(r"$g_{B-L}$")
    axis.set_title("B - L, na62-dump-ee and na62-dump-mumu, 90 % CL", fontsize=9)
    axis.legend(fontsize=7, frameon=False, loc="upper right")
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--figure", help="file of the figure")
    given = parser.parse_args()
    bsmfit.enable_x64()
    results = {channel: compare(channel) for channel in CHANNELS}
    for channel, found in results.items():
        print(f"\n{channel}: edges of the other way over ours, lower / upper")
        print("mass [MeV]  " + "  ".join(f"{w:>22}" for w in TRACES.values()))
        for k in range(0, found["mass"].size, 8):
            ratios = [found[w][:, k] / found["ours"][:, k] for w in TRACES.values()]
            words = "  ".join(f"{low:10.2f} / {high:9.2f}" for low, high in ratios)
            print(f"{1e3 * found['mass'][k]:10.1f}  {words}")
    if given.figure:
        draw(results, given.figure)


if __name__ == "__main__":
    main()
