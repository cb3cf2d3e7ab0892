from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from bsmfit.plot.axes import coupling_label, has_equal_steps
from bsmfit.plot.exclusion import (
    comparison_figure,
    exclusion_figure,
)
from bsmfit.plot.published import published_contours


def with_equal_steps(dataset: xr.Dataset) -> xr.Dataset:
    attributes = dataset["mass"].attrs
    masses = np.linspace(0.002, 0.270, dataset["mass"].size)
    changed = dataset.assign_coords(mass=masses)
    changed["mass"].attrs = attributes
    return changed


def in_gev(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset as that of a decay constant, excluded below a line."""
    scale = np.geomspace(1e10, 1e13, dataset["epsilon"].size)
    changed = dataset.rename(epsilon="decay_constant")
    changed = changed.assign_coords(decay_constant=scale)
    changed["decay_constant"].attrs = {"units": "GeV", "symbol": "$F_V$"}
    signal = 3.0 * (1e12 / scale) ** 2
    return changed.assign(
        n_signal=changed["n_signal"] * 0.0 + xr.DataArray(signal, dims="decay_constant")
    )


def test_equal_steps_make_a_linear_axis_and_equal_ratios_a_logarithmic_one(
    make_dataset,
):
    assert not has_equal_steps(make_dataset())
    dataset = with_equal_steps(make_dataset())
    assert has_equal_steps(dataset)
    axes = exclusion_figure(dataset).axes[0]
    assert axes.get_xscale() == "linear"
    assert axes.get_yscale() == "log"
    np.testing.assert_allclose(axes.get_xlim(), [2.0, 270.0])
    ticks = [tick for tick in axes.get_xticks() if 2.0 <= tick <= 270.0]
    np.testing.assert_allclose(ticks, [50.0, 100.0, 150.0, 200.0, 250.0])


def test_two_masses_say_nothing_about_the_spacing(make_dataset):
    assert not has_equal_steps(make_dataset().isel(mass=slice(0, 2)))


def test_axes_of_mixed_spacing_are_logarithmic(make_dataset):
    pair = [with_equal_steps(make_dataset()), make_dataset()]
    assert comparison_figure(pair, ["a", "b"]).axes[0].get_xscale() == "log"


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ({"symbol": "$F_V$", "units": "GeV"}, "$F_V$ [GeV]"),
        ({"symbol": r"$\sin^2\theta$", "units": "1"}, r"$\sin^2\theta$"),
        ({"units": "1"}, r"$\varepsilon$"),
        ({"units": "1/GeV"}, r"$\varepsilon$ [1/GeV]"),
    ],
)
def test_coupling_has_its_symbol_and_its_unit(
    make_dataset, attributes: dict[str, str], label: str
):
    dataset = make_dataset()
    dataset["epsilon"].attrs = attributes
    assert coupling_label(dataset) == label
    assert exclusion_figure(dataset).axes[0].get_ylabel() == label


def test_region_below_a_line_is_filled_down_to_the_end_of_the_plane(make_dataset):
    dataset = in_gev(make_dataset())
    figure = exclusion_figure(dataset)
    found = [p for p in figure.axes[0].patches if str(p.get_label())[:8] == "Excluded"]
    vertices = np.asarray(found[0].get_path().vertices)
    assert vertices[:, 1].min() == pytest.approx(1e10)
    # 3 (1e12 / F)^2 events against the smaller and the larger limit of the plane
    assert vertices[:, 1].max() == pytest.approx(1e12 * (3.0 / 2.30) ** 0.5, rel=1e-6)
    assert figure.axes[0].get_ylabel() == "$F_V$ [GeV]"


def test_published_scalar_edge_of_run_1_has_lower_points_only(make_dataset):
    dataset = make_dataset().assign_attrs(
        model="dark-scalar", channels=json.dumps(["na62-pi-invisible-run1"])
    )
    (contour,) = published_contours(dataset)
    assert contour.mass.size == contour.coupling.size == 66
    # arXiv:2103.15389, HEPData: 10 MeV and the best limit, 202 MeV
    for mass, edge in ((0.01, 3.293e-8), (0.202, 8.385e-9)):
        at = np.isclose(contour.mass, mass)
        np.testing.assert_allclose(contour.coupling[at], edge)
    assert "2103.15389" in contour.source


def test_published_edge_is_not_drawn_over_another_model(make_dataset):
    dataset = make_dataset().assign_attrs(
        channels=json.dumps(["na62-pi-invisible-run1"])
    )
    assert published_contours(dataset) == []


def test_long_titles_take_another_line(make_dataset):
    names = ["na62-pi-invisible-2016-2022", "na62-pi0-invisible"]
    dataset = make_dataset().assign_attrs(channels=json.dumps(names))
    title = exclusion_figure(dataset).axes[0].get_title(loc="left")
    assert title.splitlines()[1:] == ["dark-photon (brems),", " + ".join(names)]
