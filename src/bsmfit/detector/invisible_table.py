r"""Acceptance, resolution and escape of $K^+\to\pi^+X$, tabulated by the mass of X.

A search for $K^+\to\pi^+\nu\bar\nu$ selects pions in windows of momentum and squared
missing mass; the same events, and the same sensitivity, are a search for invisible X:

$$SES_{\pi X}(m) = \frac{SES_{\pi\nu\bar\nu}}{r(m)},\qquad
  r(m) = \sum_s f_s\,\frac{A_s(m)}{A_{s,\pi\nu\bar\nu}},\qquad
  A_{s,\pi\nu\bar\nu} = \int dq^2\,\frac1\Gamma\frac{d\Gamma}{dq^2}\,A_s(\sqrt{q^2})$$

with data samples s that contribute the fractions $f_s$ of the expected
$\pi\nu\bar\nu$ events. Efficiencies that do not depend on $m_{miss}^2$ cancel in the
ratio. The events of $\pi\nu\bar\nu$ themselves are the main background; their density
in $m_{miss}^2$ is

$$\rho_{SM}(m^2) = \frac1\Gamma\frac{d\Gamma}{dq^2}\Big|_{q^2=m^2}
  \sum_s f_s\,\frac{A^{open}_s(m)}{A_{s,\pi\nu\bar\nu}}$$

inside the regions, per expected event, where "open" leaves out the window of
$m_{miss}^2$ (the resolution is much narrower than the structure of the spectrum).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64

from bsmfit.core.constants import KAON_CHARGED_MASS, PION_CHARGED_MASS
from bsmfit.detector.escape import log_escape
from bsmfit.detector.kaon_decays import KaonBeam, PionSample, pion_sample
from bsmfit.detector.missing_mass import TrackingErrors
from bsmfit.detector.spectrometer import Spectrometer

__all__ = ["DataSample", "InvisibleSearch", "InvisibleTable", "make_invisible_table"]

N_SPECTRUM_NODE = 200
"""Nodes of q^2: steps of 1e-3 GeV^2, as wide as the edges of the windows are smeared;
the acceptance of pi nu nu is then known to 1e-3 (24 nodes: to 4 %)."""


class DataSample(eqx.Module):
    """Data taken with one selection.

    Attributes:
        fraction: Share of the expected pi nu nu events of all samples [1].
        missing_mass_squared: Window of each region [GeV^2], (low, high).
        momentum: Window of the pion momentum in each region [GeV], (low, high).
    """

    fraction: Float[Array, ""]
    missing_mass_squared: Float[Array, "n_region 2"]
    momentum: Float[Array, "n_region 2"]


class InvisibleSearch(eqx.Module):
    """Everything that the simulation of a search needs.

    Attributes:
        beam: Kaons and their decay volume.
        spectrometer: What the pion has to cross.
        errors: Errors of the tracking.
        samples: The data samples, with the same regions of the missing mass.
        veto_end: Where along the beam decays of X are no longer seen [m].
    """

    beam: KaonBeam
    spectrometer: Spectrometer
    errors: TrackingErrors
    samples: tuple[DataSample, ...]
    veto_end: Float[Array, ""]


@dataclass(frozen=True)
class InvisibleTable:
    """What a channel interpolates, on nodes of the mass.

    Attributes:
        masses: Mass of X [GeV].
        log_rates: Nodes of ln[m / (c tau)] [GeV/m], evenly spaced.
        acceptance_ratio: r(m).
        acceptance_error: Its statistical error, from independent parts of the points.
        resolution: Standard deviation of the squared missing mass [GeV^2].
        neutrino_density: Density of pi nu nu events at m^2 per expected event
            [1/GeV^2]; 0 outside the regions.
        escape: g and h of `bsmfit.detector.escape`, [mass, log rate, 2].
        neutrino_acceptance: Acceptance of pi nu nu by sample.
        first_region_share: Share of the first region in the expected pi nu nu events.
    """

    masses: Float64[np.ndarray, " n_mass"]
    log_rates: Float64[np.ndarray, " n_rate"]
    acceptance_ratio: Float64[np.ndarray, " n_mass"]
    acceptance_error: Float64[np.ndarray, " n_mass"]
    resolution: Float64[np.ndarray, " n_mass"]
    neutrino_density: Float64[np.ndarray, " n_mass"]
    escape: Float64[np.ndarray, "n_mass n_rate 2"]
    neutrino_acceptance: Float64[np.ndarray, " n_sample"]
    first_region_share: float


def make_invisible_table(
    search: InvisibleSearch,
    masses: Float64[np.ndarray, " n_mass"],
    *,
    log_rates: Float64[np.ndarray, " n_rate"],
    points: Float64[np.ndarray, "n 7"],
    neutrino_spectrum: Callable[[Float[Array, " n_q"]], Float[Array, " n_q"]],
    progress: Callable[[int, int], None] | None = None,
) -> InvisibleTable:
    """Simulate a search at every mass.

    Args:
        search: The search.
        masses: Nodes of the mass of X [GeV], from 0 to below m_K - m_pi.
        log_rates: Nodes of ln[m / (c tau)] [GeV/m].
        points: Low-discrepancy points of the unit cube, the same at all masses.
        neutrino_spectrum: Density of q^2 in K -> pi nu nu, 1/GeV^2, of integral 1.
        progress: Called with (masses done, masses in all).

    Returns:
        The table.
    """
    cube = jnp.asarray(points)
    x, weights = np.polynomial.legendre.leggauss(N_SPECTRUM_NODE)
    q2_max = (KAON_CHARGED_MASS - PION_CHARGED_MASS) ** 2
    q2 = 0.5 * q2_max * (x + 1.0)
    density = np.asarray(neutrino_spectrum(jnp.asarray(q2)))
    shares = 0.5 * q2_max * weights * density
    by_region = sum(
        share * np.asarray(_acceptance(jnp.asarray(q), cube, search).selected)
        for q, share in zip(np.sqrt(q2), shares, strict=True)
    )
    accepted = np.asarray(by_region).sum(axis=1)
    fractions = np.array([float(sample.fraction) for sample in search.samples])
    scale = jnp.asarray(fractions / accepted)
    columns = []
    for done, mass in enumerate(masses):
        columns.append(
            _at_mass(
                jnp.asarray(mass), cube, search, scale=scale, rates=jnp.array(log_rates)
            )
        )
        if progress:
            progress(done + 1, masses.size)
    ratio, error, resolution, opened, escape = (
        np.stack([np.asarray(entry) for entry in column])
        for column in zip(*columns, strict=True)
    )
    return InvisibleTable(
        masses=masses,
        log_rates=log_rates,
        acceptance_ratio=ratio,
        acceptance_error=error,
        resolution=resolution,
        neutrino_density=opened * np.asarray(neutrino_spectrum(jnp.asarray(masses**2))),
        escape=escape,
        neutrino_acceptance=accepted,
        first_region_share=float((fractions / accepted) @ np.asarray(by_region)[:, 0]),
    )


class _Acceptance(eqx.Module):
    """Accepted shares of the decays, by sample and region."""

    selected: Float[Array, "n_sample n_region"]
    opened: Float[Array, "n_sample n_region"]


@eqx.filter_jit
def _acceptance(
    mass: Float[Array, ""], points: Float[Array, "n 7"], search: InvisibleSearch
) -> _Acceptance:
    """Acceptance with and without the windows of the missing mass."""
    decays = _decays(mass, points, search)
    in_momentum, in_mass = _windows(decays, search.samples)
    return _Acceptance(
        selected=jnp.mean(_kept(in_momentum & in_mass, decays.weight), axis=-1),
        opened=jnp.mean(_kept(in_momentum, decays.weight), axis=-1),
    )


@eqx.filter_jit
def _at_mass(
    mass: Float[Array, ""],
    points: Float[Array, "n 7"],
    search: InvisibleSearch,
    *,
    scale: Float[Array, " n_sample"],
    rates: Float[Array, " n_rate"],
) -> tuple[
    Float[Array, ""],
    Float[Array, ""],
    Float[Array, ""],
    Float[Array, ""],
    Float[Array, "n_rate 2"],
]:
    """Ratio, its error, resolution, open ratio and escape at one mass."""
    decays = _decays(mass, points, search)
    in_momentum, in_mass = _windows(decays, search.samples)
    is_selected = jnp.any(in_momentum & in_mass, axis=1)
    weight = (scale @ is_selected.astype(scale.dtype)) * decays.weight
    ratio = jnp.mean(weight)
    parts = jnp.mean(weight.reshape(-1, 16), axis=0)  # every 16th point is one part
    window = jnp.stack([s.missing_mass_squared for s in search.samples])
    here = (mass**2 >= window[..., 0]) & (mass**2 <= window[..., 1])
    open_weight = jnp.einsum(
        "s,srn,sr->n",
        scale,
        _kept(in_momentum, decays.weight),
        here.astype(scale.dtype),
    )
    any_weight = _kept(jnp.any(in_momentum, axis=(0, 1)), decays.weight)
    # slow pions of the heaviest X miss the momentum windows: all accepted ones then
    any_weight = jnp.where(jnp.sum(any_weight) > 0.0, any_weight, decays.weight)
    residual = decays.missing_mass_squared - mass**2
    spread = jnp.sqrt(jnp.sum(any_weight * residual**2) / jnp.sum(any_weight))
    # where nothing is selected, the momentum windows alone give the escape
    chosen = jnp.where(ratio > 0.0, weight, any_weight)
    path = (search.veto_end - decays.vertex_z) / decays.x_momentum
    escape = jax.lax.map(
        lambda rate: jnp.stack(
            log_escape(
                rate,
                path_over_momentum=path,
                momentum=decays.x_momentum,
                weight=chosen,
            )
        ),
        rates,
    )
    error = jnp.std(parts) / jnp.sqrt(15.0)
    return ratio, error, spread, jnp.mean(open_weight), escape


def _decays(
    mass: Float[Array, ""], points: Float[Array, "n 7"], search: InvisibleSearch
) -> PionSample:
    return pion_sample(
        mass,
        points,
        beam=search.beam,
        spectrometer=search.spectrometer,
        errors=search.errors,
    )


def _kept(
    is_kept: Bool[Array, "*window n"], weight: Float[Array, " n"]
) -> Float[Array, "*window n"]:
    """Weights of the decays that are kept, 0 for the others."""
    return jnp.where(is_kept, jnp.broadcast_to(weight, is_kept.shape), 0.0)


def _windows(
    decays: PionSample, samples: Sequence[DataSample]
) -> tuple[
    Bool[Array, "n_sample n_region n"],
    Bool[Array, "n_sample n_region n"],
]:
    """Whether each decay is in the momentum and missing-mass window of a region."""

    def inside(value: Float[Array, " n"], window: Float[Array, "n_region 2"]):
        low, high = window[:, 0, None], window[:, 1, None]
        return (value[None, :] > low) & (value[None, :] < high)

    momenta = [inside(decays.pion_momentum, s.momentum) for s in samples]
    masses = [
        inside(decays.missing_mass_squared, s.missing_mass_squared) for s in samples
    ]
    return jnp.stack(momenta), jnp.stack(masses)
