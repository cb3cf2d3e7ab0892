"""The limit of a search for K+ -> pi+ X, X invisible, at one mass.

On the branching ratio, for a lifetime of X; or for a point of a model as a multiple of
the signal that it predicts, at the lifetime that it predicts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bsmfit.cli.words import (
    QUANTILE_NAMES,
    aligned,
    expected_in_words,
    finite,
    percent,
)
from bsmfit.errors import InputError

if TYPE_CHECKING:
    from bsmfit.channels.pi_invisible import PiInvisibleChannel

__all__ = ["invisible_in_words", "invisible_report"]

Theory = tuple[str | None, float | None, str | None]
"""Model, coupling and preset, as far as they are given."""

_NANOSECOND = 1e-9
_MODEL_UNIT = "signal of the model"
_UNIT = "BR(K+ -> pi+ X)"


def invisible_report(
    search: PiInvisibleChannel,
    *,
    mass: float | None,
    lifetime_ns: float | None,
    n_observed: int | None,
    theory: Theory,
    cl: float,
) -> dict[str, Any]:
    """Compute the limit of a search.

    Args:
        search: The search.
        mass: Mass of X [GeV].
        lifetime_ns: Proper lifetime of X [ns], which decays visibly; stable where None.
        n_observed: Observed events; those published where None.
        theory: Model, coupling and preset, or None for each.
        cl: Confidence level, within (0, 1).

    Returns:
        The numbers, ready for JSON.

    Raises:
        InputError: Options that do not go together, a mass at which the search says
            nothing, or a lifetime or coupling that is not above 0.
    """
    search = _with_count(search, n_observed)
    model, coupling, preset = theory
    at = _checked_mass(search, mass)
    if model is None:
        if coupling is not None or preset is not None:
            msg = "--coupling and --preset need --model"
            raise InputError(msg)
        return _common(search, at, cl) | _branching_ratio(search, at, lifetime_ns, cl)
    if coupling is None:
        msg = "--model needs --mass and --coupling"
        raise InputError(msg)
    if lifetime_ns is not None:
        msg = "--lifetime-ns has no meaning with --model, which predicts the lifetime"
        raise InputError(msg)
    _check_positive("coupling", coupling)
    return _common(search, at, cl) | _multiple(
        search, at, (model, coupling, preset), cl
    )


def invisible_in_words(report: dict[str, Any]) -> str:
    """A few lines for people.

    Args:
        report: What `invisible_report` returned.

    Returns:
        The lines.
    """
    lifetime, limit = report["lifetime_ns"], report["limit"]
    lasts = "stable" if lifetime is None else f"lifetime {lifetime:.4g} ns"
    lines = {
        "channel": report["channel"],
        "particle": f"mass {report['mass_gev']:g} GeV, {lasts}",
        "count": f"{report['n_observed']:.4g} events ({report['count']}), "
        f"{report['background']:.4g} expected without signal",
        "sensitivity": f"{report['single_event_sensitivity']:.4g} for one event of a "
        "stable X",
        "leaves no trace": f"{report['invisible_probability']:.4g} of X",
    }
    if report["signal_factor"] != 1.0:
        lines["factor"] = (
            f"{report['signal_factor']:.4g} on the signal: the published limit is "
            "below that for no event"
        )
    if report["model"] is not None:
        lines["model"] = (
            f"{report['model']} ({report['preset']}), {report['coupling_name']} = "
            f"{report['coupling']:g}: {_UNIT} = {report['branching_ratio']:.4g}"
        )
    value = "none" if limit is None else f"{limit:.4g} {_joined(report['unit'])}"
    lines |= {
        f"limit ({percent(report['cl'])})": value,
        "expected": expected_in_words(report["expected"]),
        "status": report["status"],
        "method": f"CLs, {report['method']}, {report['ensemble']}",
    }
    return aligned(lines)


def _joined(unit: str) -> str:
    return "of the signal of the model" if unit == _MODEL_UNIT else f"on {unit}"


def _with_count(search: PiInvisibleChannel, given: int | None) -> PiInvisibleChannel:
    """The search with another observed count, where it has one."""
    import equinox as eqx
    import jax.numpy as jnp

    from bsmfit.likelihood.effective_count import LARGEST_EFFECTIVE_COUNT

    if given is None:
        return search
    if search.n_observed is None:
        msg = (
            f"--observed has no meaning for {search.name}: its count is reconstructed "
            "from the published limit (searches with an observed count end in -count)"
        )
        raise InputError(msg)
    if given > LARGEST_EFFECTIVE_COUNT:
        msg = (
            f"--observed = {given} is beyond the exact sums, 0 to "
            f"{LARGEST_EFFECTIVE_COUNT:g} events"
        )
        raise InputError(msg)
    return eqx.tree_at(lambda c: c.n_observed, search, jnp.asarray(float(given)))


def _checked_mass(search: PiInvisibleChannel, mass: float | None) -> float:
    """The mass, refused where the search says nothing."""
    ends = [f"{low:g} to {high:g}" for low, high in search.segments]
    known = f"{' and '.join(ends)} GeV"
    if mass is None:
        msg = f"{search.name} needs --mass [GeV], within {known}"
        raise InputError(msg)
    if not any(low <= mass <= high for low, high in search.segments):
        msg = f"mass = {mass:g} GeV: {search.name} says nothing there, only at {known}"
        raise InputError(msg)
    return mass


def _check_positive(name: str, value: float, unit: str = "") -> None:
    if not (value > 0.0 and math.isfinite(value)):
        msg = f"{name} = {value:g}{unit} must be above 0 and finite"
        raise InputError(msg)


def _common(search: PiInvisibleChannel, mass: float, cl: float) -> dict[str, Any]:
    """What does not depend on lifetime or model."""
    import jax.numpy as jnp

    at = jnp.asarray(mass)
    is_count = search.published is None
    return {
        "channel": search.name,
        "mass_gev": mass,
        "model": None,
        "cl": cl,
        "count": "observed" if is_count else "reconstructed from the published limit",
        "background": float(search.background(at)),
        "single_event_sensitivity": float(jnp.exp(search.log_sensitivity(at))),
        "method": "exact",
        "ensemble": "marginal",
    }


def _branching_ratio(
    search: PiInvisibleChannel, mass: float, lifetime_ns: float | None, cl: float
) -> dict[str, Any]:
    """The limit on the branching ratio."""
    from bsmfit.core.constants import HBAR
    from bsmfit.inference.limits.invisible_limit import invisible_limit

    width = 0.0
    if lifetime_ns is not None:
        _check_positive("lifetime", lifetime_ns, " ns")
        width = HBAR / (lifetime_ns * _NANOSECOND)
    found = invisible_limit(search, mass, decay_width=width, cl=cl)
    status = "ok" if bool(found.is_converged) else "not_converged"
    if status == "ok" and finite(found.branching_ratio) is None:
        status = "unbounded"  # X never escapes the veto
    return {
        "n_observed": float(found.n_observed),
        "signal_factor": float(found.signal_factor),
        "lifetime_ns": lifetime_ns,
        "invisible_probability": float(found.escape),
        "unit": _UNIT,
        "limit": finite(found.branching_ratio),
        "expected": _expected(found.expected),
        "status": status,
    }


def _multiple(
    search: PiInvisibleChannel,
    mass: float,
    theory: tuple[str, float, str | None],
    cl: float,
) -> dict[str, Any]:
    """The limit on the signal of a model over its expectation."""
    import equinox as eqx
    import jax.numpy as jnp

    from bsmfit.catalogue.models import load_model
    from bsmfit.channels.pi_invisible import PROCESS
    from bsmfit.core.constants import HBAR
    from bsmfit.inference.counts.observed_count import observed_count
    from bsmfit.scan.exclusion_map import exclusion_point
    from bsmfit.scan.runner import Status

    name, coupling, preset = theory
    model = load_model(name, preset)
    low, high = model.mass_range
    if not low <= mass <= high:
        msg = f"mass = {mass:g} GeV lies outside {model.name} ({low:g} to {high:g} GeV)"
        raise InputError(msg)
    point = exclusion_point(model, [search], cl=cl)
    at = jnp.asarray(mass), jnp.asarray(coupling)
    result = eqx.filter_jit(point)(*at)
    seen = eqx.filter_jit(observed_count)(search, at[0])
    mediator = eqx.filter_jit(model)(*at)
    status = Status(int(result.status)).name.lower()
    width, is_good = float(mediator.decay_width), status == "ok"
    scale = float(result.n_signal) if is_good else math.nan
    expected = result.n_up_exp / scale if scale > 0.0 else jnp.full(5, jnp.nan)
    return {
        "model": model.name,
        "preset": model.preset,
        "n_observed": float(seen.n),
        "signal_factor": float(jnp.exp(seen.log_factor)),
        "coupling_name": model.coupling,
        "coupling": coupling,
        "branching_ratio": float(mediator.production[PROCESS]),
        "lifetime_ns": HBAR / width / _NANOSECOND if width > 0.0 else None,
        "invisible_probability": float(jnp.exp(search.log_invisible(mediator)[0])),
        "unit": _MODEL_UNIT,
        "expected_signal": finite(scale),
        "limit": finite(result.n_up_obs / scale) if scale > 0.0 else None,
        "expected": _expected(expected),
        "status": status if not is_good or scale > 0.0 else "no_signal",
    }


def _expected(values: Any) -> dict[str, float | None]:
    return dict(zip(QUANTILE_NAMES, map(finite, values), strict=True))
