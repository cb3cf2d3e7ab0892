"""The figure of limits on rare decays."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.errors import InputError
from bsmfit.inference.limits.rare_decay_limits import RareDecayLimits
from bsmfit.plot.rare_decays import decay_in_symbols, plot_rare_decays

NAMES = ("na62-mu-minus-nu-e-e", "na62-pi-minus-e-e", "na62-pi-minus-e-e-2017")


def made(names):
    """Limits made up: 8e-11, 5e-11, 2e-10."""
    values = jnp.array([8e-11, 5e-11, 2e-10])[: len(names)]
    bands = values[:, None] * jnp.array([0.5, 0.8, 1.0, 1.5, 2.0])[None]
    return RareDecayLimits(
        names=names,
        observed=values,
        expected=bands.at[1:2].set(jnp.nan),
        without_background_error=values,
        without_sensitivity_error=values,
        without_errors=values,
        feldman_cousins=bands[:, :2],
        bayesian=values,
        is_converged=values > 0.0,
        cl=0.9,
    )


def test_rows_are_ordered_and_superseded_searches_left_out(tmp_path):
    path = tmp_path / "decays.png"
    figure = plot_rare_decays(made(NAMES), path)
    assert path.stat().st_size > 10_000
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert [r"\nu" in label for label in labels] == [False, True]
    points = [line.get_xdata() for line in axes.lines]
    drawn = {float(x) for xs in points for x in np.atleast_1d(np.asarray(xs, float))}
    # ours, published and earlier ones
    for value in (8e-11, 8.1e-11, 2.1e-8, 5e-11, 5.3e-11, 2.2e-10):
        assert any(x == pytest.approx(value) for x in drawn)
    assert not any(x == pytest.approx(2e-10) for x in drawn)
    low, high = axes.get_xlim()
    assert low < 4e-11
    assert high > 2.1e-8


def test_decays_are_written_in_symbols():
    text = decay_in_symbols("K+ -> mu- nu e+ e+")
    assert text == r"$K^{+}\,\to\,\mu^{-}\,\nu\,e^{+}\,e^{+}$"


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.png"):
        plot_rare_decays(made(NAMES), tmp_path / "decays.gif")
    alone = made(NAMES[2:])
    with pytest.raises(InputError, match="superseded"):
        plot_rare_decays(alone)
