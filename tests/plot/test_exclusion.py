from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch

from bsmfit.errors import OutputError
from bsmfit.plot.exclusion import (
    PublishedContour,
    comparison_figure,
    exclusion_figure,
    save_figure,
)
from bsmfit.scan.contour import contour_lines, excluded_polygons

PUBLISHED = PublishedContour(
    np.array([0.25, 0.3]), np.array([4e-7, 5e-7]), "NA62, arXiv:2303.08666, fig. 14"
)


def patches(figure: Figure) -> dict[str, PathPatch]:
    found = [p for p in figure.axes[0].patches if isinstance(p, PathPatch)]
    return {str(patch.get_label()): patch for patch in found}


def lines(figure: Figure) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in figure.axes[0].lines}


def test_region_and_lines_have_the_vertices_of_the_contour(make_dataset):
    dataset = make_dataset("islands")
    figure = exclusion_figure(dataset)
    rings = [
        ring
        for polygon in excluded_polygons(dataset)
        for ring in (polygon.outer, *polygon.holes)
    ]
    region = patches(figure)["Excluded at 90 % CL"].get_path().vertices
    np.testing.assert_allclose(region, np.concatenate(rings) * [1e3, 1.0])
    drawn = np.asarray(lines(figure)["Observed"].get_xydata())
    drawn = drawn[~np.isnan(drawn).any(axis=1)]
    exact = np.concatenate(contour_lines(dataset)) * [1e3, 1.0]
    np.testing.assert_allclose(drawn, exact)


@pytest.mark.parametrize(
    ("n_sigma", "stronger", "weaker"), [(1, 2.32, 3.9), (2, 2.30, 5.3)]
)
def test_band_holds_the_points_between_the_two_limits(
    make_dataset, n_sigma: int, stronger: float, weaker: float
):
    dataset = make_dataset("islands")
    figure = exclusion_figure(dataset)
    band = patches(figure)[rf"Expected $\pm{n_sigma}\sigma$"].get_path()
    signal = (dataset["n_signal"] / dataset["n_up_obs"]).values * 2.30
    margin = 1.02
    inside = (signal > stronger * margin) & (signal < weaker / margin)
    outside = (signal < stronger / margin) | (signal > weaker * margin)
    mass, coupling = np.meshgrid(
        dataset["mass"].values * 1e3, dataset["epsilon"].values, indexing="ij"
    )
    points = np.stack([mass, coupling], axis=-1)
    crossings = sum(
        part.contains_points(points.reshape(-1, 2)).astype(int)
        for part in (_ring_path(ring) for ring in band.to_polygons(closed_only=False))
    )
    filled = (crossings % 2 == 1).reshape(mass.shape)
    assert inside.any()
    assert filled[inside].all()
    assert not filled[outside].any()


def _ring_path(ring: np.ndarray):
    return mpl.path.Path(ring)


def test_style_tells_observed_from_expected_without_colour(make_dataset):
    drawn = lines(exclusion_figure(make_dataset(), [PUBLISHED]))
    assert drawn["Observed"].get_linestyle() == "-"
    assert drawn["Expected, median"].get_linestyle() == "--"
    for name in ("Observed", "Expected, median"):
        assert drawn[name].get_marker() in ("", "None", None)
    points = drawn["NA62, arXiv:2303.08666, fig. 14"]
    assert points.get_linestyle() == "None"
    np.testing.assert_allclose(points.get_xdata(), [250.0, 300.0])


def test_figure_says_what_it_is(make_dataset):
    figure = exclusion_figure(make_dataset(), [PUBLISHED])
    axes = figure.axes[0]
    title = axes.get_title(loc="left")
    assert "NA62 data, bsmfit reinterpretation" in title
    for word in ("dark-photon", "brems", "na62-dump-mumu"):
        assert word in title
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [
        "Observed",
        "Excluded at 90 % CL",
        "Expected, median",
        r"Expected $\pm1\sigma$",
        r"Expected $\pm2\sigma$",
        "NA62, arXiv:2303.08666, fig. 14",
    ]
    assert axes.get_xlabel().endswith("[MeV]")
    assert axes.get_ylabel() == r"$\varepsilon$"


def test_axes_are_logarithmic_with_plain_mass_labels(make_dataset):
    figure = exclusion_figure(make_dataset())
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    np.testing.assert_allclose(axes.get_xlim(), [215.0, 800.0])
    np.testing.assert_allclose(axes.get_ylim(), [1e-7, 1e-5])
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels == ["300", "400", "500", "600", "800"]


def test_nothing_excluded_still_makes_a_figure(make_dataset, tmp_path: Path):
    dataset = make_dataset()
    dataset = dataset.assign(n_signal=0.0 * dataset["n_signal"])
    save_figure(exclusion_figure(dataset), tmp_path / "empty.png")


def test_comparison_draws_one_line_and_region_for_each(make_dataset):
    figure = comparison_figure([make_dataset(), make_dataset("islands")], ["a", "b"])
    assert [line.get_label() for line in figure.axes[0].lines] == ["a", "b"]
    styles = {line.get_linestyle() for line in figure.axes[0].lines}
    colours = {line.get_color() for line in figure.axes[0].lines}
    assert len(styles) == len(colours) == 2
    assert len(figure.axes[0].patches) == 2
    assert "90 % CL" in figure.axes[0].get_title(loc="left")


def test_files_have_print_resolution_and_repeat_to_the_byte(
    make_dataset, tmp_path: Path
):
    before = dict(mpl.rcParams)
    for name in ("a.png", "a.pdf", "b.pdf"):
        save_figure(exclusion_figure(make_dataset()), tmp_path / name)
    assert imread(tmp_path / "a.png").shape[1] == round(3.4 * 300)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.pdf",
        "a.png",
        "b.pdf",
    ]
    assert dict(mpl.rcParams) == before


def test_unwritable_folder_is_an_output_error(make_dataset, tmp_path: Path):
    with pytest.raises(OutputError, match="cannot write"):
        save_figure(exclusion_figure(make_dataset()), tmp_path / "nowhere" / "a.png")
