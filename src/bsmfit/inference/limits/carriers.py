r"""Which bins carry the signal of a limit, and how many events they have.

At the level of signal in question, $x_i = \mu s_i$, one event weighs $w_i = \ln(1 +
x_i/b_i)$ in the likelihood ratio, and a bin contributes

$$d_i = x_i - b_i\ln(1 + x_i/b_i)$$

to its mean without signal. The share $d_i/\sum d$ is how much of the limit a bin
carries: next to nothing for a bin without signal, or with little on much background,
however many events it has. The statistic $\sum_i n_iw_i$ is as skewed as one count of

$$n_{\mathrm{eff}} = \frac{(\sum_ir_iw_i^2)^3}{(\sum_ir_iw_i^3)^2}$$

events, $r_i$ the observed or expected ones: that is how many events stand behind
asymptotic formulae. For one bin it is $r$.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from bsmfit.inference.counts.conditioned_nodes import (
    conditioned_coordinates,
    fitted_posteriors,
)
from bsmfit.inference.limits.points import Points

__all__ = ["Carriers"]

# floor of a background in the weight of an event, as in the exact ordering
_SMALLEST_BACKGROUND = 1e-10
# the level at which bounds of limits are estimated; only orders of magnitude matter
_CL = 0.95
# bins that carry less are no counts of their own
_NEGLIGIBLE_SHARE = 1e-6
# and bins that carry less decide about no method
_SMALL_SHARE = 0.01


class Carriers(NamedTuple):
    """What the bins contribute at the level of signal that is tested.

    Attributes:
        strength: That level [1].
        background: Background as the control bins leave it [events].
        share: Share of each bin in the expected log likelihood ratio.
        n_smallest: Observed or expected events, the smaller, of the poorest bin that
            carries signal.
        n_effective: Events that stand behind asymptotic formulae, observed or expected
            at the tested strength, the smaller.
        n_background: The same of the background alone.
    """

    strength: Float[np.ndarray, " n_point"]
    background: Float[np.ndarray, "n_point n_bin"]
    share: Float[np.ndarray, "n_point n_bin"]
    n_smallest: Float[np.ndarray, " n_point"]
    n_effective: Float[np.ndarray, " n_point"]
    n_background: Float[np.ndarray, " n_point"]

    @classmethod
    def of(
        cls,
        points: Points,
        *,
        strength: Float[Array, " n_point"] | None = None,
        has_expected: bool = False,
    ) -> Carriers:
        """Look at the points of a grid.

        Args:
            points: The points, of known values.
            strength: Tested strengths; near the limit where they are not given.
            has_expected: Whether data without signal are meant, not the observed ones.

        Returns:
            The contributions.
        """
        background = np.maximum(np.nan_to_num(_estimated_background(points)), 0.0)
        signal = np.maximum(np.nan_to_num(np.asarray(points.signal)), 0.0)
        observed = np.maximum(np.nan_to_num(np.asarray(points.arrays.observed)), 0.0)
        seen = background if has_expected else observed
        floored = np.maximum(background, _SMALLEST_BACKGROUND)
        if strength is None:
            tested = _strength_bound(seen, floored, signal)
        else:
            tested = np.nan_to_num(np.asarray(strength))
        excess = tested[:, None] * signal
        weight = np.log1p(excess / floored)
        contribution = np.maximum(excess - background * weight, 0.0)
        total = contribution.sum(axis=1, keepdims=True)
        share = contribution / np.where(total > 0.0, total, 1.0)
        smaller = np.where(share > _SMALL_SHARE, np.minimum(seen, background), np.inf)
        n_effective = np.minimum(
            _effective(seen, weight), _effective(background + excess, weight)
        )
        has_signal = np.any(excess > 0.0, axis=1)
        return cls(
            strength=tested,
            background=background,
            share=share,
            n_smallest=np.where(has_signal, smaller.min(axis=1), np.inf),
            n_effective=np.where(has_signal, n_effective, np.inf),
            n_background=np.where(has_signal, _effective(background, weight), np.inf),
        )

    @property
    def counted_bins(self) -> tuple[int, ...]:
        """The bins that carry more than a millionth at any point."""
        found = np.any(self.share > _NEGLIGIBLE_SHARE, axis=0)
        if not found.any():
            return tuple(range(found.size))
        return tuple(int(index) for index in np.flatnonzero(found))


def _effective(rate: np.ndarray, weight: np.ndarray) -> np.ndarray:
    second = np.sum(rate * weight**2, axis=1)
    third = np.sum(rate * weight**3, axis=1)
    safe = np.where(third > 0.0, third, 1.0)
    return np.where(third > 0.0, second * (second / safe) ** 2, 0.0)


def _strength_bound(
    observed: np.ndarray, background: np.ndarray, signal: np.ndarray
) -> np.ndarray:
    r"""Root of $\sum_in_iw_i(\mu) - \mu S = \ln(1 - cl)$, above every limit."""
    total = np.maximum(signal.sum(axis=1), 1e-300)
    slope = signal / background / total[:, None]
    target = np.log1p(-_CL)
    start = 2.0 * observed.sum(axis=1, keepdims=True)
    y = 2.0 * (np.sum(observed * np.log1p(start * slope), axis=1) - target)
    for _ in range(20):
        per_event = slope / (1.0 + y[:, None] * slope)
        value = np.sum(observed * np.log1p(y[:, None] * slope), axis=1) - y - target
        gradient = np.minimum(np.sum(observed * per_event, axis=1) - 1.0, -1e-9)
        y = np.maximum(y - value / gradient, -target)
    return y / total


def _estimated_background(points: Points) -> np.ndarray:
    """Background at the likeliest nuisances, given the bins without signal.

    Where they do not fix a free factor, the observed events stand for it.
    """
    arrays = points.arrays
    control = [i for i in range(points.n_bin) if i not in points.signal_bins]
    has_free = "free" in arrays.structure.constraints
    if not control:
        nominal = np.asarray(points.background)
        return np.asarray(arrays.observed) if has_free else nominal
    nodes = conditioned_coordinates(
        arrays, signal_bins=points.signal_bins, control_bins=control
    )
    posterior, found = fitted_posteriors(arrays, nodes)
    fallback = arrays.observed if has_free else points.background
    return np.where(np.asarray(posterior.is_converged)[:, None], found, fallback)
