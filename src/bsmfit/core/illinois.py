r"""A bracketing root finder on arrays, with derivatives of the root.

The Illinois variant of false position: the chord through the two ends of the bracket
gives the next point, which replaces the end of the same sign. If the same end is
replaced twice running, the remembered value of the other one is halved, so that both
ends move. Every element is on its own, and no derivative of the function is needed to
find the root.

Derivatives of the root are those of the defining equation, $f(x, \phi) = 0$:
$dx/d\phi = -f_\phi / f_x$ (implicit function theorem), in forward and reverse mode, not
those of the iteration.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

__all__ = ["Bracket", "illinois_root"]


class Bracket(NamedTuple):
    """Two points between which a function changes its sign.

    Attributes:
        low: Lower end.
        high: Upper end; infinite while none is known.
        value_low: The function at the lower end.
        value_high: The same at the upper end.
        last_side: Which end was replaced last, -1 or 1; 0 for none.
    """

    low: Float[Array, " *point"]
    high: Float[Array, " *point"]
    value_low: Float[Array, " *point"]
    value_high: Float[Array, " *point"]
    last_side: Int[Array, " *point"]

    @classmethod
    def above(
        cls, low: Float[Array, " *point"], value_low: Float[Array, " *point"]
    ) -> Bracket:
        """Bracket whose upper end is not known yet."""
        side = jnp.zeros(jnp.shape(low), dtype=jnp.int32)
        return cls(low, jnp.full_like(low, jnp.inf), value_low, -value_low, side)

    @property
    def is_open(self) -> Bool[Array, " *point"]:
        """Whether no upper end is known."""
        return jnp.isinf(self.high)

    def chord(self) -> Float[Array, " *point"]:
        """Where the chord crosses zero; the middle where it does so outside."""
        low, high, value_low, value_high, _ = self
        difference = value_high - value_low
        divisor = jnp.where(difference == 0.0, 1.0, difference)
        point = (low * value_high - high * value_low) / divisor
        is_inside = (point >= low) & (point <= high) & (difference != 0.0)
        return jnp.where(is_inside, point, 0.5 * (low + high))

    def replaced(
        self, point: Float[Array, " *point"], value: Float[Array, " *point"]
    ) -> Bracket:
        """Put a point in place of the end of the same sign.

        Args:
            point: A point between the ends.
            value: The function there.

        Returns:
            The narrower bracket.
        """
        is_low = jnp.sign(value) == jnp.sign(self.value_low)
        side = jnp.where(is_low, -1, 1).astype(jnp.int32)
        factor = jnp.where(side == self.last_side, 0.5, 1.0)
        return Bracket(
            low=jnp.where(is_low, point, self.low),
            high=jnp.where(is_low, self.high, point),
            value_low=jnp.where(is_low, value, factor * self.value_low),
            value_high=jnp.where(is_low, factor * self.value_high, value),
            last_side=side,
        )


class _State(NamedTuple):
    n_done: Int[Array, ""]
    bracket: Bracket
    point: Float[Array, " *point"]
    value: Float[Array, " *point"]
    is_running: Bool[Array, " *point"]


def illinois_root(
    function: Callable[[Float[Array, " *point"]], Float[Array, " *point"]],
    low: Float[Array, " *point"],
    high: Float[Array, " *point"],
    *,
    n_step: int = 9,
    tolerance: float = 1e-9,
    is_growing: bool = False,
) -> tuple[Float[Array, " *point"], Bool[Array, " *point"]]:
    r"""Root of a continuous function between two points, element by element.

    The closer the function is to a straight line, the fewer steps are needed.

    Args:
        function: Element i of the result may depend on element i of the argument only.
            It may close over traced values; derivatives flow to them.
        low: Lower end of the bracket.
        high: Upper end; the function has the other sign there.
        n_step: Most steps, each one evaluation; two more for the ends, one for the
            flag. An element whose residual is a tenth of the tolerance stops.
        tolerance: Largest residual of a root that counts as found.
        is_growing: Whether the upper end is a first guess, moved away from the lower
            one by factors of four until the sign changes.

    Returns:
        The root, and whether the ends had different signs and the residual is below
        the tolerance. Where they had not, the number returned means nothing.

    References:
        M. Dowell and P. Jarratt, BIT 11 (1971) 168 (unverified).

    Examples:
        >>> root, is_converged = illinois_root(
        ...     lambda x: x * x - 2.0, jnp.array(0.0), jnp.array(2.0)
        ... )
        >>> round(float(root), 9), bool(is_converged)
        (1.414213562, True)
    """
    low, high = lax.stop_gradient((low, high))

    def solve(
        residual: Callable[[Float[Array, " *point"]], Float[Array, " *point"]],
        start: Float[Array, " *point"],
    ) -> tuple[Float[Array, " *point"], Float[Array, " *point"]]:
        del start
        return _search(residual, low, high, (n_step, 0.1 * tolerance, is_growing))

    root, residual_at_root = lax.custom_root(
        function,
        low,
        solve,
        lambda tangent, y: y / tangent(jnp.ones_like(y)),
        has_aux=True,
    )
    return root, jnp.abs(lax.stop_gradient(residual_at_root)) < tolerance


def _search(
    function: Callable[[Float[Array, " *point"]], Float[Array, " *point"]],
    low: Float[Array, " *point"],
    high: Float[Array, " *point"],
    choices: tuple[int, float, bool],
) -> tuple[Float[Array, " *point"], Float[Array, " *point"]]:
    """Root and residual there, infinite without a change of sign.

    Both ends, the steps and the residual in one loop: the function is compiled once.
    """
    n_step, small, is_growing = choices

    def keep_going(state: _State) -> Bool[Array, ""]:
        return (state.n_done < n_step + 3) & jnp.any(state.is_running)

    def evaluate(state: _State) -> _State:
        bracket, index = state.bracket, state.n_done
        beyond = low + 4.0 * (state.point - low)
        inner = jnp.where(bracket.is_open, beyond, bracket.chord())
        point = jnp.where(index == 0, low, jnp.where(index == 1, high, inner))
        value = function(point)
        first = Bracket.above(low, value)
        after = jax.tree.map(
            partial(jnp.where, index == 0), first, bracket.replaced(point, value)
        )
        is_lost = (index == 1) & after.is_open & (not is_growing)
        # the flag needs one evaluation after both ends
        is_done = (index > 1) & ~after.is_open & (jnp.abs(value) <= small)
        moved = _State(index + 1, after, point, value, ~(is_lost | is_done))
        kept = jax.tree.map(
            lambda new, old: jnp.where(state.is_running, new, old),
            moved._replace(n_done=moved.point),
            state._replace(n_done=state.point),
        )
        return kept._replace(n_done=index + 1)

    zero = jnp.zeros_like(low)
    is_running = jnp.ones(jnp.shape(low), dtype=bool)
    index = jnp.zeros((), dtype=int)
    start = _State(index, Bracket.above(low, zero), low, zero, is_running)
    end = lax.while_loop(keep_going, evaluate, start)
    return end.point, jnp.where(end.bracket.is_open, jnp.inf, end.value)
