from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from bsmfit.errors import InputError, OutputError
from bsmfit.scan.batch import dask_cluster, dask_task
from bsmfit.scan.batch.batch_run import run_batch, run_share
from bsmfit.scan.batch.progress import batch_status
from bsmfit.scan.batch.run_card import read_run_card
from bsmfit.scan.content_digest import content_digest
from bsmfit.scan.store import read_scan


@pytest.fixture(scope="module")
def cluster():
    """Two workers in this process, where the toy is."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(autouse=True)
def _no_map_is_kept():
    yield
    dask_task._planned.cache_clear()
    dask_task._batch.cache_clear()


def digest(folder: Path) -> str:
    return content_digest(read_scan(folder / "scan.nc"))


def test_cluster_computes_what_is_missing_and_the_result_is_the_same(
    toy, cluster, tmp_path
):
    run_batch(toy.CARD, tmp_path / "here")
    run_share(toy.CARD, tmp_path / "there", (1, 4))
    toy.log.unlink()
    outcome = run_batch(toy.CARD, tmp_path / "there", dask=cluster)
    assert (outcome.n_computed, outcome.n_missing) == (12, 0)
    assert toy.computed() == [row for row in range(0, 32, 2) if row % 8]
    assert digest(tmp_path / "there") == digest(tmp_path / "here")


def test_local_workers_write_their_blocks_themselves(toy, tmp_path, monkeypatch):
    """As those of ``local:2``, with threads of this process for its workers."""

    @contextmanager
    def in_this_process(n_worker: int):
        with LocalCluster(
            n_workers=n_worker,
            threads_per_worker=1,
            processes=False,
            dashboard_address="127.0.0.1:0",
        ) as cluster:
            yield cluster

    sent = []
    plain = dask_cluster._result
    monkeypatch.setattr(
        dask_cluster,
        "_result",
        lambda future, rows: sent.append(plain(future, rows)),
    )
    monkeypatch.setattr(dask_cluster, "_local_cluster", in_this_process)
    run_batch(toy.CARD, tmp_path / "here")
    run_share(toy.CARD, tmp_path / "there", (1, 4))
    monkeypatch.chdir(tmp_path)
    outcome = run_batch(toy.CARD, Path("there"), dask="local:2")
    assert (outcome.n_computed, outcome.n_missing) == (12, 0)
    assert sent == [None] * 12
    assert digest(tmp_path / "there") == digest(tmp_path / "here")


def test_stop_keeps_the_blocks_under_way(toy, cluster, tmp_path, monkeypatch):
    def compute(self, rows, cut):
        if rows.start == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(self, rows, cut)

    plain = toy.ToyMap.compute
    monkeypatch.setattr(toy.ToyMap, "compute", compute)
    outcome = run_batch(toy.CARD, tmp_path / "a", dask=cluster)
    assert outcome.stopped_by == signal.SIGTERM
    assert 4 <= outcome.n_computed < 16
    assert batch_status(tmp_path / "a").n_whole == outcome.n_computed
    assert len(toy.computed()) == outcome.n_computed


def test_worker_with_other_data_is_refused(toy, cluster, tmp_path, monkeypatch):
    plain = toy.plan_toy

    def plan(card, _=None):
        monkeypatch.setattr(
            "bsmfit.scan.batch.open_batch.plan_card",
            lambda card, _=None: plain(card.model_copy(update={"preset": "other"})),
        )
        return plain(card)

    monkeypatch.setattr("bsmfit.scan.batch.open_batch.plan_card", plan)
    with pytest.raises(OutputError, match="another version of bsmfit, or other data"):
        run_batch(toy.CARD, tmp_path / "a", dask=cluster)


def test_fault_in_a_worker_is_named_with_its_block(toy, cluster, tmp_path, monkeypatch):
    def compute(self, rows, cut):
        msg = "the moon is in the way"
        raise ArithmeticError(msg)

    monkeypatch.setattr(toy.ToyMap, "compute", compute)
    message = r"block of rows \d+:\d+: ArithmeticError: the moon is in the way"
    with pytest.raises(OutputError, match=message):
        run_batch(toy.CARD, tmp_path / "a", dask=cluster)


def test_block_that_is_changed_on_its_way_is_refused(
    toy, cluster, tmp_path, monkeypatch
):
    whole = dask_cluster._result
    monkeypatch.setattr(
        dask_cluster,
        "_result",
        lambda future, rows: whole(future, rows).replace(b"plan_hash", b"plan_hasj"),
    )
    with pytest.raises(OutputError, match="changed or damaged"):
        run_batch(toy.CARD, tmp_path / "a", dask=cluster)
    assert batch_status(tmp_path / "a").n_whole == 0


@pytest.mark.parametrize("address", ["local:0", "local:", "local:two", "local:-1"])
def test_number_of_workers_is_checked(address):
    with pytest.raises(InputError, match="write local:N with N from 1 to 1024"):
        dask_cluster.check_address(address)


def test_address_without_a_scheduler_is_refused(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_cluster, "_PATIENCE", 0.2)
    for address in ("tcp://127.0.0.1:9", "nowhere"):
        with pytest.raises(InputError, match=rf"--dask {address}: no scheduler"):
            run_batch(toy.CARD, tmp_path / "a", dask=address)


def test_workers_and_cluster_do_not_go_together(toy, tmp_path):
    with pytest.raises(InputError, match="do not go together"):
        run_batch(toy.CARD, tmp_path / "a", dask="local:2", n_worker=2)


def test_extra_is_named_where_dask_is_missing(toy, tmp_path, monkeypatch):
    plain = builtins.__import__

    def without_dask(name, *arguments):
        if name.partition(".")[0] == "dask":
            raise ImportError(name)
        return plain(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_dask)
    with pytest.raises(InputError, match=r"pip install 'bsmfit\[cluster\]'"):
        run_batch(toy.CARD, tmp_path / "a", dask="local:2")


CARD = """\
model: dark-photon
channels: [na62-dump-mumu]
axes:
  mass: {low: 0.25, high: 0.5, points: 24}
  coupling: {low: 1.0e-7, high: 1.0e-5, points: 7}
block_points: 14
"""


@pytest.mark.slow
def test_blocks_of_a_lost_worker_are_computed_by_another(tmp_path):
    path = tmp_path / "card.yaml"
    path.write_text(CARD)
    command = [sys.executable, "-m", "bsmfit", "batch", "run", str(path), "--out"]
    subprocess.run([*command, str(tmp_path / "here")], check=True)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        first = min(client.run(os.getpid).values())

        def lose_one(n_done: int, n_all: int) -> None:
            if n_done == 2 * 14:
                os.kill(first, signal.SIGKILL)

        outcome = run_batch(
            read_run_card(path),
            tmp_path / "there",
            dask=cluster.scheduler_address,
            progress=lose_one,
        )
        assert first not in client.run(os.getpid).values()
    assert (outcome.n_computed, outcome.n_missing) == (12, 0)
    assert digest(tmp_path / "there") == digest(tmp_path / "here")
    run_batch(read_run_card(path), tmp_path / "local", dask="local:2")
    assert digest(tmp_path / "local") == digest(tmp_path / "here")
