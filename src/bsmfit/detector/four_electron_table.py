r"""Acceptance of $K^+\to\pi^+e^+e^-e^+e^-$ through two new particles, tabulated.

A pair is kept if its particle decays within a length d of the kaon's vertex. With the
exponential decay law the acceptance is

$$A = \frac{\sum w\,\chi\prod_i\big(1-e^{-t/p_i}\big)}{\sum w},\qquad
  t = \frac{m\,d}{c\tau}$$

with $\chi$ the selection of prompt pairs and $p_i$ the momenta of the two particles.
(Tracks that start by d further down change nothing; the shift of $m_{ee}$ that a wrong
vertex makes is left out.) It depends on lifetime and d through t alone; for small t
it is proportional to $t^2$. The table holds $\ln A$ on nodes of $\ln(t/\mathrm{GeV})$,
and the change of it where close tracks need twice the distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64

from bsmfit.core.constants import ELECTRON_MASS
from bsmfit.detector.four_electron_decays import (
    S_MAX,
    FiveTracks,
    five_tracks,
    recoil_squared,
)
from bsmfit.detector.four_electron_matrix_elements import (
    contact_weight,
    field_strength_weight,
)
from bsmfit.detector.four_electron_selection import (
    FourElectronCuts,
    is_selected,
    measure,
)
from bsmfit.detector.kaon_decays import KaonBeam
from bsmfit.detector.pair_acceptance import photon_mass_at
from bsmfit.detector.spectrometer import Spectrometer

__all__ = [
    "STANDARD_ELEMENTS",
    "FourElectronSearch",
    "FourElectronTable",
    "axion_pair_acceptance",
    "cascade_acceptance",
    "make_four_electron_table",
    "standard_acceptance",
]

STANDARD_ELEMENTS = ("uniform", "field-strength")
"""Matrix elements assumed for four electrons in the standard model: two virtual
photons, unpolarised with a constant amplitude, or coupled as F1 F2."""

_FLOOR = 1e-9  # acceptance that stands for none
_N_PART = 16


class FourElectronSearch(eqx.Module):
    """Everything that the simulation needs.

    Attributes:
        beam: Kaons and their decay volume.
        spectrometer: The chambers.
        cuts: Errors and cuts.
    """

    beam: KaonBeam
    spectrometer: Spectrometer
    cuts: FourElectronCuts


@dataclass(frozen=True)
class FourElectronTable:
    """What a channel interpolates.

    Attributes:
        log_times: Nodes of ln t, evenly spaced [ln GeV].
        axion_masses: Masses of a [GeV].
        axion: ln A by ln t, and in the last column its change at twice the distance of
            close tracks.
        axion_error: Relative statistical error of the prompt acceptance.
        scalar_masses: Masses of S [GeV].
        fractions: Nodes u of `bsmfit.detector.pair_acceptance.photon_mass_at`, evenly
            spaced.
        cascade: As `axion`, by mass of S and u.
        cascade_error: Relative statistical error; 0 where nothing is accepted.
        standard: Acceptance of the SM-like mode for `STANDARD_ELEMENTS`.
        standard_error: Relative statistical errors.
    """

    log_times: Float64[np.ndarray, " n_time"]
    axion_masses: Float64[np.ndarray, " n_mass"]
    axion: Float64[np.ndarray, "n_mass n_column"]
    axion_error: Float64[np.ndarray, " n_mass"]
    scalar_masses: Float64[np.ndarray, " n_scalar"]
    fractions: Float64[np.ndarray, " n_fraction"]
    cascade: Float64[np.ndarray, "n_scalar n_fraction n_column"]
    cascade_error: Float64[np.ndarray, "n_scalar n_fraction"]
    standard: Float64[np.ndarray, " 2"]
    standard_error: Float64[np.ndarray, " 2"]


def make_four_electron_table(
    search: FourElectronSearch,
    points: Float64[np.ndarray, "n d"],
    *,
    log_times: Float64[np.ndarray, " n_time"],
    axion_masses: Float64[np.ndarray, " n_mass"],
    scalar_masses: Float64[np.ndarray, " n_scalar"],
    fractions: Float64[np.ndarray, " n_fraction"],
    progress: Callable[[int, int], None] | None = None,
) -> FourElectronTable:
    """Simulate the search at all masses.

    Args:
        search: The search.
        points: Low-discrepancy points of the unit cube, the same at all masses.
        log_times: Nodes of ln t.
        axion_masses: Masses of a [GeV].
        scalar_masses: Masses of S [GeV].
        fractions: Nodes u of the mass of A', from 0 to 1.
        progress: Called with (points done, points in all).

    Returns:
        The table.
    """
    cube, times = jnp.asarray(points), jnp.exp(jnp.asarray(log_times))
    total = axion_masses.size + scalar_masses.size * fractions.size
    rows: list[tuple[np.ndarray, float]] = []

    def add(column: Float[Array, " n"], error: Float[Array, ""]) -> None:
        rows.append((np.asarray(column), float(error)))
        if progress:
            progress(len(rows), total)

    for mass in axion_masses:
        add(*axion_pair_acceptance(jnp.asarray(mass), cube, search, times=times))
    for mass in scalar_masses:
        for u in fractions:
            photon = photon_mass_at(jnp.asarray(mass), jnp.asarray(u))
            add(
                *cascade_acceptance(
                    jnp.asarray(mass), photon, cube, search, times=times
                )
            )
    columns = np.stack([column for column, _ in rows])
    errors = np.array([error for _, error in rows])
    n, shape = axion_masses.size, (scalar_masses.size, fractions.size)
    standard = [standard_acceptance(cube, search, element=e) for e in STANDARD_ELEMENTS]
    return FourElectronTable(
        log_times=log_times,
        axion_masses=axion_masses,
        axion=columns[:n],
        axion_error=errors[:n],
        scalar_masses=scalar_masses,
        fractions=fractions,
        cascade=columns[n:].reshape(*shape, -1),
        cascade_error=errors[n:].reshape(shape),
        standard=np.array([float(value) for value, _ in standard]),
        standard_error=np.array([float(error) for _, error in standard]),
    )


@eqx.filter_jit
def axion_pair_acceptance(
    mass: Float[Array, ""],
    points: Float[Array, "n d"],
    search: FourElectronSearch,
    *,
    times: Float[Array, " n_time"],
) -> tuple[Float[Array, " n_column"], Float[Array, ""]]:
    """Acceptance of K -> pi a a with a constant amplitude.

    Args:
        mass: Mass of a [GeV].
        points: Points of the unit cube.
        search: The search.
        times: Nodes of t [GeV].

    Returns:
        ln A by t and the change of it for close tracks; the relative error of A.
    """
    squared, jacobian = recoil_squared(points[:, 2], 2.0 * mass)
    decays = _decays(points, squared, (mass, mass), search)
    weight = decays.weight * jacobian
    return _columns(decays, weight, points, search, mass=mass, times=times)


@eqx.filter_jit
def cascade_acceptance(
    scalar_mass: Float[Array, ""],
    photon_mass: Float[Array, ""],
    points: Float[Array, "n d"],
    search: FourElectronSearch,
    *,
    times: Float[Array, " n_time"],
    is_isotropic: bool = False,
) -> tuple[Float[Array, " n_column"], Float[Array, ""]]:
    """Acceptance of K -> pi S, S -> A' A'.

    Args:
        scalar_mass: Mass of S [GeV].
        photon_mass: Mass of A' [GeV].
        points: Points of the unit cube.
        search: The search.
        times: Nodes of t [GeV].
        is_isotropic: Leave out the polarisation of the A', for comparison.

    Returns:
        As `axion_pair_acceptance`.
    """
    squared = jnp.full(points.shape[0], scalar_mass**2)
    decays = _decays(points, squared, (photon_mass, photon_mass), search)
    weight = contact_weight(decays.electrons)
    if is_isotropic:
        weight = jnp.ones_like(weight)
    return _columns(decays, weight, points, search, mass=photon_mass, times=times)


@eqx.filter_jit
def standard_acceptance(
    points: Float[Array, "n d"], search: FourElectronSearch, *, element: str
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""Acceptance of four electrons from two virtual photons, an assumption.

    The squared masses of the pairs are sampled evenly in their logarithms.

    Args:
        points: Points of the unit cube.
        search: The search.
        element: One of `STANDARD_ELEMENTS`.

    Returns:
        Acceptance without a mass window, and its relative error.
    """
    low = 4.0 * ELECTRON_MASS**2
    logs = jnp.log(S_MAX / low) * points[:, 11:13]
    squared = low * jnp.exp(logs)
    one, two = jnp.sqrt(squared[:, 0]), jnp.sqrt(squared[:, 1])
    recoil, jacobian = recoil_squared(points[:, 2], one + two)
    decays = _decays(points, recoil, (one, two), search)
    if element == "uniform":
        # the trace of a lepton tensor
        amplitude = jnp.prod(squared + 2.0 * ELECTRON_MASS**2, axis=1)
    else:
        amplitude = field_strength_weight(decays.electrons)
    # phase space of the pairs; two propagators to the fourth power; Jacobian q^2 each
    velocities = jnp.sqrt((1.0 - low / squared[:, 0]) * (1.0 - low / squared[:, 1]))
    pairs = velocities / (squared[:, 0] * squared[:, 1])
    weight = decays.weight * jacobian * pairs * amplitude
    weight = jnp.where(jacobian > 0.0, weight, 0.0)
    kept = _kept(decays, points, search, mass=None)
    value, error = _mean(jnp.where(kept, weight, 0.0), weight)
    return value, error


def _decays(
    points: Float[Array, "n d"],
    squared: Float[Array, " n"],
    masses: tuple[Float[Array, "*#n"], Float[Array, "*#n"]],
    search: FourElectronSearch,
) -> FiveTracks:
    return five_tracks(
        points, squared, masses, beam=search.beam, spectrometer=search.spectrometer
    )


def _kept(
    decays: FiveTracks,
    points: Float[Array, "n d"],
    search: FourElectronSearch,
    *,
    mass: Float[Array, ""] | None,
    separation: float = 1.0,
) -> Bool[Array, " n"]:
    """Selected decays, with close tracks at a multiple of the distance."""
    cuts = eqx.tree_at(
        lambda c: c.separation, search.cuts, search.cuts.separation * separation
    )
    seen = measure(
        decays, points, beam=search.beam, spectrometer=search.spectrometer, cuts=cuts
    )
    return is_selected(seen, cuts, mass=mass)


def _columns(
    decays: FiveTracks,
    weight: Float[Array, " n"],
    points: Float[Array, "n d"],
    search: FourElectronSearch,
    *,
    mass: Float[Array, ""],
    times: Float[Array, " n_time"],
) -> tuple[Float[Array, " n_column"], Float[Array, ""]]:
    kept = jnp.where(_kept(decays, points, search, mass=mass), weight, 0.0)
    wide = _kept(decays, points, search, mass=mass, separation=2.0)
    prompt, error = _mean(kept, weight)
    norm = jnp.sum(weight)

    def within(time: Float[Array, ""]) -> Float[Array, ""]:
        chances = -jnp.expm1(-time / decays.pair_momenta)
        return jnp.sum(kept * chances[:, 0] * chances[:, 1]) / norm

    by_time = jnp.maximum(jax.lax.map(within, times), _FLOOR * _slope(times))
    far = jnp.sum(jnp.where(wide, weight, 0.0)) / norm
    change = jnp.log(jnp.maximum(far, _FLOOR) / jnp.maximum(prompt, _FLOOR))
    return jnp.concatenate([jnp.log(by_time), change[None]]), error


def _slope(times: Float[Array, " n_time"]) -> Float[Array, " n_time"]:
    """The dependence on t of a typical momentum, for the floor."""
    return jnp.expm1(-times / 10.0) ** 2


def _mean(
    kept: Float[Array, " n"], weight: Float[Array, " n"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Share of the weight, and its relative error from every 16th point."""
    share = jnp.sum(kept) / jnp.sum(weight)
    parts = kept.reshape(-1, _N_PART).sum(axis=0) / weight.reshape(-1, _N_PART).sum(
        axis=0
    )
    error = jnp.std(parts) / jnp.sqrt(_N_PART - 1.0)
    is_seen = share > 0.0
    return share, jnp.where(is_seen, error / jnp.where(is_seen, share, 1.0), 0.0)
