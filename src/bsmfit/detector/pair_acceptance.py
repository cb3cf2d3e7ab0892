r"""Acceptance of two pairs by masses and lifetime, interpolated from a table.

$\ln A$ and its change for close tracks are smooth functions of the masses at each node
of $\ln t$, $t = m\,d/(c\tau)$ (`bsmfit.detector.four_electron_table`): cubic in the
masses, then cubic in $\ln t$. Below the nodes of $\ln t$ the slope is 2, both pairs
decaying far away; above them the decays are prompt.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from bsmfit.core.constants import HBAR_C
from bsmfit.core.interpolation import CubicCurve, MonotoneTable

__all__ = ["LIGHTEST", "PairAcceptance", "PairShare", "photon_mass_at"]

LIGHTEST = 0.010
"""Lightest tabulated mass of a pair [GeV]: the published limits start there, and close
tracks are understood no further."""

_POWER = 1.5
_NEVER = -300.0  # ln t of a particle that does not decay


def photon_mass_at(
    scalar_mass: Float[Array, ""], u: Float[Array, ""]
) -> Float[Array, ""]:
    r"""Mass of A' at a node: $m_0 + (m_S/2-m_0)\,u^{3/2}$, $m_0$ = 10 MeV.

    Args:
        scalar_mass: $m_S$ [GeV].
        u: Position between the lightest A' (0) and the end of phase space (1).

    Returns:
        $m_{A'}$ [GeV].
    """
    return LIGHTEST + (0.5 * scalar_mass - LIGHTEST) * u**_POWER


def _position(
    scalar_mass: Float[Array, ""], photon_mass: Float[Array, ""]
) -> Float[Array, ""]:
    """The inverse of `photon_mass_at`, within (0, 1)."""
    span = jnp.maximum(0.5 * scalar_mass - LIGHTEST, 1e-6)
    return jnp.clip((photon_mass - LIGHTEST) / span, 1e-9, 1.0) ** (1.0 / _POWER)


class PairShare(eqx.Module):
    """What is accepted at one point.

    Attributes:
        log_acceptance: ln A.
        log_length: Its derivative in ln d, between 0 (prompt) and 2.
        log_close: Its change where close tracks need twice the distance.
    """

    log_acceptance: Float[Array, ""]
    log_length: Float[Array, ""]
    log_close: Float[Array, ""]


class PairAcceptance(eqx.Module):
    """Both tables, ready to be evaluated.

    Attributes:
        log_times: Nodes of ln t, evenly spaced [ln GeV].
        axion: ln A by ln t and the change for close tracks, by mass of a [GeV].
        cascade: The same by mass of S [GeV] and position u of the mass of A'.
    """

    log_times: Float[Array, " n_time"]
    axion: CubicCurve
    cascade: MonotoneTable

    @classmethod
    def from_nodes(
        cls,
        log_times: ArrayLike,
        axion: tuple[ArrayLike, ArrayLike],
        cascade: tuple[ArrayLike, ArrayLike, ArrayLike],
    ) -> PairAcceptance:
        """Prepare the interpolation.

        Args:
            log_times: Nodes of ln t.
            axion: Masses and columns.
            cascade: Masses of S, nodes u, and columns.

        Returns:
            The tables.
        """
        return cls(
            jnp.asarray(log_times),
            CubicCurve.monotone(*axion),
            MonotoneTable.from_nodes(*cascade),
        )

    def of_axions(
        self,
        mass: Float[Array, ""],
        decay_width: Float[Array, ""],
        *,
        length: Float[Array, ""],
    ) -> PairShare:
        """Acceptance of K -> pi a a.

        Args:
            mass: Mass of a [GeV].
            decay_width: Its width [GeV], >= 0.
            length: Distance d within which a pair is kept [m].

        Returns:
            The acceptance.
        """
        return self._at(self.axion(mass), mass * decay_width, length)

    def of_cascade(
        self,
        scalar_mass: Float[Array, ""],
        photon_mass: Float[Array, ""],
        photon_width: Float[Array, ""],
        *,
        length: Float[Array, ""],
    ) -> PairShare:
        """Acceptance of K -> pi S, S -> A' A', the scalar being prompt.

        Args:
            scalar_mass: Mass of S [GeV].
            photon_mass: Mass of A' [GeV].
            photon_width: Its width [GeV], >= 0.
            length: Distance d within which a pair is kept [m].

        Returns:
            The acceptance.
        """
        columns = self.cascade(scalar_mass, _position(scalar_mass, photon_mass))
        return self._at(columns, photon_mass * photon_width, length)

    def _at(
        self,
        columns: Float[Array, " n_column"],
        mass_width: Float[Array, ""],
        length: Float[Array, ""],
    ) -> PairShare:
        time = mass_width * length / HBAR_C
        decays = time > jnp.exp(_NEVER)
        log_time = jnp.where(decays, jnp.log(jnp.where(decays, time, 1.0)), _NEVER)
        value, slope = _cubic(self.log_times, columns[:-1], log_time)
        below = jnp.minimum(log_time - self.log_times[0], 0.0)
        return PairShare(
            log_acceptance=value + 2.0 * below,
            log_length=jnp.where(below < 0.0, 2.0, slope),
            log_close=columns[-1],
        )


def _cubic(
    nodes: Float[Array, " n"], values: Float[Array, " n"], x: Float[Array, ""]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Value and slope on evenly spaced nodes, clamped; central differences."""
    step = nodes[1] - nodes[0]
    inside = jnp.clip(x, nodes[0], nodes[-1])
    at = jnp.clip(jnp.floor((inside - nodes[0]) / step), 0, nodes.size - 2).astype(int)
    slopes = jnp.gradient(values)
    f0, f1, d0, d1 = values[at], values[at + 1], slopes[at], slopes[at + 1]
    s = (inside - nodes[at]) / step
    a, b = 3.0 * (f1 - f0) - 2.0 * d0 - d1, 2.0 * (f0 - f1) + d0 + d1
    value = f0 + s * (d0 + s * (a + s * b))
    slope = (d0 + s * (2.0 * a + 3.0 * s * b)) / step
    return value, jnp.clip(jnp.where(x > nodes[-1], 0.0, slope), 0.0, 2.0)
