from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch

from bsmfit.errors import OutputError
from bsmfit.plot.exclusion import (
    PublishedContour,
    comparison_figure,
    exclusion_figure,
    published_contours,
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
    title = figure.get_suptitle()
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
    title = figure.get_suptitle()
    assert title == "NA62 data, bsmfit reinterpretation, 90 % CL"


def test_excluded_region_is_a_veil_over_the_bands(make_dataset):
    found = patches(exclusion_figure(make_dataset()))
    region = found["Excluded at 90 % CL"]
    red, green, blue, opacity = region.get_facecolor()
    assert 0.2 < opacity < 0.5
    for n_sigma in (1, 2):
        band = found[rf"Expected $\pm{n_sigma}\sigma$"]
        assert band.get_zorder() < region.get_zorder()
        below = np.array(band.get_facecolor()[:3])
        veiled = (1 - opacity) * below + opacity * np.array([red, green, blue])
        # a band is grey; under the region it is blue, and darker
        assert np.ptp(below) < 0.01
        assert veiled[2] - veiled[0] > 0.15
        assert veiled.mean() < below.mean() - 0.02


def joint_map(make_joint_dataset) -> xr.Dataset:
    plane = np.linspace(-1.0, 1.0, 21) + np.zeros((9, 1))
    part = plane - 0.4
    part[6:] = np.nan
    return make_joint_dataset(plane, first=part, second=plane - 0.5)


def test_joint_map_has_thin_single_searches_and_a_bold_joint_limit(make_joint_dataset):
    dataset = joint_map(make_joint_dataset)
    figure = exclusion_figure(dataset)
    drawn = lines(figure)
    joint = drawn["Observed, joint"]
    singles = [drawn["first"], drawn["second"]]
    for single in singles:
        assert single.get_linewidth() < 0.5 * joint.get_linewidth()
    assert len({joint.get_color(), *(line.get_color() for line in singles)}) == 3
    # 10^-7 to 10^-5: the fields cross zero at 0.5, 0.7 and 0.75 of the two decades
    for line, height in zip([joint, *singles], (0.5, 0.7, 0.75), strict=True):
        couplings = np.asarray(line.get_ydata(), dtype=float)
        lowest = np.nanmin(couplings)
        assert lowest == pytest.approx(10.0 ** (2 * height - 7), rel=1e-9)
    # the first one is closed where it ends
    ends = np.asarray(drawn["first"].get_xdata(), dtype=float)
    at_end = np.isclose(ends, 1e3 * dataset["mass"].values[5])
    heights = np.asarray(drawn["first"].get_ydata(), dtype=float)[at_end]
    assert heights.max() == pytest.approx(1e-5)
    assert np.nanmax(ends) == pytest.approx(1e3 * dataset["mass"].values[5])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[-2:] == ["first", "second"]
    assert legend[0] == "Observed, joint"


@pytest.mark.parametrize(
    ("ordering", "words"),
    [
        ("likelihood-ratio", None),
        ("qtilde", "Ordered by qtilde, not the likelihood ratio"),
        ("sum", "Ordered by the sum of counts, not the likelihood ratio"),
    ],
)
def test_title_tells_an_unusual_ordering(
    make_joint_dataset, ordering: str, words: str | None
):
    dataset = joint_map(make_joint_dataset).assign_attrs(ordering=ordering)
    last = exclusion_figure(dataset).get_suptitle().splitlines()[-1]
    assert last == words if words else "Ordered" not in last


@pytest.mark.parametrize(
    ("value", "words"),
    [(20.0, r"$\tau$ = 20 ps"), (1e3, r"$\tau$ = 1 ns"), (3e8, r"$\tau$ = 300 μs")],
)
def test_title_has_symbols_and_units_of_fixed_parameters(make_dataset, value, words):
    dataset = make_dataset().assign_attrs(
        parameters=json.dumps({"lifetime_ps": value, "share": 0.5}),
        parameter_labels=json.dumps({"lifetime_ps": [r"\tau", "ps"]}),
    )
    last = exclusion_figure(dataset).get_suptitle().splitlines()[-1]
    assert last.replace("\N{NO-BREAK SPACE}", " ") == f"{words}, share = 0.5"


def test_one_search_has_no_ordering_to_tell(make_dataset):
    dataset = make_dataset().assign_attrs(ordering="count")
    assert "Ordered" not in exclusion_figure(dataset).get_suptitle()


@pytest.mark.parametrize("flag", [0, np.int64(0), False, np.bool_(False)])
def test_changed_search_is_not_called_published_data(make_dataset, flag: object):
    name = "na62-dump-mumu+10x-protons"
    dataset = make_dataset().assign_attrs(
        title=f"dark-photon: exclusion by {name} at 90 % CL",
        is_published=flag,
    )
    # the name alone would find the published contour
    assert published_contours(dataset) == []
    for figure in (
        exclusion_figure(dataset),
        comparison_figure([make_dataset(), dataset], ["a", "b"]),
    ):
        label = figure.get_suptitle().splitlines()[0]
        assert label.startswith("Changed inputs, not the published NA62 data")
    assert name in exclusion_figure(dataset).get_suptitle()


@pytest.mark.parametrize("attributes", [{}, {"is_published": 1}])
def test_unchanged_search_has_its_published_points(make_dataset, attributes: dict):
    dataset = make_dataset().assign_attrs(attributes)
    assert [c.source for c in published_contours(dataset)] == [
        "NA62, arXiv:2303.08666 (digitised)"
    ]
    title = exclusion_figure(dataset).get_suptitle()
    assert title.startswith("NA62 data, bsmfit reinterpretation (brems)")


def test_title_of_the_dataset_is_that_of_the_figure(make_dataset):
    dataset = make_dataset().assign_attrs(title="Toy study, blinded")
    lines_of_title = exclusion_figure(dataset).get_suptitle().splitlines()
    assert lines_of_title[1:] == ["Toy study, blinded"]


def test_one_mass_has_a_figure_with_the_mass_in_its_middle(make_dataset):
    one = make_dataset().isel(mass=[3])
    mass = 1e3 * float(one["mass"][0])
    for figure in (exclusion_figure(one), comparison_figure([one, one], ["a", "b"])):
        low, high = figure.axes[0].get_xlim()
        assert low * high == pytest.approx(mass**2)
        assert low < mass < high


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
