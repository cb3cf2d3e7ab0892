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
from bsmfit.plot.ticks import log_ticks


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
        ({"units": "1/GeV"}, r"$\varepsilon$ [GeV$^{-1}$]"),
        ({"units": "GeV-1"}, r"$\varepsilon$ [GeV$^{-1}$]"),
        ({"units": "GeV^-1"}, r"$\varepsilon$ [GeV$^{-1}$]"),
        ({"units": "GeV**-2"}, r"$\varepsilon$ [GeV$^{-2}$]"),
        ({"units": "GeV^{-1}"}, r"$\varepsilon$ [GeV$^{-1}$]"),
        ({"units": "1/TeV^2"}, r"$\varepsilon$ [TeV$^{-2}$]"),
        ({"units": "1 / GeV**2"}, r"$\varepsilon$ [GeV$^{-2}$]"),
        ({"units": "GeV$^{-1}$"}, r"$\varepsilon$ [GeV$^{-1}$]"),
        ({"units": "GeV2"}, r"$\varepsilon$ [GeV$^{2}$]"),
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


@pytest.mark.parametrize("n_extra", [2, 6])
def test_masses_between_equal_steps_leave_the_axis_linear(make_dataset, n_extra: int):
    dataset = with_equal_steps(make_dataset())
    masses = dataset["mass"].values
    extra = masses[40] * (1.0 + np.arange(1, n_extra + 1) * 1e-9)
    dataset = dataset.interp(mass=np.sort(np.concatenate([masses, extra])))
    assert has_equal_steps(dataset)
    logarithmic = make_dataset()
    masses = logarithmic["mass"].values
    extra = masses[40] * (1.0 + np.arange(1, n_extra + 1) * 1e-9)
    logarithmic = logarithmic.interp(mass=np.sort(np.concatenate([masses, extra])))
    assert not has_equal_steps(logarithmic)


@pytest.mark.parametrize(
    ("low", "high", "n_decade"), [(0.9e-7, 1.1e-4, 4), (1e-8, 1e-4, 5), (1e10, 1e13, 4)]
)
def test_powers_of_ten_are_enough_where_there_are_many(
    low: float, high: float, n_decade: int
):
    ticks = log_ticks(low, high, n_least=3)
    assert len(ticks) == n_decade
    np.testing.assert_allclose(np.log10(ticks), np.round(np.log10(ticks)), atol=1e-12)


@pytest.mark.parametrize("n_least", [3, 4])
@pytest.mark.parametrize("ratio", [1.0003, 1.01, 1.1, 1.5, 2.0, 4.0, 9.0, 30.0, 1e3])
@pytest.mark.parametrize("low", [1.03e-7, 2.9e-7, 0.95, 404.0])
def test_short_and_long_axes_have_labels(low: float, ratio: float, n_least: int):
    high = low * ratio
    ticks = np.array(log_ticks(low, high, n_least=n_least))
    assert n_least <= ticks.size <= 16
    assert np.all(np.diff(ticks) > 0.0)
    assert ticks[0] >= low * (1 - 1e-8)
    assert ticks[-1] <= high * (1 + 1e-8)


@pytest.mark.parametrize(
    ("low", "high"), [(1e-7, 1e-5), (3e-7, 9e-7), (2e-6, 2.2e-5), (1e-18, 1e-6)]
)
def test_coupling_axis_is_labelled_three_times_and_more(
    make_dataset, low: float, high: float
):
    dataset = make_dataset()
    couplings = np.geomspace(low, high, dataset["epsilon"].size)
    figure = exclusion_figure(dataset.assign_coords(epsilon=couplings))
    figure.draw_without_rendering()
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    labels = [
        label.get_text()
        for label in axes.get_yticklabels()
        if label.get_text() and low * 0.999 <= label.get_position()[1] <= high * 1.001
    ]
    assert 3 <= len(labels) <= 9
    assert len(set(labels)) == len(labels)
    assert all(r"10^{" in label for label in labels)


def test_narrow_mass_axis_has_plain_labels(make_dataset):
    dataset = make_dataset()
    masses = np.geomspace(0.404, 0.440, dataset["mass"].size)
    axes = exclusion_figure(dataset.assign_coords(mass=masses)).axes[0]
    axes.figure.draw_without_rendering()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["405", "410", "415", "420", "425", "430", "435", "440"]


@pytest.mark.parametrize("width_inch", [3.4, 6.0])
def test_title_and_legend_stay_inside_the_figure(make_joint_dataset, width_inch: float):
    plane = np.linspace(-1.0, 1.0, 9) + np.zeros((5, 1))
    names = ["na62-pi-invisible-2016-2022-count", "na62-dump-mumu+10x-protons"]
    dataset = make_joint_dataset(plane, **dict.fromkeys(names, plane))
    title = f"dark-photon-invisible: exclusion by {' + '.join(names)} at 90 % CL"
    dataset = dataset.assign_attrs(title=title, preset="bremsstrahlung")
    figure = exclusion_figure(dataset, width_inch=width_inch)
    figure.draw_without_rendering()
    for text in (figure.legends[0], figure.texts[0]):
        extent = text.get_window_extent()
        assert extent.x0 >= 0.0
        assert extent.x1 <= figure.bbox.x1
    words = figure.get_suptitle().replace("\N{NO-BREAK SPACE}", " ").split()
    assert " ".join(words).endswith(title)
