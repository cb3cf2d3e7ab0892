"""Maps with axes beside mass and coupling."""

from __future__ import annotations

import json

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.scan import runner
from bsmfit.scan.blocks import BlockCut, BlockFolder, cut_plane
from bsmfit.scan.exclusion_map import plan_map
from bsmfit.scan.further_axes import FurtherAxes, further_names, planes_of
from bsmfit.scan.runner import join_rows
from bsmfit.scan.store import read_scan, write_scan

PLANE = {"mass": [0.25, 0.3, 0.35], "coupling": (1e-7, 1e-5, 6)}
FURTHER = {"share": [1.0, 0.25], "offset": [-1.0, 0.0, 2.0]}


def muonic(mass, coupling, share, offset):
    one = jnp.ones_like(mass)
    return bsmfit.Mediator(
        mass=mass,
        decay_width=1e-3 * coupling**2 * mass * jnp.exp(offset),
        branching_ratios={"mumu": share * one, "invisible": (1.0 - share) * one},
        production={"proton-bremsstrahlung": coupling**2},
    )


@pytest.fixture(scope="module")
def model():
    parameters = {"share": 0.5, "offset": 0.0}
    return bsmfit.Model(muonic, name="muonic", parameters=parameters)


@pytest.fixture(scope="module")
def muons():
    return bsmfit.load_channel("na62-dump-mumu")


@pytest.fixture(scope="module")
def whole(model, muons):
    return bsmfit.scan_plane(model, muons, parameters=FURTHER, **PLANE)


def test_every_plane_is_that_of_its_parameters(model, muons, whole):
    assert whole["n_signal"].dims == ("share", "offset", "mass", "coupling")
    assert whole["n_obs"].dims == ("share", "offset", "mass")
    assert whole["share"].values.tolist() == [0.25, 1.0]
    for share, offset in ((0.25, 2.0), (1.0, -1.0)):
        one = bsmfit.scan_plane(
            model.with_parameters(share=share, offset=offset), muons, **PLANE
        )
        here = whole.sel(share=share, offset=offset)
        for name in ("n_signal", "n_up_obs", "cls_obs", "n_up_exp", "n_obs"):
            np.testing.assert_array_equal(here[name], one[name])


def test_one_program_serves_all_values(model, muons, monkeypatch):
    traced = eqx.debug.assert_max_traces(
        runner._evaluate_rows.__wrapped__, max_traces=1
    )
    monkeypatch.setattr(runner, "_evaluate_rows", eqx.filter_jit(traced))
    bsmfit.scan_plane(model, muons, parameters=FURTHER, **PLANE)


@pytest.mark.parametrize("block_points", [6, 12, 18, 40, 1000])
def test_blocks_join_to_the_same_numbers(model, muons, whole, block_points):
    planned = plan_map(model, muons, parameters=FURTHER, **PLANE)
    cut = planned.cut(block_points)
    rows = [row for block in cut.blocks() for row in block]
    assert rows == list(range(18))
    if block_points in (12, 40):  # shapes of other blocks are among these two
        parts = [planned.compute(block, cut) for block in cut.blocks()]
        signal = join_rows(parts)["n_signal"].reshape(2, 3, 3, 6)
        np.testing.assert_allclose(signal, whole["n_signal"], rtol=1e-12)


def test_small_planes_share_a_block_and_large_ones_are_cut():
    small = cut_plane(10, 10, chunk_points=1000, block_points=250, n_plane=5)
    assert [len(rows) for rows in small.blocks()] == [20, 20, 10]
    large = cut_plane(10, 10, chunk_points=40, block_points=40, n_plane=2)
    assert [len(rows) for rows in large.blocks()] == [4, 4, 2, 4, 4, 2]
    assert BlockCut(4, 4, 4).blocks() == [range(4)]


def test_planes_are_kept_and_found_again(model, muons, whole, tmp_path):
    planned = plan_map(model, muons, parameters=FURTHER, **PLANE)
    blocks = BlockFolder.from_plan(tmp_path, planned.plan)
    for _ in range(2):
        found = bsmfit.scan_plane(
            model, muons, parameters=FURTHER, blocks=blocks, **PLANE
        )
        np.testing.assert_array_equal(found["cls_obs"], whole["cls_obs"])
    other = plan_map(model, muons, parameters={"share": [0.25, 1.0]}, **PLANE)
    assert other.plan.identity() != planned.plan.identity()
    (line,) = other.plan.differences(planned.plan)
    assert "offset = -1.0,0.0,2.0 there" in line


def test_result_is_stored_and_planes_say_which_they_are(whole, tmp_path):
    write_scan(whole, tmp_path / "scan.nc")
    stored = read_scan(tmp_path / "scan.nc")
    assert further_names(stored) == ("share", "offset")
    planes = list(planes_of(stored))
    assert len(planes) == 6
    values, plane = planes[1]
    assert values == {"share": 0.25, "offset": 0.0}
    assert json.loads(plane.attrs["parameters"]) == values
    assert plane.attrs["title"] == whole.attrs["title"]
    assert bsmfit.coupling_edges(plane).lower.shape == (3,)
    with pytest.raises(InputError, match=r"select one, dataset.isel\(share=0\)"):
        bsmfit.coupling_edges(stored)


def test_what_is_no_axis_is_refused(model, muons):
    with pytest.raises(UnknownNameError, match="did you mean 'share'"):
        FurtherAxes.of(model, {"shares": [1.0]})
    for values in ([], [1.0, 1.0]):
        with pytest.raises(InputError, match="one or more different values"):
            FurtherAxes.of(model, {"share": values})
    with pytest.raises(InputError, match="share = nan"):
        FurtherAxes.of(model, {"share": [float("nan")]})


def test_too_many_points_say_into_how_many_blocks(model, muons):
    with pytest.raises(InputError, match=r"2 run cards .*each of 600 blocks of 50000"):
        plan_map(
            model,
            muons,
            mass=(0.22, 0.5, 1000),
            coupling=(1e-7, 1e-5, 1000),
            parameters={"share": np.linspace(0.1, 1.0, 60).tolist()},
        )
