r"""Validation of the exclusion of a Higgs-mixed scalar by Run 1 (2103.15389).

The lower edge in $\sin^2\theta$ is published at 66 masses. With the normalisation that
was inferred from the same publication it is a consistency row; with our own coefficient
it is independent, to within the 20 % of that coefficient. Below 10 MeV, on the steep
edges at 105-160 MeV and above $2m_\mu$ the rows are reported, not judged. Above
$2m_\mu$ the published edge needs a lifetime that is not that of the standard widths:
the last group says which.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from bsmfit.catalogue.channels import load_channel
from bsmfit.catalogue.files import data_root
from bsmfit.catalogue.kinds.pi_invisible_channel import load_pi_invisible
from bsmfit.catalogue.limit_curves import ScalarEdge, read_scalar_edge_csv
from bsmfit.catalogue.models import load_model
from bsmfit.core.constants import HBAR
from bsmfit.errors import DataFileError
from bsmfit.scan.contour import coupling_edges
from bsmfit.scan.exclusion_map import scan_plane
from bsmfit.validation.targets import ValidationRow

__all__ = ["needed_lifetime", "published_edge", "scalar_edge_rows"]

CHANNEL = "na62-pi-invisible-run1"
_SOURCE = "arXiv:2103.15389, HEPData, visible decays of X"
_JUDGED = ((0.0095, 0.1005), (0.1595, 0.2105))
_LIFETIME_MASSES = (0.212, 0.218, 0.226, 0.230, 0.236, 0.242, 0.250, 0.254, 0.258)
_PRESETS = (("na62-run1", 0.05, False), ("pole-mass", 0.20, True))


def published_edge() -> ScalarEdge:
    """The published lower edge.

    Returns:
        Masses [GeV] and sin^2(theta).
    """
    return read_scalar_edge_csv(data_root() / "NA62_2103.15389" / "scalar_edge.csv")


def needed_lifetime(mass: float, mixing_squared: float) -> tuple[float, float]:
    r"""Lifetime of S that the published edge would need, and that of our widths.

    Solves $BR(m, s^2)\,P_{esc}(m, \tau) = BR_{up}(m)$ for the lifetime at the published
    $s^2$, with the normalisation of the experiment.

    Args:
        mass: Mass [GeV].
        mixing_squared: Published sin^2(theta).

    Returns:
        Both lifetimes [s]; infinite where the edge needs no decays at all.
    """
    channel = load_pi_invisible(CHANNEL)
    model = load_model("dark-scalar", "na62-run1")
    if channel.published is None:
        msg = f"{CHANNEL}: the record has no published limit"
        raise DataFileError(msg)
    mediator = model(jnp.asarray(mass), jnp.asarray(mixing_squared))
    rate = float(mediator.production["kaon-to-pion"])
    target = float(channel.published(jnp.asarray(mass))) - np.log(rate)
    lifetimes = np.geomspace(1e-11, 1e-4, 701)
    log_escape = jax.vmap(lambda tau: channel.escape(jnp.asarray(mass), HBAR / tau)[0])(
        jnp.asarray(lifetimes)
    )
    ours = HBAR / float(mediator.decay_width)
    if target >= float(log_escape[-1]):
        return float("inf"), ours
    needed = np.exp(np.interp(target, np.asarray(log_escape), np.log(lifetimes)))
    return float(needed), ours


def _edge_rows() -> list[ValidationRow]:
    edge = published_edge()
    masses = np.maximum(edge.mass, 0.0011)  # the model begins at 2 m_e
    rows = []
    for preset, tolerance, is_independent in _PRESETS:
        result = scan_plane(
            load_model("dark-scalar", preset),
            load_channel(CHANNEL),
            mass=masses,
            coupling=(3.0e-9, 1.0e-6, 400),
        )
        ours = coupling_edges(result).lower
        for mass, theirs, mine in zip(
            edge.mass, edge.mixing_squared, ours, strict=True
        ):
            is_judged = any(low <= mass <= high for low, high in _JUDGED)
            rows.append(
                ValidationRow(
                    target=f"dark scalar, lower edge, {preset}",
                    quantity=f"sin^2(theta) at {1e3 * mass:.4g} MeV",
                    published=float(theirs),
                    ours=float(mine),
                    tolerance=tolerance if is_judged else None,
                    is_independent=is_independent,
                    source=_SOURCE,
                    note=""
                    if is_independent
                    else "the normalisation was inferred from the same publication",
                )
            )
    return rows


def _lifetime_rows() -> list[ValidationRow]:
    edge = published_edge()
    rows = []
    for mass in _LIFETIME_MASSES:
        at = int(np.argmin(np.abs(edge.mass - mass)))
        needed, ours = needed_lifetime(
            float(edge.mass[at]), float(edge.mixing_squared[at])
        )
        rows.append(
            ValidationRow(
                target="dark scalar, lifetime that the edge needs",
                quantity=f"lifetime [ns] at {1e3 * mass:.4g} MeV",
                published=1e9 * needed,
                ours=1e9 * ours,
                tolerance=None,
                source=_SOURCE,
                note="an open question: the reference is the lifetime that the "
                "published edge needs, ours that of the standard widths",
            )
        )
    return rows


def scalar_edge_rows() -> list[ValidationRow]:
    """All rows of the scalar.

    Returns:
        Lower edges by normalisation, and lifetimes.
    """
    return _edge_rows() + _lifetime_rows()
