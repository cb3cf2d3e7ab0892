"""The shipped records, geometry and card: complete, sourced, consistent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bsmfit.catalogue.files import data_root, list_models, model_root
from bsmfit.catalogue.kinds.registry import names_with
from bsmfit.catalogue.limit_curves import read_limit_csv
from bsmfit.catalogue.records import (
    channel_records,
    read_beam_dump_record,
    read_contour,
    read_dump_geometry,
    read_geometry,
    read_kaon_setup,
    read_model_card,
    read_pi_invisible_record,
)
from bsmfit.catalogue.tables.region_tables import has_regions
from bsmfit.catalogue.yaml_file import load_yaml, top_level_text
from bsmfit.core.constants import PION_NEUTRAL_MASS

SHARED = Path(__file__).parents[2].parent / "shared"
RECORDS = sorted(
    path
    for name in ("record", "geometry", "setup", "pi_nunu")
    for path in data_root().glob(f"*/{name}.yaml")
)
# what to draw; ends of the published limit and the mass of the pi0, tested below
NO_SOURCE = ("default_plane", "default_mass", "default_coupling")
NO_SOURCE += ("segments", "reference_mass")
# powers of branching ratios, and choices of presets that their `assumption` explains
NO_SOURCE += ("scalar_segments", "decays", "multiplicity", "is_mass_relation")
NO_SOURCE += ("couplings",)
# planes of given rate: a point and usual axes, chosen
NO_SOURCE += ("lifetime", "rate")
NO_SOURCE += ("fixed", "other_mass", "mass_ratio", "mass_range", "decay_length")
DUMP = tuple(name for name in names_with("build_yields") if not has_regions(name))
INVISIBLE = tuple(
    name
    for name, path in channel_records().items()
    if top_level_text(path, "kind") == "pi-invisible"
)
COUNTS = {
    "na62-pi-invisible-run1-count": "na62-pi-invisible-run1",
    "na62-pi-invisible-2016-2022-count": "na62-pi-invisible-2016-2022",
}


def sourced_numbers(content: Any, sourced: bool) -> Iterator[tuple[bool, Any]]:
    """Yield every number with whether a mapping around it has provenance and source."""
    if isinstance(content, dict):
        here = sourced or {"provenance", "source"} <= content.keys()
        for key, value in content.items():
            if key in NO_SOURCE:
                continue
            yield from sourced_numbers(value, here)
    elif isinstance(content, list):
        for value in content:
            yield from sourced_numbers(value, sourced)
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield sourced, content


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_every_number_has_provenance_and_source(path) -> None:
    numbers = list(sourced_numbers(load_yaml(path).content, False))
    assert numbers
    assert [value for has, value in numbers if not has] == []


def test_every_nuisance_of_the_cards_has_a_source() -> None:
    for name in list_models():
        for preset in (
            load_yaml(model_root() / f"{name}.yaml").content["presets"].values()
        ):
            assert all(has for has, _ in sourced_numbers(preset, False))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_folder_has_readme_and_cited_references(path) -> None:
    folder = path.parent
    assert (folder / "README.md").is_file()
    text = path.read_text()
    known = set(re.findall(r"^@\w+\{([^,]+),", (folder / "refs.bib").read_text(), re.M))
    cited = set(re.findall(r"NA62-\d{4}\.\d{5}|[A-Z][\w-]+:\d{4}[a-z]{2,3}", text))
    assert cited
    assert cited <= known


def test_texkeys_of_the_cards_are_in_the_bibliography() -> None:
    text = (model_root() / "refs.bib").read_text()
    known = set(re.findall(r"^@\w+\{([^,]+),", text, re.M))
    for name in list_models():
        assert set(read_model_card(name).texkeys) <= known


def test_card_is_named_after_its_file() -> None:
    for name in list_models():
        assert read_model_card(name).name == name


def test_records_name_a_shipped_geometry_and_preset() -> None:
    for channel in DUMP:
        path = channel_records()[channel]
        record = read_beam_dump_record(channel)
        geometry = read_dump_geometry(record.geometry)
        assert geometry.id == record.geometry
        assert geometry.experiment == record.experiment
        assert record.default_preset in read_model_card(record.model).presets
        kept = "projection" if record.is_projection else "1985"
        other = f"{kept}_{record.final_state}"
        assert path.parent.name == f"{record.experiment}_{record.arxiv or other}"
        volume, default = record.selection.decay_volume, geometry.decay_volume
        assert volume.start.value == default.start.value
        assert volume.end.value == default.end.value


def test_searches_of_the_same_data_share_the_protons() -> None:
    muons = read_beam_dump_record("na62-dump-mumu")
    electrons = read_beam_dump_record("na62-dump-ee")
    assert muons.protons_on_target.value == electrons.protons_on_target.value
    shared = {n.name: n.size for n in muons.nuisances} & {
        n.name: n.size for n in electrons.nuisances
    }.keys()
    assert shared == {"na62_dump_pot"}
    # "0.80 of that of na62-dump-mumu"
    ratio = electrons.selection_efficiency.value / muons.selection_efficiency.value
    assert ratio == pytest.approx(0.80, abs=0.01)
    assert muons.selection.close_tracks == electrons.selection.close_tracks
    assert muons.selection.hole_radius == electrons.selection.hole_radius


def test_the_contour_of_the_electrons_is_the_reading_it_was_taken_from() -> None:
    file = SHARED / "reference" / "contours" / "na62_dump_ee_2312.12055.csv"
    if not file.exists():
        pytest.skip("the reading is not part of this copy")
    ours = read_contour(data_root() / "NA62_2312.12055" / "contour.csv").columns
    theirs = np.loadtxt(file, delimiter=",", skiprows=2)
    for column, name in enumerate(("mass_gev", "epsilon_lower", "epsilon_upper")):
        np.testing.assert_array_equal(ours[name], theirs[:, column])


def test_relative_sizes_agree_with_the_quantities_they_describe() -> None:
    for channel in DUMP:
        record = read_beam_dump_record(channel)
        sizes = {nuisance.name: nuisance.size for nuisance in record.nuisances}
        protons = record.protons_on_target
        assert protons.uncertainty is not None
        assert protons.uncertainty / protons.value == pytest.approx(
            sizes[f"{record.experiment.lower()}_dump_pot"]
        )
    muons = read_beam_dump_record("na62-dump-mumu").counts.background
    assert muons.uncertainty is not None
    assert muons.uncertainty / muons.value == pytest.approx(0.125)
    # central 90 % of a log-normal ends at kappa**1.645 times its median
    electrons = read_beam_dump_record("na62-dump-ee")
    background = electrons.counts.background
    assert background.uncertainty is not None
    size = next(n.size for n in electrons.nuisances if n.affects == "background")
    upper = background.value * (1.0 + size) ** 1.6449
    assert upper == pytest.approx(background.value + background.uncertainty, rel=0.05)


@pytest.mark.parametrize("channel", INVISIBLE)
def test_records_of_kaon_decays_name_what_is_shipped(channel: str) -> None:
    record, path = read_pi_invisible_record(channel), channel_records()[channel]
    setup = read_kaon_setup(record.setup)
    assert read_geometry(setup.geometry).id == setup.geometry
    assert set(record.default_coupling) <= set(list_models())
    folder = f"{record.experiment}_{record.arxiv}"
    assert path.parent.name in (folder, f"{folder}_count")
    assert (path.parent / "forward.npz").is_file()
    assert setup.veto_end.calibrated_at is not None
    assert setup.veto_end.calibrated_at.channel in INVISIBLE


@pytest.mark.parametrize("channel", INVISIBLE)
def test_sensitivity_is_that_of_the_expected_neutrino_pairs(channel: str) -> None:
    record = read_pi_invisible_record(channel)
    sensitivity = record.single_event_sensitivity.value
    if record.reference_mass is not None:
        # 4.0e9 tagged pi0 (arXiv:2010.07644), BR(K+ -> pi+ pi0) of PDG 2026
        assert record.reference_mass == PION_NEUTRAL_MASS
        assert sensitivity == pytest.approx(0.2067 / 4.0e9, rel=1e-3)
        return
    # the branching ratio at which NA62 quotes expected events
    branching_ratio = sensitivity * record.neutrino_events.value
    assert branching_ratio == pytest.approx(8.4e-11, rel=2e-3)


@pytest.mark.parametrize("channel", INVISIBLE)
def test_masses_are_those_of_the_published_limit(channel: str) -> None:
    record = read_pi_invisible_record(channel)
    if record.published_limit is None:
        return
    path = channel_records()[channel].parent / record.published_limit.file
    curve = read_limit_csv(path)
    assert len(curve.segments) == len(record.segments)
    for (low, high), segment in zip(curve.segments, record.segments, strict=True):
        assert segment.low == pytest.approx(low, abs=2e-4)
        assert segment.high == pytest.approx(high, abs=2e-4)


@pytest.mark.parametrize("count", COUNTS)
def test_count_is_of_the_data_of_the_search_with_a_limit(count: str) -> None:
    record, other = (read_pi_invisible_record(one) for one in (count, COUNTS[count]))
    assert record.datasets == other.datasets
    assert record.samples == other.samples
    assert record.background == other.background
    assert record.neutrino_events == other.neutrino_events
    (size,) = [n.size for n in record.nuisances if n.affects == "background"]
    background, neutrinos = record.background, record.neutrino_events
    assert background.uncertainty is not None
    assert background.uncertainty_down is not None
    assert neutrinos.uncertainty is not None
    other_error = 0.5 * (background.uncertainty + background.uncertainty_down)
    error = np.hypot(neutrinos.uncertainty, other_error)
    assert size == pytest.approx(error / (background.value + neutrinos.value), abs=5e-3)


def test_magnet_kick_is_that_of_its_field() -> None:
    # 0.2998 GeV per tesla metre, 0.6928 T over 1.3 m
    kick = read_geometry("NA62_dump").magnet.momentum_kick.value
    assert kick == pytest.approx(0.2998 * 0.6928 * 1.3, rel=2e-3)


def test_nuisance_of_one_name_has_one_size_in_all_presets() -> None:
    sizes: dict[str, set[float]] = {}
    for preset in read_model_card("dark-photon").presets.values():
        for nuisance in preset.nuisances:
            sizes.setdefault(nuisance.name, set()).add(nuisance.size)
    assert all(len(values) == 1 for values in sizes.values())


def test_validation_presets_have_no_theory_nuisance_and_no_form_factor() -> None:
    presets = read_model_card("dark-photon").presets
    assert read_model_card("dark-photon").default_preset == "bremsstrahlung"
    assert presets["bremsstrahlung"].processes == ("proton-bremsstrahlung",)
    for name in ("bremsstrahlung", "bremsstrahlung-alternative"):
        assert presets[name].form_factor == "none"
        assert presets[name].nuisances == ()


def test_contour_has_both_readings_of_both_edges() -> None:
    columns = read_contour(data_root() / "NA62_2303.08666" / "contour.csv").columns
    readings = columns["reading"]
    assert set(readings.tolist()) == {"darkcast", "foresee"}
    first, second = readings == "darkcast", readings == "foresee"
    assert first.sum() == second.sum() == 31
    np.testing.assert_array_equal(
        columns["mass_gev"][first], columns["mass_gev"][second]
    )
    assert np.all(np.diff(columns["mass_gev"][first]) > 0)
    assert np.all(columns["epsilon_lower"] < columns["epsilon_upper"])
    away = np.abs(columns["mass_gev"][first] - 0.411) > 0.008
    for edge in ("epsilon_lower", "epsilon_upper"):
        ratio = columns[edge][first] / columns[edge][second]
        assert np.all(np.abs(ratio - 1.0)[away] < 0.03)


def test_calibration_point_is_the_digitised_contour() -> None:
    record = read_beam_dump_record("na62-dump-mumu")
    point = record.selection_efficiency.calibrated_at
    assert point is not None
    assert record.published_contour is not None
    path = data_root() / "NA62_2303.08666" / record.published_contour
    columns = read_contour(path).columns
    row = (columns["mass_gev"] == point.mass) & (columns["reading"] == "darkcast")
    assert columns[f"epsilon_{point.edge}"][row].tolist() == [point.coupling]


def test_contour_is_that_of_the_full_digitisation() -> None:
    name = "na62_dump_mumu_2303.08666_darkcast.csv"
    reference = SHARED / "reference" / "contours" / name
    if not reference.is_file():
        pytest.skip("the reference files are not on this machine")
    mass, lower, upper = np.loadtxt(
        reference, delimiter=",", comments="#", skiprows=3, unpack=True
    )
    columns = read_contour(data_root() / "NA62_2303.08666" / "contour.csv").columns
    rows = columns["reading"] == "darkcast"
    ours = np.log(columns["mass_gev"][rows])
    for edge, values in (("epsilon_lower", lower), ("epsilon_upper", upper)):
        expected = np.exp(np.interp(ours, np.log(mass), np.log(values)))
        np.testing.assert_allclose(columns[edge][rows], expected, rtol=5e-3)


def test_the_contour_of_charm_is_on_the_sides_of_the_reading() -> None:
    name = "foresee_DarkHiggs_bounds_CHARM.csv"
    reference = SHARED / "reference" / "contours" / name
    if not reference.is_file():
        pytest.skip("the reference files are not on this machine")
    mass, mixing = np.loadtxt(reference, delimiter=",", skiprows=3, unpack=True)
    tip = int(np.argmax(mass))
    path = data_root() / "CHARM_1985_mumu" / "contour.csv"
    columns = read_contour(path, "sin_theta_squared").columns
    sides = {"lower": slice(0, tip + 1), "upper": slice(tip, tip + 11)}
    for side, part in sides.items():
        order = np.argsort(mass[part], kind="stable")
        logs = np.interp(
            columns["mass_gev"], mass[part][order], np.log(mixing[part][order])
        )
        ours = columns[f"sin_theta_squared_{side}"]
        np.testing.assert_allclose(ours, np.exp(2.0 * logs), rtol=1e-3)
