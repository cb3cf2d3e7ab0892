from __future__ import annotations

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.errors import InputError
from bsmfit.scan import blocks as blocks_module
from bsmfit.scan.blocks import BlockFolder
from bsmfit.scan.devices import local_devices, row_mesh
from bsmfit.scan.runner import PointResult, Status, _evaluate_rows, run_plane

MASS = np.geomspace(0.2, 0.8, 13)
COUPLING = np.geomspace(1e-7, 1e-5, 17)


class Counting(eqx.Module):
    """Counts how often it is traced, through a list that is no part of the program."""

    inner: eqx.Module
    calls: list = eqx.field(static=True)

    def __call__(self, mass: jax.Array, coupling: jax.Array) -> PointResult:
        self.calls.append(1)
        return self.inner(mass, coupling)  # pyright: ignore[reportCallIssue]

    def __hash__(self) -> int:
        return id(self.calls)


class Calls(list):
    """A list that is hashable, so that it can be static."""

    def __hash__(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def test_plane_is_the_point_function_at_every_point(toy):
    plane = run_plane(toy, MASS, coupling=COUPLING, chunk_points=70)
    grid_mass, grid_coupling = np.meshgrid(MASS, COUPLING, indexing="ij")
    exact = 1e26 * grid_coupling**4 * grid_mass**2
    exact *= np.exp(-3e12 * grid_coupling**2 * grid_mass)
    np.testing.assert_allclose(plane["n_signal"], exact, rtol=1e-11)
    assert plane["n_up_exp"].shape == (13, 17, 5)
    np.testing.assert_array_equal(plane["n_obs"], (MASS > 0.5).astype(int))
    assert plane["status"].dtype == np.int8


def test_several_chunks_and_a_second_scan_are_traced_once(toy):
    calls = Calls()
    point = Counting(toy, calls)
    for strength in (1e26, 2e26):
        other = eqx.tree_at(lambda p: p.inner.strength, point, jnp.array(strength))
        run_plane(other, MASS, coupling=COUPLING, chunk_points=70)
    assert len(calls) == 1


def test_chunk_size_changes_no_bit(toy):
    whole = run_plane(toy, MASS, coupling=COUPLING)
    rows = run_plane(toy, MASS, coupling=COUPLING, chunk_points=1)
    for name, value in whole.items():
        np.testing.assert_allclose(value, rows[name], rtol=1e-14)


def test_work_that_depends_on_the_mass_alone_is_done_once_per_mass():
    class Point(eqx.Module):
        def __call__(self, mass: jax.Array, coupling: jax.Array) -> PointResult:
            up = jnp.tan(mass)
            return PointResult(
                n_signal=mass * coupling,
                cls_obs=up,
                cls_exp=up,
                n_obs=jnp.array(0),
                status=jnp.array(0),
                n_up_obs=up,
                n_up_exp=jnp.tile(up, 5),
            )

    mesh = row_mesh(local_devices("cpu")[:1])
    jaxpr = jax.make_jaxpr(
        lambda m, g: _evaluate_rows.__wrapped__(Point(), m, g, mesh)
    )(jnp.asarray(MASS), jnp.asarray(COUPLING))
    lines = [line for line in str(jaxpr).splitlines() if " tan " in line]
    assert len(lines) == 1
    assert "f64[13] =" in lines[0]


def test_failed_points_are_nan_and_keep_their_neighbours(make_toy):
    plane = run_plane(make_toy(mass_failing=0.5), MASS, coupling=COUPLING)
    alone = run_plane(make_toy(), MASS, coupling=COUPLING)
    failed = MASS > 0.5
    assert (plane["status"][failed] == Status.INVALID_MODEL).all()
    assert np.isnan(plane["n_up_exp"][failed]).all()
    assert np.isnan(plane["n_signal"][failed]).all()
    np.testing.assert_array_equal(
        plane["n_signal"][~failed], alone["n_signal"][~failed]
    )


def test_a_point_that_is_nan_without_saying_so_gets_a_status(toy):
    broken = eqx.tree_at(lambda p: p.strength, toy, jnp.array(jnp.nan))
    plane = run_plane(broken, MASS, coupling=COUPLING)
    assert (plane["status"] == Status.NOT_CONVERGED).all()
    assert np.isnan(plane["cls_obs"]).all()


def test_progress_ends_at_the_number_of_points(toy):
    seen: list[tuple[int, int]] = []
    run_plane(
        toy,
        MASS,
        coupling=COUPLING,
        chunk_points=70,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (13 * 17, 13 * 17)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


@pytest.mark.parametrize(
    "bad", [[0.3, 0.2], [0.2, 0.2], [], [-0.1, 0.2], [0.2, np.inf]]
)
def test_axes_must_ascend(toy, bad: list[float]):
    with pytest.raises(InputError, match="mass points"):
        run_plane(toy, np.array(bad), coupling=COUPLING)


class Killed(BaseException):
    """Stands for a kill: no clause of the package catches it."""


def test_a_killed_scan_continues_and_gives_the_same_bits(
    toy, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(blocks_module, "SINGLE_BLOCK_POINTS", 100)
    monkeypatch.setattr(blocks_module, "BLOCK_POINTS", 60)
    whole = run_plane(toy, MASS, coupling=COUPLING, chunk_points=34)
    folder = BlockFolder(tmp_path / "blocks", "plan-a")

    def kill_in_third_block(done: int, total: int) -> None:
        if done > 2 * 4 * COUPLING.size:
            raise Killed

    with pytest.raises(Killed):
        run_plane(
            toy,
            MASS,
            coupling=COUPLING,
            chunk_points=34,
            blocks=folder,
            progress=kill_in_third_block,
        )
    kept = sorted(path.name for path in folder.directory.iterdir())
    assert kept == ["000000-000004.nc", "000004-000008.nc"]

    calls: list[tuple[int, int]] = []
    resumed = run_plane(
        toy,
        MASS,
        coupling=COUPLING,
        chunk_points=34,
        blocks=folder,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert [done // COUPLING.size for done, _ in calls] == [4, 8, 10, 12, 13]
    for name, value in whole.items():
        np.testing.assert_array_equal(value, resumed[name])
