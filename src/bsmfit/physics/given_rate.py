r"""A particle whose rate and lifetime are given: model-independent planes.

The coupling of the model is the product of branching ratios that a search limits,

$$r = BR(P \to P' X)\,BR(X \to f),$$

and its lifetime is a further parameter. No theory relates the two.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.constants import HBAR
from bsmfit.physics.beauty_to_strange import beauty_scalar_branching_ratio
from bsmfit.physics.mediator import Mediator

__all__ = ["LIFETIME", "GivenRate"]

LIFETIME = "lifetime_ps"
"""Name of the parameter."""

_PICOSECOND = 1e-12
_KAON, _KSTAR = "b-to-kaon", "b-to-kstar"


class GivenRate(eqx.Module):
    r"""A particle made at a given rate, with a lifetime of its own.

    Where both B -> K X and B -> K* X make it, the rate is that of the first and the
    second one follows by the form factors of a (pseudo)scalar,

    $$\frac{BR(B\to K^*X)}{BR(B\to KX)} = \frac{A_0^2(m^2)\,\hat\lambda_{K^*}^{3/2}}
      {(1-m_K^2/m_B^2)^2 f_0^2(m^2)\,\hat\lambda_K^{1/2}} .$$

    Attributes:
        processes: Production processes.
        final_state: What it decays to; `VISIBLE` for decays that no search looks for,
            and that are seen where a particle must be invisible.
    """

    processes: tuple[str, ...] = eqx.field(static=True)
    final_state: str = eqx.field(static=True)

    def __call__(
        self,
        mass: Float[Array, ""],
        ratio: Float[Array, ""],
        *,
        lifetime_ps: Float[Array, ""],
    ) -> Mediator:
        """The particle at one point.

        Args:
            mass: Mass [GeV].
            ratio: Product of the branching ratios of production and decay.
            lifetime_ps: Lifetime at rest [ps], > 0.

        Returns:
            The mediator; its branching ratio is 1, since `ratio` has it already.
        """
        one = jnp.ones_like(mass)
        return Mediator(
            mass=mass,
            decay_width=one * (HBAR / _PICOSECOND) / lifetime_ps,
            branching_ratios={self.final_state: one},
            production={
                name: ratio * self._share(name, mass) for name in self.processes
            },
        )

    def _share(self, process: str, mass: Float[Array, ""]) -> Float[Array, ""]:
        if process != _KSTAR or _KAON not in self.processes:
            return jnp.ones_like(mass)
        kstar, kaon = (
            beauty_scalar_branching_ratio(name, mass, coefficient=1.0)
            for name in (_KSTAR, _KAON)
        )
        return kstar / jnp.where(kaon > 0.0, kaon, 1.0)
