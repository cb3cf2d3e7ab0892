r"""Where a contour may hide between two points of a line of the same sign.

The yield of a dump search has a maximum along the coupling, $\ln N$ is concave there,
and close to the end of an excluded region both of its edges lie between two points of a
grid. On a concave function the chord through two points, prolonged, is above the
function outside of them. So between $b$ and $c$, with $a$ before and $d$ behind,

$$F(x) \le \min(\text{chord}_{ab}(x), \text{chord}_{cd}(x)),$$

and where this bound stays below 0 nothing is hidden. For holes the same holds upside
down. Where $F$ is not concave the bound is a linear prediction, not a proof.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["may_hide"]

_NARROW = 1e-6


def may_hide(
    position: Float[np.ndarray, "n_run 4"], value: Float[np.ndarray, "n_run 4"]
) -> Bool[np.ndarray, " n_run"]:
    """Whether the field may change its sign between the inner two of four points.

    Args:
        position: Natural logarithms along the line, ascending.
        value: The field there.

    Returns:
        False where the inner two differ in sign, since nothing is hidden there, where a
        value is nan, and next to points that are the two sides of one mass.

    Examples:
        >>> line = np.array([[0.0, 1.0, 2.0, 3.0]])
        >>> may_hide(line, np.array([[-3.0, -0.5, -0.5, -3.0]]))  # top up to 0.75
        array([ True])
        >>> may_hide(line, np.array([[-4.0, -3.0, -2.0, -1.0]]))
        array([False])
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        sign = np.where(value[:, 1] > 0.0, -1.0, 1.0)
        _, f_b, f_c, _ = (sign[:, None] * value).T
        slopes = sign[:, None] * np.diff(value, axis=1) / np.diff(position, axis=1)
        before, behind = slopes[:, 0], slopes[:, 2]
        gap = position[:, 2] - position[:, 1]
        where = (f_c - f_b - behind * gap) / (before - behind)
        where = np.clip(np.where(np.isfinite(where), where, 0.0), 0.0, gap)
        bound = np.max(
            [
                np.minimum(f_b + before * x, f_c + behind * (x - gap))
                for x in (np.zeros_like(gap), where, gap)
            ],
            axis=0,
        )
        is_same = (value[:, 1] > 0.0) == (value[:, 2] > 0.0)
        is_wide = np.all(np.diff(position, axis=1) > _NARROW, axis=1)
        return is_same & is_wide & np.isfinite(value).all(axis=1) & (bound > 0.0)
