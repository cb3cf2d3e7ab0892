r"""Results of tests and limits: the numbers, and all that a reader must know of them.

Every result says how probabilities were computed (`method`), what was averaged over or
fluctuated besides the counts (`ensemble`), what counts as more signal-like (`ordering`)
and at which confidence level. A point that has no answer has a `Status` and nan; it
never stops a map.
"""

from __future__ import annotations

from enum import IntEnum

import equinox as eqx
from jaxtyping import Array, Float, Int

__all__ = ["ClsTest", "ExpectedLimits", "Interval", "Limit", "Status"]


class Status(IntEnum):
    """What became of a point.

    Attributes:
        OK: The value is right.
        NOT_CONVERGED: No solution was found, what was left out of a sum matters, or
            bins without signal do not fix a nuisance; the value is nan.
        INVALID_INPUT: A yield or a count is negative or nan; the value is nan.
        NO_SIGNAL: No signal is expected, so that no strength is excluded; the limit is
            infinite.
    """

    OK = 0
    NOT_CONVERGED = 1
    INVALID_INPUT = 2
    NO_SIGNAL = 3


class Limit(eqx.Module):
    """An upper limit on the signal strength.

    Attributes:
        value: The limit, in units of the signal that the likelihood expects at
            strength 1.
        status: `Status` codes.
        monte_carlo_error: Standard deviation of the value from the number of toys; 0
            where no toys were thrown.
        cl: Confidence level.
        method: ``"exact"``, ``"asymptotic"`` or ``"toys"``.
        ensemble: ``"known-background"``, ``"marginal"``, ``"conditioned"`` (averaged
            over nuisances as bins without signal leave them; with the prior of free
            factors ``"conditioned-flat"`` or ``"conditioned-jeffreys"``),
            ``"conditional"``, ``"unconditional"`` or ``"asymptotic"``.
        ordering: Test statistic: ``"count"``, ``"likelihood-ratio"``, ``"qtilde"`` or
            ``"sum"``.
        reason: Why this method was chosen.
    """

    value: Float[Array, " *point"]
    status: Int[Array, " *point"]
    monte_carlo_error: Float[Array, " *point"]
    cl: float = eqx.field(static=True)
    method: str = eqx.field(static=True)
    ensemble: str = eqx.field(static=True)
    ordering: str = eqx.field(static=True)
    reason: str = eqx.field(static=True, default="")


class ClsTest(eqx.Module):
    r"""CLs of a signal strength.

    Attributes:
        value: $CL_s$.
        log_clsb: $\ln CL_{s+b}$.
        log_clb: $\ln CL_b$.
        status: `Status` codes.
        monte_carlo_error: Standard deviation of the value from the number of toys.
        method: As in `Limit`.
        ensemble: As in `Limit`.
        ordering: As in `Limit`.
        reason: Why this method was chosen.
    """

    value: Float[Array, " *point"]
    log_clsb: Float[Array, " *point"]
    log_clb: Float[Array, " *point"]
    status: Int[Array, " *point"]
    monte_carlo_error: Float[Array, " *point"]
    method: str = eqx.field(static=True)
    ensemble: str = eqx.field(static=True)
    ordering: str = eqx.field(static=True)
    reason: str = eqx.field(static=True, default="")


class ExpectedLimits(eqx.Module):
    """Upper limits that data without a signal would give.

    Attributes:
        value: Limits at -2, -1, 0, 1 and 2 standard deviations, on the last axis.
        status: `Status` codes.
        cl: Confidence level.
        method: As in `Limit`.
        ensemble: As in `Limit`.
        ordering: As in `Limit`.
        reason: Why this method was chosen.
    """

    value: Float[Array, "*point 5"]
    status: Int[Array, " *point"]
    cl: float = eqx.field(static=True)
    method: str = eqx.field(static=True)
    ensemble: str = eqx.field(static=True)
    ordering: str = eqx.field(static=True)
    reason: str = eqx.field(static=True, default="")


class Interval(eqx.Module):
    """An interval of the signal strength.

    Attributes:
        low: Lower end; 0 where the interval reaches the boundary.
        high: Upper end.
        status: `Status` codes.
        cl: Confidence level.
        method: ``"profile"`` or ``"feldman-cousins"``.
        ensemble: ``"asymptotic"``, ``"known-background"``, ``"conditional"`` or
            ``"unconditional"``.
        reason: Why this method was chosen.
    """

    low: Float[Array, " *point"]
    high: Float[Array, " *point"]
    status: Int[Array, " *point"]
    cl: float = eqx.field(static=True)
    method: str = eqx.field(static=True)
    ensemble: str = eqx.field(static=True)
    reason: str = eqx.field(static=True, default="")
