"""Validation of heavy neutral leptons: rates, and limits on the squared mixing.

The limits are inputs, from which counts are reconstructed, and test nothing but the
way there and back: table, branching ratio, count, limit, squared mixing.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.catalogue.kinds.resonance_limit_channel import load_resonance_limit
from bsmfit.channels.resonance_limit import ResonanceLimitChannel
from bsmfit.core.constants import ELECTRON_MASS, HBAR, KAON_CHARGED_MASS, MUON_MASS
from bsmfit.likelihood.effective_count import BackgroundNodes, effective_log_limit
from bsmfit.physics.heavy_neutral_lepton_production import (
    mass_enhancement,
    unit_branching_ratio,
)
from bsmfit.physics.heavy_neutral_lepton_width import charged_current_width
from bsmfit.validation.targets import ValidationRow

__all__ = ["heavy_neutral_lepton_rows"]

_LIMITS = {
    "na62-k-mu-n": {0.2: 2.692e-8, 0.25: 7.480e-9, 0.3: 9.054e-9, 0.35: 3.411e-9},
    "na62-k-e-n": {0.144: 2.202e-9, 0.3003: 5.536e-10, 0.4025: 9.467e-10},
    "na62-pi-e-n": {0.107382123: 7.795e-9},
}
"""Published limits on the squared mixing by mass [GeV]."""

_SOURCES = {
    "na62-k-mu-n": "arXiv:2101.12304, table of limits",
    "na62-k-e-n": "arXiv:2005.09575, HEPData 95927, table 1",
    "na62-pi-e-n": "arXiv:2507.07345, digitised",
}


def _mixing_limits(
    search: ResonanceLimitChannel, masses: Float[Array, " n_mass"]
) -> Float[Array, " n_mass"]:
    """Limits on the squared mixing at the published level."""
    level = search.published.cl

    @jax.jit
    @jax.vmap
    def limit(mass: Float[Array, ""]) -> Float[Array, ""]:
        seen = search.observed_count(mass)
        log_events, _ = effective_log_limit(
            seen.n,
            BackgroundNodes.known(search.background),
            spread=jnp.asarray(1e-6),
            cl=level,
        )
        log_limit = log_events + search.log_sensitivity_at(mass) - seen.log_factor
        return jnp.exp(log_limit) / unit_branching_ratio(search.process, mass)

    return limit(masses)


def _limit_rows() -> list[ValidationRow]:
    rows = []
    for name, published in _LIMITS.items():
        masses = jnp.asarray(list(published))
        found = _mixing_limits(load_resonance_limit(name), masses)
        for mass, ours in zip(published, found.tolist(), strict=True):
            rows.append(
                ValidationRow(
                    target=f"{name}, limit",
                    quantity=f"|U|^2 at {1e3 * mass:.4g} MeV",
                    published=published[mass],
                    ours=ours,
                    tolerance=1e-3,
                    is_independent=False,
                    source=_SOURCES[name],
                    note="the limit is an input; its count is reconstructed from it",
                )
            )
    return rows


def _rate_rows() -> list[ValidationRow]:
    muon = charged_current_width(
        jnp.asarray(MUON_MASS), masses=(ELECTRON_MASS, 1e-6 * ELECTRON_MASS)
    )
    largest = mass_enhancement(
        jnp.asarray(0.263), parent_mass=KAON_CHARGED_MASS, lepton_mass=MUON_MASS
    )
    return [
        ValidationRow(
            target="N -> l nu l'",
            quantity="lifetime of the muon from the charged-current width [s]",
            published=2.1969811e-6,
            ours=HBAR / float(muon),
            tolerance=0.005,
            source="PDG (Navas:2024vhm); radiative corrections are 0.4 %",
        ),
        ValidationRow(
            target="kaon-to-mu-n",
            quantity="rate over that of a light neutrino, at 263 MeV",
            published=4.13,
            ours=float(largest),
            tolerance=0.005,
            source="literature [unverified]",
        ),
    ]


def heavy_neutral_lepton_rows() -> list[ValidationRow]:
    """Rates, then limits on the squared mixing.

    Returns:
        One row by number.
    """
    return _rate_rows() + _limit_rows()
