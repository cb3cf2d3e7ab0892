r"""Couplings of an axion-like particle from the scale of new physics down to 2 GeV.

$$\mathcal L(\Lambda) = \frac af\Big[c_{GG}\frac{\alpha_s}{4\pi}G\tilde G
  + c_{WW}\frac{\alpha_2}{4\pi}W\tilde W + c_{BB}\frac{\alpha_1}{4\pi}B\tilde B\Big]
  + \frac{\partial_\mu a}{f}\sum_\psi\frac{c_{\psi\psi}}2
    \bar\psi\gamma^\mu\gamma_5\psi$$

at $\Lambda$, without flavour change. Running is linear in the couplings: a matrix.

    12 couplings at Lambda --running_matrix--> couplings at 2 GeV, and k_D at m_t

What is kept, at one loop: Yukawa coupling of the top quark, gluons, W and B above the
top quark; gluons and photons below it, with a threshold at the bottom quark. What is
left out: couplings of fermions inside those of W, B (two loops), the matching of
flavour-diagonal couplings at $m_t$ beyond its logarithm, and all Yukawa couplings but
that of the top quark.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp

from bsmfit.core.argument import real_number
from bsmfit.core.constants import HIGGS_VEV
from bsmfit.physics.alp_couplings_at_scale import (
    COUPLINGS,
    DOWN_TYPE,
    ELECTROWEAK_SCALE,
    FERMIONS,
    LARGEST_SCALE,
    LEPTONS,
    UP_TYPE,
)
from bsmfit.physics.kaon_to_pion import TOP_MASS_MSBAR

_Flow: TypeAlias = Callable[[float, np.ndarray], np.ndarray]

__all__ = [
    "LOW_COUPLINGS",
    "running_matrix",
    "strong_coupling",
    "weak_scale_matching",
]

LOW_COUPLINGS: Final = ("gluon", "photon", *FERMIONS, "flavour_changing")
r"""Couplings at 2 GeV (that of the top quark at its mass). The last one is $k$ of
$[k_D]_{ij} = V_{ti}^*V_{tj}\,k$ below the mass of the W boson."""

_LOW_SCALE: Final = 2.0
_BOTTOM_MASS: Final = 4.18
"""MSbar mass of the bottom quark [GeV] (PDG)."""

_W_MASS: Final = 80.37
_SIN2_WEAK: Final = 0.2312
_ALPHA_WEAK: Final = 1.0 / 127.95
"""Mass of the W boson [GeV], weak mixing angle and alpha at the Z pole (PDG)."""

_ALPHA_LIGHT: Final = 1.0 / 132.0
"""Fine-structure constant between 2 GeV and the top quark, a mean [assumed]."""

_AT_TOP: Final = (
    0.01022,
    0.0336,
    0.1081,
    (TOP_MASS_MSBAR / HIGGS_VEV) ** 2 / (2.0 * math.pi),
)
"""alpha_1 (of hypercharge), alpha_2, alpha_s, alpha_t = y_t^2/(4 pi) at m_t: from PDG
values at the Z pole at one loop; alpha_s(M_Z) = 0.1180."""

_ROW: Final = {name: row for row, name in enumerate((*COUPLINGS, "flavour_changing"))}
_QUARKS: Final = tuple(_ROW[name] for name in (*UP_TYPE, *DOWN_TYPE))


@lru_cache(maxsize=32)
def running_matrix(
    scale: float, *, matching_scale: float = TOP_MASS_MSBAR
) -> Float[np.ndarray, "n_low n_high"]:
    r"""The matrix from `COUPLINGS` at a scale to `LOW_COUPLINGS`.

    Above $m_t$ ($\alpha_t = y_t^2/4\pi$, $\tilde c_{GG} = c_{GG}+\frac12\sum_qc_{qq}$):

    $$\frac{dc_{ff}}{d\ln\mu} = n_f\frac{\alpha_t}{4\pi}c_{tt}
      + \frac{2\alpha_s^2}{\pi^2}\tilde c_{GG} + \frac{9\alpha_2^2}{16\pi^2}c_{WW}
      + \frac{3\alpha_1^2}{4\pi^2}(Y_R^2+Y_L^2)\,c_{BB},\qquad
      \frac{dk}{d\ln\mu} = -\frac{\alpha_t}{4\pi}c_{tt}$$

    with n = 9 (t), 6 (u, c), -5 (b), -6 (d, s, leptons); the gluon term for quarks
    only. At $m_t$ follows `weak_scale_matching`. Below,
    $dc_{ff}/d\ln\mu = 2\alpha_s^2\tilde c_{GG}/\pi^2 + 3\alpha^2Q_f^2\tilde
    c_{\gamma\gamma}/2\pi^2$ with the lighter fermions.

    Args:
        scale: $\Lambda$ [GeV], 246 to 1e15.
        matching_scale: Where the top quark and the W boson are taken out [GeV], 80 to
            246. What it changes is of higher order: an uncertainty.

    Returns:
        Matrix, not to be written to.

    Raises:
        InputError: A scale below the electroweak one.

    References:
        arXiv:2012.12272, arXiv:2110.10698 (equation numbers unverified).
    """
    scale = real_number(
        "scale of new physics",
        scale,
        low=ELECTROWEAK_SCALE,
        high=LARGEST_SCALE,
        hint="in GeV; the couplings are those of the theory with W, Z and top quark",
    )
    n = len(_ROW)
    start = np.concatenate([np.asarray(_couplings_at(scale)), np.eye(n).ravel()])
    above = _solve(_above_top, start, math.log(scale), math.log(matching_scale))
    high = above[4:].reshape(n, n)
    matching = _matching_row(above[3], matching_scale)
    high[_ROW["flavour_changing"]] += matching @ high
    start = np.concatenate([above[2:3], high.ravel()])
    steps = ((5, matching_scale, _BOTTOM_MASS), (4, _BOTTOM_MASS, _LOW_SCALE))
    for n_flavours, first, last in steps:
        flow = _below_top(n_flavours=n_flavours)
        start = _solve(flow, start, math.log(first), math.log(last))
    matrix = start[1:].reshape(n, n)[:, : len(COUPLINGS)]
    photon = high[_ROW["weak"]] + high[_ROW["hypercharge"]]
    rows = [matrix[0], photon[: len(COUPLINGS)], *matrix[3:]]
    result = np.array(rows)
    result.setflags(write=False)
    return result


def strong_coupling(scale: float) -> float:
    r"""$\alpha_s$ above the top quark, at two loops from 0.1081 at $m_t$.

    Args:
        scale: Scale [GeV], 246 to 1e15.

    Returns:
        $\alpha_s$ [1].

    Examples:
        >>> print(f"{strong_coupling(1000.0):.3f}")
        0.088
    """
    return float(_couplings_at(scale)[2])


def weak_scale_matching(
    top_yukawa: float, matching_scale: float = TOP_MASS_MSBAR
) -> tuple[float, float]:
    r"""Coefficients of $c_{tt}$ and $c_{WW}$ in $k$ below the scale $\mu$.

    $$k \ni \frac{y_t^2}{16\pi^2}\Big\{c_{tt}\Big[\frac12\ln\frac{\mu^2}{m_t^2}
      -\frac14 - \frac32\,\frac{1-x+\ln x}{(1-x)^2}\Big]
      - \frac{3\alpha}{2\pi s_w^2}\,c_{WW}\frac{1-x+x\ln x}{(1-x)^2}\Big\},
      \qquad x = \frac{m_t^2}{m_W^2}$$

    Args:
        top_yukawa: $y_t(\mu)$ [1].
        matching_scale: $\mu$ [GeV].

    Returns:
        Both coefficients [1].

    References:
        arXiv:2110.10698 (equation number unverified).
    """
    x = (TOP_MASS_MSBAR / _W_MASS) ** 2
    loop = top_yukawa**2 / (16.0 * math.pi**2)
    top = math.log(matching_scale / TOP_MASS_MSBAR)
    top += -0.25 - 1.5 * (1.0 - x + math.log(x)) / (1.0 - x) ** 2
    strength = 3.0 * _ALPHA_WEAK / (2.0 * math.pi * _SIN2_WEAK)
    weak = -strength * (1.0 - x + x * math.log(x)) / (1.0 - x) ** 2
    return loop * top, loop * weak


def _matching_row(alpha_top: float, scale: float) -> Float[np.ndarray, " n"]:
    row = np.zeros(len(_ROW))
    yukawa = math.sqrt(4.0 * math.pi * alpha_top)
    row[_ROW["top"]], row[_ROW["weak"]] = weak_scale_matching(yukawa, scale)
    return row


@lru_cache(maxsize=32)
def _couplings_at(scale: float) -> tuple[float, ...]:
    """alpha_1, alpha_2, alpha_s, alpha_t at a scale above the top quark."""
    start = np.asarray(_AT_TOP)
    flow = _solve(_gauge_flow, start, math.log(TOP_MASS_MSBAR), math.log(scale))
    return tuple(float(value) for value in flow)


def _solve(flow: _Flow, start: np.ndarray, first: float, last: float) -> np.ndarray:
    return solve_ivp(flow, (first, last), start, rtol=1e-9, atol=1e-14).y[:, -1]


def _gauge_flow(_: float, alphas: np.ndarray) -> np.ndarray:
    """Running of the couplings of the standard model, one loop (alpha_s: two)."""
    one, two, strong, top = alphas
    strong_slope = -7.0 * strong**2 / (2.0 * math.pi)
    strong_slope -= 26.0 * strong**3 / (8.0 * math.pi**2)
    pull = 4.5 * top - 8.0 * strong - 2.25 * two - 17.0 / 12.0 * one
    slopes = (
        41.0 / (12.0 * math.pi) * one**2,
        -19.0 / (12.0 * math.pi) * two**2,
        strong_slope,
        top * pull / (2.0 * math.pi),
    )
    return np.array(slopes)


def _above_top(log_scale: float, state: np.ndarray) -> np.ndarray:
    one, two, strong, top = state[:4]
    slope = np.zeros((len(_ROW), len(_ROW)))
    yukawa = top / (4.0 * math.pi)
    for name in FERMIONS:
        row = slope[_ROW[name]]
        row[_ROW["weak"]] = 9.0 * two**2 / (16.0 * math.pi**2)
        charges = _HYPERCHARGES[name]
        row[_ROW["hypercharge"]] = 0.75 * one**2 / math.pi**2 * charges
        if name not in LEPTONS:
            row[_ROW["gluon"]] = 2.0 * strong**2 / math.pi**2
            row[list(_QUARKS)] = strong**2 / math.pi**2
        row[_ROW["top"]] += _YUKAWA.get(name, -6.0) * yukawa
    slope[_ROW["flavour_changing"], _ROW["top"]] = -yukawa
    matrix = state[4:].reshape(slope.shape)
    return np.concatenate([_gauge_flow(log_scale, state[:4]), (slope @ matrix).ravel()])


def _below_top(*, n_flavours: int) -> _Flow:
    active = [name for name in (*UP_TYPE, *DOWN_TYPE) if name != "top"]
    if n_flavours < 5:
        active.remove("bottom")
    charge = {name: 4.0 / 9.0 if name in UP_TYPE else 1.0 / 9.0 for name in active}
    charge |= dict.fromkeys(LEPTONS, 1.0)
    photon = np.zeros(len(_ROW))
    photon[[_ROW["weak"], _ROW["hypercharge"]]] = 1.0
    for name, square in charge.items():
        photon[_ROW[name]] = square if name in LEPTONS else 3.0 * square
    gluon = np.zeros(len(_ROW))
    gluon[_ROW["gluon"]] = 1.0
    gluon[[_ROW[name] for name in active]] = 0.5
    first = 11.0 - 2.0 * n_flavours / 3.0
    second = 102.0 - 38.0 * n_flavours / 3.0

    def flow(_: float, state: np.ndarray) -> np.ndarray:
        strong = state[0]
        slope = np.zeros((len(_ROW), len(_ROW)))
        for name, square in charge.items():
            slope[_ROW[name]] = 1.5 * _ALPHA_LIGHT**2 * square / math.pi**2 * photon
            if name not in LEPTONS:
                slope[_ROW[name]] += 2.0 * strong**2 / math.pi**2 * gluon
        change = -first * strong**2 / (2.0 * math.pi)
        change -= second * strong**3 / (8.0 * math.pi**2)
        matrix = state[1:].reshape(slope.shape)
        return np.concatenate([[change], (slope @ matrix).ravel()])

    return flow


_HYPERCHARGES: Final = {
    **dict.fromkeys(UP_TYPE, 17.0 / 36.0),
    **dict.fromkeys(DOWN_TYPE, 5.0 / 36.0),
    **dict.fromkeys(LEPTONS, 5.0 / 4.0),
}
"""Y_R^2 + Y_L^2."""

_YUKAWA: Final = {"top": 9.0, "up": 6.0, "charm": 6.0, "bottom": -5.0}
"""Response to c_tt through the Yukawa coupling of the top quark; -6 for all others."""
