r"""Accepted decays per proton on target, as a function of mass and lifetime.

For one production process and one final state the coupling enters a dump search only
through an overall strength and through the lifetime. At unit strength and unit
branching ratio

$$Y(m, c\tau) = \int dp\,d\theta\; \frac{d^2N}{dp\,d\theta}
  \int_{z_A}^{z_B} \frac{dz}{L}\, e^{-(z-z_0)/L} A(m, p, \theta, z),
  \qquad L = \frac{p_z}{m}\, c\tau$$

serves every model. The table is kept on mass nodes and on nodes of the reduced lifetime

$$u = \ln \frac{c\tau\, P}{m\,(z_A - z_0)},$$

the decay length of a particle of the full beam momentum P in units of the distance to
the decay volume, with the survival of that hardest particle taken out:
$G = \ln Y + e^{-u}$ is a smooth, slow function where ln Y itself falls by hundreds of
e-folds. Beyond the last node the decay probability is proportional to $1/c\tau$
exactly; before the first one G is held, and the exponential goes on.

`bsmfit.detector.contraction` makes G from a spectrum and an acceptance; `YieldTable`
interpolates it.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from bsmfit.core.interpolation import MonotoneTable
from bsmfit.errors import UnknownNameError

__all__ = ["YieldTable"]


class YieldTable(eqx.Module):
    """Log yields of several production processes into one final state.

    Attributes:
        processes: Names of the processes, the order of the last axis.
        table: G on (mass, reduced lifetime) nodes.
        distance: Distance from the production point to the decay volume [m].
        beam_momentum: Momentum of the beam [GeV].
    """

    processes: tuple[str, ...] = eqx.field(static=True)
    table: MonotoneTable
    distance: Float[Array, ""]
    beam_momentum: Float[Array, ""]

    def select(self, processes: Sequence[str]) -> YieldTable:
        """The yields of some of the processes only.

        Args:
            processes: Names of processes of this table.

        Returns:
            The smaller table.

        Raises:
            UnknownNameError: A process that is not in the table.
        """
        for process in processes:
            if process not in self.processes:
                kind = "production process"
                raise UnknownNameError.from_choices(kind, process, self.processes)
        indices = [self.processes.index(process) for process in processes]
        return YieldTable(
            tuple(processes),
            self.table.select(indices),
            self.distance,
            self.beam_momentum,
        )

    def __call__(
        self, mass: Float[Array, ""], lifetime_length: Float[Array, ""]
    ) -> Float[Array, " n_process"]:
        """Log of the accepted decays per proton, at unit strength and branching ratio.

        Args:
            mass: Mass [GeV], within the table.
            lifetime_length: Proper decay length c tau [m].

        Returns:
            ln Y of every process.
        """
        u = jnp.log(lifetime_length * self.beam_momentum / (mass * self.distance))
        last = self.table.y[-1]
        beyond = jnp.clip(u - last, 0.0, None)
        return self.table(mass, u) - jnp.exp(-u) - beyond
