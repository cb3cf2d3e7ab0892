r"""How often do limits and intervals hold the true signal? Exact sums, no toys.

    python benchmarks/coverage.py            # coverage.csv, minimum.csv and the figure
    python benchmarks/coverage.py --figure   # the figure alone, from the files

One count with true signal s and background b, log-normal errors of the same size on
both, each known from one auxiliary measurement a. Definitions and results are in
docs/coverage.md.

In every method an observed a shifts the centre of its nuisance, $\theta = a + \theta'$:
the limit on the strength is $U(n, b\,\kappa^{a_b})/\kappa^{a_s}$ with $U$ at nominal
auxiliaries. So the integral over $a_s$ is a normal distribution function, and
that over $a_b$ runs over smooth functions: equidistant nodes.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from scipy.special import gammaln, ndtr, xlogy

import bsmfit
from bsmfit.inference.asymptotics.counting import asymptotic_counting_limit
from bsmfit.inference.counts.marginal import marginal_counts, marginal_log_limits
from bsmfit.inference.fits.counting_fit import CountingPoint
from bsmfit.inference.intervals.feldman_cousins import feldman_cousins_belt
from bsmfit.likelihood.counting import CountingModel
from bsmfit.likelihood.poisson import upper_limit
from bsmfit.likelihood.quadrature import NuisanceQuadrature, axis_rule

CL = 0.90
BACKGROUNDS = (0.016, 0.3, 3.0, 30.0)
UNCERTAINTIES = (0.0, 0.1, 0.3)
LARGEST_SIGNAL = {0.016: 15.0, 0.3: 15.0, 3.0: 20.0, 30.0: 40.0}
LARGEST_COUNT = {0.016: 60, 0.3: 60, 3.0: 60, 30.0: 130}
N_SIGNAL = 120
N_FINE = 3000
TRUTHS = ("auxiliary", "prior")
AUXILIARY = np.linspace(-5.0, 5.0, 101)
AUXILIARY_WEIGHTS = np.exp(-0.5 * AUXILIARY**2) / np.exp(-0.5 * AUXILIARY**2).sum()

FOLDER = Path(__file__).parent / "coverage"
FIGURE = Path(__file__).parent.parent / "docs" / "figures" / "coverage.png"


class Ends(NamedTuple):
    """Ends of the intervals at nominal auxiliaries: (n_background, n_count)."""

    low: np.ndarray
    high: np.ndarray


# ----------------------------------------------------------------- limits by method
Interval = Callable[[jax.Array], tuple[jax.Array, jax.Array]]
"""From a background to the two ends for all counts, everything else nominal."""


def exact(n_max: int, uncertainty: float) -> Interval:
    """Exact CLs for a known background; the uncertainty is left out."""
    del uncertainty
    n = jnp.arange(n_max + 1)

    def interval(background: jax.Array) -> tuple[jax.Array, jax.Array]:
        limit = jax.vmap(lambda k: upper_limit(k, background, cl=CL, n_max=n_max).n_up)(
            n
        )
        return jnp.zeros_like(limit), limit

    return interval


def marginal(n_max: int, uncertainty: float) -> Interval:
    """Exact CLs with both nuisances averaged over."""
    log_kappa = math.log1p(uncertainty)

    def model(background: jax.Array) -> CountingModel:
        return CountingModel(
            signal_log_kappa=jnp.array([[log_kappa, 0.0]]),
            background=background[None],
            background_log_kappa=jnp.array([[0.0, log_kappa]]),
            nuisance_names=("efficiency", "background"),
        )

    quadrature = NuisanceQuadrature.from_model(model(jnp.array(1.0)))

    def interval(background: jax.Array) -> tuple[jax.Array, jax.Array]:
        counts = marginal_counts(
            jnp.zeros(1), model(background), quadrature=quadrature, n_max=n_max
        )
        log_limit, is_converged = marginal_log_limits(counts, cl=CL)
        limit = jnp.where(is_converged, jnp.exp(log_limit), jnp.nan)
        return jnp.zeros_like(limit), limit

    return interval


def feldman_cousins(n_max: int, uncertainty: float) -> Interval:
    """Feldman and Cousins for a known background; the uncertainty is left out."""
    del uncertainty

    def interval(background: jax.Array) -> tuple[jax.Array, jax.Array]:
        belt = feldman_cousins_belt(background, cl=CL, n_max=n_max)
        return belt.low, belt.high

    return interval


def asymptotic(n_max: int, uncertainty: float) -> Interval:
    """Asymptotic CLs, both nuisances profiled."""
    log_kappa = jnp.array(math.log1p(uncertainty))
    n = jnp.arange(n_max + 1).astype(float)

    def interval(background: jax.Array) -> tuple[jax.Array, jax.Array]:
        def limit(k: jax.Array) -> jax.Array:
            point = CountingPoint.from_nominal(
                k,
                jnp.array(1.0),
                signal_log_kappa=log_kappa,
                background=background[None],
                background_log_kappa=log_kappa[None],
            )
            return asymptotic_counting_limit(point, cl=CL, n_step=14)[0]

        high = jax.vmap(limit)(n)
        return jnp.zeros_like(high), high

    return interval


METHODS = {
    "exact": exact,
    "marginal": marginal,
    "feldman_cousins": feldman_cousins,
    "asymptotic": asymptotic,
}


@cache
def _compiled(method: str, n_max: int, uncertainty: float) -> Callable:
    interval = METHODS[method](n_max, uncertainty)
    return jax.jit(lambda backgrounds: jax.lax.map(interval, backgrounds))


@cache
def interval_ends(
    method: str, background: float, *, uncertainty: float, is_fluctuated: bool
) -> Ends:
    """Ends of a method's intervals on the strength, the efficiency at its nominal.

    Args:
        method: One of METHODS.
        background: True background at nominal nuisances [events].
        uncertainty: Relative error of efficiency and background.
        is_fluctuated: Whether the measured background is that of each node of
            AUXILIARY, or the nominal one.

    Returns:
        The ends by measured background and count.
    """
    is_aware = method in ("marginal", "asymptotic")
    n_max = LARGEST_COUNT[background]
    function = _compiled(method, n_max, uncertainty if is_aware else 0.0)
    measured = (1.0 + uncertainty) ** (AUXILIARY if is_fluctuated else np.zeros(1))
    ends = Ends(*(np.asarray(end) for end in function(background * measured)))
    if not np.isfinite(ends).all():
        message = f"{method} did not converge at background {background}"
        raise RuntimeError(message)
    return ends


# --------------------------------------------------------------------- probabilities
def poisson(n_max: int, expected: np.ndarray) -> np.ndarray:
    """Probability of 0 to n_max events: (..., n_count)."""
    n = np.arange(n_max + 1)
    rate = np.asarray(expected)[..., None]
    return np.exp(xlogy(n, rate) - rate - gammaln(n + 1))


def averaged_poisson(
    n_max: int, signals: np.ndarray, background: float, uncertainty: float
) -> np.ndarray:
    """The same with both nuisances drawn from their unit normals."""
    nodes, weights = axis_rule(math.log1p(uncertainty))
    response = (1.0 + uncertainty) ** nodes
    rate = signals[:, None, None] * response[:, None] + background * response[None, :]
    total = np.zeros((signals.size, n_max + 1))
    for i, j in product(range(nodes.size), repeat=2):
        total += weights[i] * weights[j] * poisson(n_max, rate[:, i, j])
    return total


def covered(ends: Ends, signals: np.ndarray) -> np.ndarray:
    """Whether each count's interval holds each signal: (n_signal, n_count)."""
    true = signals[:, None]
    return ((ends.low[0] <= true) & (true <= ends.high[0])).astype(float)


def covered_with_auxiliaries(
    ends: Ends, signals: np.ndarray, uncertainty: float
) -> np.ndarray:
    """Probability over both auxiliaries that each count's interval holds the signal."""
    log_kappa = math.log1p(uncertainty)
    total = np.zeros((signals.size, ends.high.shape[1]))
    with np.errstate(divide="ignore"):
        log_low, log_high = np.log(ends.low), np.log(ends.high)
    log_signal = np.log(signals)[:, None]
    for j, weight in enumerate(AUXILIARY_WEIGHTS):
        total += weight * (
            ndtr((log_high[j] - log_signal) / log_kappa)
            - ndtr((log_low[j] - log_signal) / log_kappa)
        )
    return total


def coverage(
    method: str,
    signals: np.ndarray,
    *,
    background: float,
    uncertainty: float = 0.0,
    truth: str = "auxiliary",
) -> np.ndarray:
    """Probability that the interval of a method holds the true signal.

    Args:
        method: One of METHODS.
        signals: True signals at nominal nuisances [events].
        background: True background at nominal nuisances [events].
        uncertainty: Relative error of efficiency and background.
        truth: "auxiliary": nuisances nominal, their measurements fluctuate. "prior":
            measurements nominal, nuisances drawn from the normals around them.

    Returns:
        Coverage at each signal.
    """
    ends = interval_ends(
        method,
        background,
        uncertainty=uncertainty,
        is_fluctuated=truth == "auxiliary" and uncertainty > 0.0,
    )
    return coverage_of(
        ends,
        signals,
        background=background,
        uncertainty=uncertainty,
        truth=truth,
    )


def coverage_of(
    ends: Ends,
    signals: np.ndarray,
    *,
    background: float,
    uncertainty: float,
    truth: str,
) -> np.ndarray:
    """The sum over counts; counts above the largest hold the signal below any limit."""
    n_max = ends.high.shape[1] - 1
    if truth == "prior" and uncertainty > 0.0:
        probabilities = averaged_poisson(n_max, signals, background, uncertainty)
    else:
        probabilities = poisson(n_max, signals + background)
    if truth == "auxiliary" and uncertainty > 0.0:
        inside = covered_with_auxiliaries(ends, signals, uncertainty)
    else:
        inside = covered(ends, signals)
    is_limit = not ends.low.any()
    above = np.clip(1.0 - probabilities.sum(axis=1), 0.0, 1.0) if is_limit else 0.0
    return (probabilities * inside).sum(axis=1) + above


# ------------------------------------------------------------------------- the files
def cases() -> Iterator[tuple[float, float, str]]:
    """Background, uncertainty and truth; one truth where nothing is uncertain."""
    for background, uncertainty in product(BACKGROUNDS, UNCERTAINTIES):
        for truth in TRUTHS if uncertainty else ("known",):
            yield background, uncertainty, truth


def signal_grid(background: float, n_signal: int) -> np.ndarray:
    largest = LARGEST_SIGNAL[background]
    return np.linspace(largest / n_signal, largest, n_signal)


def fine_grid(background: float) -> np.ndarray:
    """A dense grid, and just above every end, where the coverage of limits is least."""
    grid = signal_grid(background, N_FINE)
    ends = [
        interval_ends(method, background, uncertainty=u, is_fluctuated=False)
        for method, u in product(METHODS, UNCERTAINTIES)
    ]
    jumps = np.concatenate([end.high[0] * (1.0 + 1e-9) for end in ends])
    lower = np.concatenate([end.low[0] * (1.0 - 1e-9) for end in ends])
    jumps = np.concatenate([jumps, lower[lower > 0.0]])
    return np.sort(np.concatenate([grid, jumps[jumps <= grid[-1]]]))


def write_coverage() -> None:
    rows, minima = [], []
    for background, uncertainty, truth in cases():
        coarse = signal_grid(background, N_SIGNAL)
        fine = fine_grid(background)
        setting = {"background": background, "uncertainty": uncertainty}
        which = {**setting, "truth": truth if truth in TRUTHS else TRUTHS[0]}
        values = [coverage(method, coarse, **which) for method in METHODS]
        rows += [
            (background, uncertainty, truth, *row)
            for row in zip(coarse, *values, strict=True)
        ]
        for method, typical in zip(METHODS, values, strict=True):
            value = coverage(method, fine, **which)
            at = int(np.argmin(value))
            minima.append(
                (
                    *(background, uncertainty, truth, method),
                    *(value[at], fine[at], float(np.median(typical))),
                )
            )
    write_table(
        "coverage.csv",
        ("background", "uncertainty", "truth", "signal", *METHODS),
        rows,
        "Coverage of 90 % upper limits (exact, marginal, asymptotic) and 90 % intervals"
        " (feldman_cousins).",
    )
    write_table(
        "minimum.csv",
        (
            *("background", "uncertainty", "truth", "method"),
            *("minimum", "at_signal", "median"),
        ),
        minima,
        "Smallest coverage over signals up to the largest of coverage.csv, on a dense"
        " grid and beside every end of an interval, and the median over the signals of"
        " coverage.csv.",
    )


HEADER = """# {title}
# Computed by benchmarks/coverage*.py (exact sums over counts, quadrature over
# auxiliaries); definitions in docs/coverage.md. Licence: BSD-3-Clause.
# background: true background at nominal nuisances [events]
# uncertainty: relative error of efficiency and of background, kappa = 1 + uncertainty
# truth: known (no nuisance) | auxiliary (nuisances nominal, measurements fluctuate)
#   | prior (measurements nominal, nuisances drawn)
# signal, at_signal: true signal at nominal nuisances [events]
# other numbers: probability that the interval holds the true signal
"""


def write_table(name: str, columns: tuple[str, ...], rows: list, title: str) -> None:
    def text(value: object) -> str:
        return value if isinstance(value, str) else f"{value:.6g}"

    lines = [",".join(columns), *(",".join(map(text, row)) for row in rows)]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / name).write_text(HEADER.format(title=title) + "\n".join(lines) + "\n")


def read(name: str) -> list[dict[str, str]]:
    lines = (FOLDER / name).read_text().splitlines()
    columns, *rows = [line.split(",") for line in lines if not line.startswith("#")]
    return [dict(zip(columns, row, strict=True)) for row in rows]


# ------------------------------------------------------------------------ the figure
LOOKS = {
    "asymptotic": ("C3", "asymptotic CLs"),
    "feldman_cousins": ("C2", "Feldman-Cousins (known $b$)"),
    "exact": ("C0", "exact CLs (known $b$)"),
    "marginal": ("k", "marginal CLs"),
}


def draw() -> None:
    """Coverage against the true signal: columns backgrounds, rows uncertainties."""
    style = Path(bsmfit.__file__).parent / "plot" / "bsmfit.mplstyle"
    table = read("coverage.csv")
    with plt.style.context(style):
        figure, axes = plt.subplots(
            len(UNCERTAINTIES),
            len(BACKGROUNDS),
            figsize=(7.0, 5.2),
            sharex="col",
            sharey=True,
        )
        for (i, uncertainty), (j, background) in product(
            enumerate(UNCERTAINTIES), enumerate(BACKGROUNDS)
        ):
            _panel(axes[i, j], table, background, uncertainty)
        for axis, background in zip(axes[0], BACKGROUNDS, strict=True):
            axis.set_title(f"$b = {background:g}$", fontsize=9)
        for axis in axes[-1]:
            axis.set_xlabel("true signal [events]")
        for axis, uncertainty in zip(axes[:, 0], UNCERTAINTIES, strict=True):
            label = f"errors {uncertainty:.0%}" if uncertainty else "no errors"
            axis.set_ylabel(f"coverage, {label}")
        handles = [
            Line2D([], [], color=colour, label=label)
            for colour, label in LOOKS.values()
        ]
        handles += [
            Line2D([], [], color="0.4", ls="-", label="measurements fluctuate"),
            Line2D([], [], color="0.4", ls=":", label="nuisances drawn"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=3)
        figure.savefig(FIGURE)
        plt.close(figure)


def _panel(axis, table: list[dict[str, str]], background: float, size: float) -> None:
    for truth, line in (("known", "-"), ("auxiliary", "-"), ("prior", ":")):
        rows = [
            row
            for row in table
            if float(row["background"]) == background
            and float(row["uncertainty"]) == size
            and row["truth"] == truth
        ]
        signal = [float(row["signal"]) for row in rows]
        for method, (colour, _) in LOOKS.items():
            if rows and not (method == "marginal" and truth == "known"):
                value = [float(row[method]) for row in rows]
                axis.plot(signal, value, color=colour, ls=line, lw=0.9)
    axis.axhline(CL, color="0.5", lw=0.6, zorder=0)
    axis.set_xlim(0.0, LARGEST_SIGNAL[background])
    axis.set_ylim(0.70, 1.005)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--figure", action="store_true", help="the figure alone")
    arguments = parser.parse_args()
    bsmfit.enable_x64()
    start = time.process_time()
    if not arguments.figure:
        write_coverage()
    draw()
    print(f"{time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
