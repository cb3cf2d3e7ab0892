from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bsmfit.plot.exclusion import comparison_figure, exclusion_figure
from bsmfit.plot.mass_gaps import closing_lines, mass_gaps
from bsmfit.scan.contour import excluded_polygons
from bsmfit.scan.runner import Status


def closed(dataset: xr.Dataset, low: float, high: float) -> xr.Dataset:
    """The dataset without sensitivity at masses from `low` to `high`."""
    mass = dataset["mass"]
    is_closed = (mass >= low) & (mass <= high)
    changed = {
        name: dataset[name].where(~is_closed)
        for name in ("n_signal", "n_up_obs", "n_up_exp", "cls_obs", "cls_exp")
    }
    status = dataset["status"].where(~is_closed, int(Status.NO_SENSITIVITY))
    return dataset.assign(changed | {"status": status.astype(np.int8)})


def all_excluded(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.assign(n_signal=10.0 * dataset["n_up_obs"])


def region_vertices(figure: Figure) -> np.ndarray:
    found = [p for p in figure.axes[0].patches if str(p.get_label())[:8] == "Excluded"]
    return np.asarray(found[0].get_path().vertices)


def bands(figure: Figure) -> list[tuple[float, float]]:
    return [
        (patch.get_x(), patch.get_x() + patch.get_width())
        for patch in figure.axes[0].patches
        if isinstance(patch, Rectangle) and patch.get_hatch()
    ]


def test_gap_reaches_the_last_masses_with_sensitivity(make_dataset):
    dataset = make_dataset()
    masses = dataset["mass"].values
    found = mass_gaps([closed(dataset, masses[40], masses[50])])
    assert found == [(masses[39], masses[51])]


def test_gaps_at_the_ends_of_the_plane_end_there(make_dataset):
    dataset = make_dataset()
    masses = dataset["mass"].values
    dataset = closed(closed(dataset, 0.0, masses[4]), masses[-3], 1.0)
    found = mass_gaps([dataset])
    assert found == [(masses[0], masses[5]), (masses[-4], masses[-1])]


def test_a_mass_with_some_points_that_failed_is_no_gap(make_dataset):
    dataset = make_dataset()
    status = dataset["status"].copy()
    status[10, :] = int(Status.NOT_CONVERGED)
    status[20, 3:] = int(Status.NO_SENSITIVITY)
    assert mass_gaps([dataset.assign(status=status)]) == []


def test_another_search_fills_a_gap(make_dataset):
    dataset = make_dataset()
    masses = dataset["mass"].values
    gap = closed(dataset, masses[40], masses[60])
    filling = dataset.isel(mass=slice(39, 51))
    assert mass_gaps([gap, filling]) == [(masses[50], masses[61])]
    assert mass_gaps([gap, dataset]) == []


def test_gap_is_a_hatched_band_that_is_never_excluded(make_dataset):
    dataset = make_dataset()
    masses = dataset["mass"].values
    dataset = closed(all_excluded(dataset), masses[40], masses[50])
    figure = exclusion_figure(dataset)
    ((low, high),) = bands(figure)
    np.testing.assert_allclose((low, high), 1e3 * masses[[39, 51]])
    vertices = region_vertices(figure)
    inside = (vertices[:, 0] > low * (1 + 1e-9)) & (vertices[:, 0] < high * (1 - 1e-9))
    assert not inside.any()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[-1] == "No sensitivity"


def test_observed_line_is_closed_at_the_gap(make_dataset):
    dataset = make_dataset()
    masses, couplings = dataset["mass"].values, dataset["epsilon"].values
    dataset = closed(all_excluded(dataset), masses[40], masses[50])
    rings = [polygon.outer for polygon in excluded_polygons(dataset)]
    pieces = closing_lines(dataset, rings)
    assert len(pieces) == 2
    for piece, mass in zip(
        sorted(pieces, key=lambda p: p[0, 0]), masses[[39, 51]], strict=True
    ):
        np.testing.assert_allclose(piece[:, 0], mass)
        np.testing.assert_allclose(sorted(piece[:, 1]), couplings[[0, -1]])
    figure = exclusion_figure(dataset)
    (line,) = (x for x in figure.axes[0].lines if x.get_label() == "Observed")
    drawn = np.asarray(line.get_xydata())
    assert np.isclose(drawn[:, 0], 1e3 * masses[39]).sum() == 2


def test_no_gap_no_band_and_no_word_in_the_legend(make_dataset):
    figure = exclusion_figure(make_dataset())
    assert bands(figure) == []
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "No sensitivity" not in legend


def test_comparison_hatches_only_what_no_search_covers(make_dataset):
    dataset = make_dataset()
    masses = dataset["mass"].values
    first = closed(dataset, masses[40], masses[60])
    second = closed(dataset, masses[50], masses[70])
    figure = comparison_figure([first, second], ["a", "b"])
    ((low, high),) = bands(figure)
    np.testing.assert_allclose((low, high), 1e3 * masses[[49, 61]])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["a", "b", "No sensitivity"]


@pytest.mark.parametrize("name", ["plane", "islands"])
def test_closing_lines_are_none_without_a_gap(make_dataset, name: str):
    dataset = make_dataset("wedge" if name == "plane" else name)
    rings = [polygon.outer for polygon in excluded_polygons(dataset)]
    assert closing_lines(dataset, rings) == []


def test_gap_between_nearly_equal_masses_is_closed_once_on_each_side(make_dataset):
    dataset = make_dataset()
    masses = dataset["mass"].values.copy()
    masses[40], masses[50] = masses[39] * (1 + 1e-9), masses[51] * (1 - 1e-9)
    dataset = all_excluded(dataset.assign_coords(mass=masses))
    dataset = closed(dataset, masses[40], masses[50])
    assert mass_gaps([dataset]) == [(masses[39], masses[51])]
    rings = [polygon.outer for polygon in excluded_polygons(dataset)]
    pieces = closing_lines(dataset, rings)
    assert len(pieces) == 2
    ends = sorted(piece[0, 0] for piece in pieces)
    np.testing.assert_allclose(ends, masses[[39, 51]], rtol=1e-13)
    # with sensitivity at the inner ones, the gap begins there and the strip is a region
    dataset = all_excluded(make_dataset().assign_coords(mass=masses))
    dataset = closed(dataset, masses[41], masses[49])
    assert mass_gaps([dataset]) == [(masses[40], masses[50])]
    rings = [polygon.outer for polygon in excluded_polygons(dataset)]
    ends = sorted(piece[0, 0] for piece in closing_lines(dataset, rings))
    np.testing.assert_allclose(ends, masses[[40, 50]], rtol=1e-13)


def test_masses_that_a_model_leaves_out_are_called_so(make_dataset):
    dataset = make_dataset()
    status = dataset["status"].copy()
    status[40:50, :] = int(Status.EXCLUDED_MASS)
    figure = exclusion_figure(dataset.assign(status=status))
    assert len(bands(figure)) == 1
    assert figure.legends[0].get_texts()[-1].get_text() == "Masses left out"
    status[60:70, :] = int(Status.NO_SENSITIVITY)
    figure = exclusion_figure(dataset.assign(status=status))
    assert len(bands(figure)) == 2
    last = figure.legends[0].get_texts()[-1].get_text()
    assert last == "No sensitivity or left out"
