"""Programs kept between runs: by whom they are found, and what may go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bsmfit
from bsmfit.cli import app, compilation_cache
from bsmfit.cli.compilation_cache import (
    cache_root,
    host_key,
    start_compilation_cache,
)

SOURCE = str(Path(bsmfit.__file__).parents[1])

COMPILES = """
import os
from bsmfit.cli.compilation_cache import start_compilation_cache
settings = start_compilation_cache(os.environ)
os.environ.update(settings)
import equinox as eqx, jax, jax.numpy as jnp, sys
hits = []
jax.monitoring.register_event_listener(
    lambda name, **_: hits.append(name) if name.endswith("cache_hits") else None)

@jax.custom_jvp
def f(x):
    return jnp.sin(x)

@f.defjvp
def df(primals, tangents):
    return f(*primals), jnp.cos(*primals) * tangents[0]

@jax.jit
def root(x):
    solve = lambda g, y: jax.lax.while_loop(lambda y: jnp.abs(g(y)) > 1e-6,
                                            lambda y: y - 0.5 * g(y), y)
    tangent = lambda g, y: y / g(1.0)
    return jax.lax.custom_root(lambda y: y * y - f(x), x, solve, tangent)

print(float(jax.grad(root)(1.0)), len(hits), bool(settings))
"""


def compile_in(folder: Path, **variables: str) -> list[str]:
    """Compile in a new process: gradient of a root, programs found, cache in use."""
    environment = os.environ | {"PYTHONPATH": SOURCE, "BSMFIT_CACHE": str(folder)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", COMPILES],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def programs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.name.endswith("-cache"))


@pytest.fixture(scope="module")
def used(tmp_path_factory) -> Path:
    """A folder that one process has used."""
    folder = tmp_path_factory.mktemp("cache")
    value, hits, is_used = compile_in(folder)
    # y**2 = sin x: dy/dx = cos x / (2 sqrt(sin x)) = 0.294504 at x = 1
    assert float(value) == pytest.approx(0.294504, rel=1e-4)
    assert (hits, is_used) == ("0", "True")
    return folder


def test_next_process_finds_the_programs_of_the_last(used):
    before = programs(used)
    assert before
    value, hits, _ = compile_in(used)
    assert float(value) == pytest.approx(0.294504, rel=1e-4)
    assert int(hits) == len(before)
    assert programs(used) == before
    assert {path.parent.name for path in before} == {host_key()}


def test_programs_of_killed_processes_and_cut_off_files_are_not_kept(used):
    kept = used / host_key()
    before = programs(used)
    assert [path for path in kept.iterdir() if path.name.startswith("process-")] == []
    whole = before[0].read_bytes()
    assert compilation_cache._is_whole(whole)
    for n_bytes in (0, 1, len(whole) // 2, len(whole) - 1):
        assert not compilation_cache._is_whole(whole[:n_bytes])


def test_processes_side_by_side_end_with_whole_programs(tmp_path):
    environment = os.environ | {"PYTHONPATH": SOURCE, "BSMFIT_CACHE": str(tmp_path)}
    both = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", COMPILES], env=environment
        )
        for _ in range(2)
    ]
    assert [process.wait() for process in both] == [0, 0]
    found = programs(tmp_path)
    assert found
    assert all(compilation_cache._is_whole(path.read_bytes()) for path in found)
    assert int(compile_in(tmp_path)[1]) == len(found)


def test_folder_that_cannot_be_used_is_left_alone(tmp_path):
    (tmp_path / "file").write_text("mine")
    assert compile_in(tmp_path / "file")[1:] == ["0", "False"]
    assert compile_in(Path("/proc/none"))[1:] == ["0", "False"]
    assert (tmp_path / "file").read_text() == "mine"


def test_switch_and_folder_of_ones_own(tmp_path):
    assert compile_in(Path("off"))[1:] == ["0", "False"]
    own = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "own")}
    assert compile_in(tmp_path / "ours", **own)[2] == "False"
    assert not (tmp_path / "ours").exists()


def test_where_the_folder_is(monkeypatch, tmp_path):
    assert cache_root({}) is None
    assert cache_root({"HOME": "/home/a"}) == Path("/home/a/.cache/bsmfit/programs")
    shared = {"HOME": "/home/a", "XDG_CACHE_HOME": "/scratch/a"}
    assert cache_root(shared) == Path("/scratch/a/bsmfit/programs")
    # the specification has a relative one ignored
    assert cache_root(shared | {"XDG_CACHE_HOME": "x"}) == cache_root(
        {"HOME": "/home/a"}
    )
    monkeypatch.chdir(tmp_path)
    assert cache_root(shared | {"BSMFIT_CACHE": "mine"}) == tmp_path / "mine"
    assert cache_root(shared | {"BSMFIT_CACHE": "OFF"}) is None


def test_nothing_is_done_where_jax_is_imported(tmp_path):
    assert start_compilation_cache({"BSMFIT_CACHE": str(tmp_path / "new")}) == {}
    assert not (tmp_path / "new").exists()


CPUINFO = """\
processor\t: 0
vendor_id\t: GenuineIntel
model\t\t: 85
cpu MHz\t\t: {mhz}
flags\t\t: fpu sse2 {flags}
"""


def test_unlike_hosts_do_not_meet(monkeypatch, tmp_path):
    def key(flags: str, mhz: float, version: str = "0.1") -> str:
        path = tmp_path / "cpuinfo"
        path.write_text(CPUINFO.format(flags=flags, mhz=mhz))
        processor = compilation_cache._processor(path)
        monkeypatch.setattr(compilation_cache, "_processor", lambda _: processor)
        monkeypatch.setattr(compilation_cache, "__version__", version)
        try:
            return host_key()
        finally:
            monkeypatch.undo()

    assert key("avx512f", 2000.0) == key("avx512f", 2100.5)
    assert key("avx512f", 2000.0) != key("avx2", 2000.0)
    assert key("avx2", 2000.0) != key("avx2", 2000.0, version="0.2")


def test_oldest_programs_and_folders_of_killed_processes_go(monkeypatch, tmp_path):
    now = time.time()
    for age, name in enumerate(("new", "old", "oldest")):
        path = tmp_path / name / "p-cache"
        path.parent.mkdir()
        path.write_bytes(zlib.compress(b"x"))
        os.utime(path, (now - age, now - age))
    size = (tmp_path / "new" / "p-cache").stat().st_size
    monkeypatch.setattr(compilation_cache, "MAX_BYTES", 2 * size)
    for name, days in (("process-killed", 8), ("process-running", 6)):
        folder = tmp_path / "new" / name
        folder.mkdir()
        os.utime(folder, (now - 86_400 * days,) * 2)
    compilation_cache._tidy(tmp_path)
    assert [path.parent.name for path in programs(tmp_path)] == ["new", "old"]
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"p-cache", "process-running"}


@pytest.mark.parametrize(
    ("arguments", "n_started"),
    [
        (["scan", "nosuch", "--channel", "none"], 1),
        (["limit", "nosuch"], 1),
        (["--no-cache", "scan", "nosuch", "--channel", "none"], 0),
        (["list"], 0),
    ],
)
def test_commands_that_compute_start_it_unless_told_not_to(
    monkeypatch, arguments, n_started
):
    started = []
    monkeypatch.setattr(
        app, "start_compilation_cache", lambda found: started.append(found) or {}
    )
    CliRunner().invoke(app.app, arguments)
    assert started == [os.environ] * n_started
