r"""A model with factors on its production rates.

$$\sigma_k(m,g) \to f_k\,\sigma_k(m,g)$$

for each process k that has a factor; what has none is not produced. The norm of a
process (a meson multiplicity, a splitting function) is not fixed by theory, so that a
preset or a user chooses it.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
from jaxtyping import Array, Float

from bsmfit.errors import UnknownNameError
from bsmfit.physics.mediator import Mediator

__all__ = ["ScaledProduction"]


class ScaledProduction(eqx.Module):
    """A function of (mass, coupling) whose mediator has other production strengths.

    Attributes:
        function: The function.
        processes: Processes that are kept.
        factors: Factor on the strength of each [1], >= 0.
    """

    function: Callable[..., Mediator]
    processes: tuple[str, ...] = eqx.field(static=True)
    factors: Float[Array, " n_process"]

    def __call__(
        self,
        mass: Float[Array, ""],
        coupling: Float[Array, ""],
        **further: Float[Array, ""],
    ) -> Mediator:
        """The particle at one point.

        Args:
            mass: Mass [GeV].
            coupling: Coupling.
            **further: Further arguments of the function.

        Returns:
            The mediator.

        Raises:
            UnknownNameError: A process that the function does not have.
        """
        mediator = self.function(mass, coupling, **further)
        for process in self.processes:
            if process not in mediator.production:
                kind = "production process"
                raise UnknownNameError.from_choices(kind, process, mediator.production)
        scaled = {
            process: self.factors[row] * mediator.production[process]
            for row, process in enumerate(self.processes)
        }
        return eqx.tree_at(lambda m: m.production, mediator, scaled)
