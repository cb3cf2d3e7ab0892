r"""How likely a long-lived daughter of a beam particle leaves the detector undecayed.

For searches that see only what recoils against the particle, and whose acceptance is
not modelled: every decay of the parent between the ends of the decay volume counts
alike, weighted by the decay law of the parent, and all directions of the daughter.

$$P_{esc}(m,\Gamma) = \Big\langle
  \exp\Big[-\frac{(z_{end}-z)\,m\,\Gamma}{p\,\hbar c}\Big]\Big\rangle_{z,p}$$
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bsmfit.core.constants import HBAR, HBAR_C
from bsmfit.physics.flight import lab_spectrum

__all__ = ["InFlightEscape"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


class InFlightEscape(eqx.Module):
    """Beam, decay volume and the end of the veto for one two-body decay.

    Attributes:
        parent_mass: Mass of the parent [GeV].
        parent_lifetime: Proper lifetime of the parent [s].
        recoil_mass: Mass of the daughter that is seen [GeV].
        parent_momentum: Momentum of the beam [GeV].
        start: First position at which the parent may decay [m].
        end: Last one [m].
        veto_end: Where a decay of the particle is no longer seen [m].
    """

    parent_mass: float = eqx.field(static=True)
    parent_lifetime: float = eqx.field(static=True)
    recoil_mass: float = eqx.field(static=True)
    parent_momentum: float = eqx.field(static=True)
    start: float = eqx.field(static=True)
    end: float = eqx.field(static=True)
    veto_end: float = eqx.field(static=True)

    def log_probability(
        self, mass: Float[Array, ""], decay_width: Float[Array, ""]
    ) -> Float[Array, ""]:
        r"""Log of the probability that the particle leaves undecayed.

        Differentiable in the mass and the width.

        Args:
            mass: Mass of the particle [GeV].
            decay_width: Its total width [GeV], >= 0.

        Returns:
            $\ln P_{esc}\le0$; 0 for a stable particle.
        """
        spectrum = lab_spectrum(
            mass,
            parent_mass=self.parent_mass,
            recoil_mass=self.recoil_mass,
            parent_momentum=self.parent_momentum,
        )
        path, weight = self._paths()
        rate = mass * decay_width / HBAR_C
        exponent = rate * path[:, None] / spectrum.momentum[None, :]
        joint = weight[:, None] * spectrum.weight[None, :]
        # a weighted mean of exponentials; 0 to rounding where nothing decays
        return jnp.minimum(jax.nn.logsumexp(-exponent, b=joint), 0.0)

    def _paths(self) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Lengths left to the end of the veto [m], and their weights, of sum 1."""
        half = 0.5 * (self.end - self.start)
        z = self.start + half * (_NODES + 1.0)
        flight = self.parent_lifetime * HBAR_C / HBAR  # c tau
        flight *= self.parent_momentum / self.parent_mass
        weight = _WEIGHTS * np.exp(-(z - self.start) / flight)
        return jnp.asarray(self.veto_end - z), jnp.asarray(weight / weight.sum())
