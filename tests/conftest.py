"""Settings of all tests (float64, strict promotion), and a plane that several draw."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jaxlib
import numpy as np
import pytest
import xarray as xr

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Where programs are kept between runs of the tests; nowhere by default, and never in
# the user's folder. Most of the time of the tests is compilation.
PROGRAMS = os.environ.get("BSMFIT_TEST_CACHE", "")
os.environ["BSMFIT_CACHE"] = PROGRAMS or "off"  # for commands that tests start
OWN_PROGRAMS = pytest.StashKey[Path]()

# Tracing makes millions of small objects and hardly any garbage.
gc.set_threshold(100_000, 20, 50)

# Most programs of tests run once, and most of the time is compilation: leave out what
# makes programs fast, in commands and notebooks that tests start, too. The README's job
# in `.ci/package` compiles as users do.
IS_OPTIMISED = os.environ.get("BSMFIT_TEST_OPTIMISED", "0") != "0"
if not IS_OPTIMISED:
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"

# What XLA splits a program for is compiling it in several threads, of which tests that
# run side by side have none to spare. The name is known to these versions of jaxlib.
if not IS_OPTIMISED and tuple(map(int, jaxlib.__version__.split(".")[:2])) < (0, 11):
    os.environ["XLA_FLAGS"] = (
        os.environ.get("XLA_FLAGS", "") + " --xla_cpu_parallel_codegen_split_count=1"
    ).lstrip()

# Every compiled program holds memory mappings, of which Linux gives a process 65530 by
# default; a compiler that gets no more ends the process. Well before, start again.
LARGEST_N_MAPPINGS = 40_000

UP_EXP = (2.30, 2.32, 2.45, 3.9, 5.3)


@pytest.hookimpl(trylast=True)  # once the type checks of bsmfit are in place
def pytest_configure(config: pytest.Config) -> None:
    from bsmfit import enable_x64

    enable_x64()
    jax.config.update("jax_disable_most_optimizations", not IS_OPTIMISED)
    if PROGRAMS:
        from bsmfit.cli.compilation_cache import open_programs

        folder = open_programs(Path(PROGRAMS).absolute())
        if folder is None:
            pytest.exit(f"BSMFIT_TEST_CACHE={PROGRAMS} cannot be used", returncode=2)
        config.stash[OWN_PROGRAMS] = folder
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
        jax.config.update("jax_persistent_cache_enable_xla_caches", "none")


def pytest_sessionfinish(session: pytest.Session) -> None:
    # not later: a worker of xdist is ended once it has said that it is done
    if OWN_PROGRAMS in session.config.stash:
        from bsmfit.cli.compilation_cache import keep_programs

        keep_programs(session.config.stash[OWN_PROGRAMS])


@pytest.fixture(scope="module", autouse=True)
def few_programs() -> Iterator[None]:
    yield
    mappings = Path("/proc/self/maps")
    n_mapping = 0
    if mappings.exists():
        with mappings.open() as lines:
            n_mapping = sum(1 for _ in lines)
    if n_mapping > LARGEST_N_MAPPINGS:
        gc.unfreeze()
        jax.clear_caches()
    # what has outlived a module mostly stays: do not look through it again and again
    gc.collect()
    gc.freeze()


@pytest.fixture
def make_dataset() -> Callable[..., xr.Dataset]:
    # Not above: pytest reads this file before the type checks of bsmfit are in place.
    from bsmfit.scan.plan import ScanPlan
    from bsmfit.scan.store import build_dataset

    def make(field: str = "wedge", n_mass: int = 121, n_coupling: int = 161):
        mass = np.geomspace(0.215, 0.8, n_mass)
        coupling = np.geomspace(1e-7, 1e-5, n_coupling)
        m, g = mass[:, None], coupling[None, :]
        n_up = np.where((m > 0.4) & (m < 0.43), 3.9, 2.30) + 0.0 * g
        if field == "wedge":
            n_signal = 1e27 * g**4 * m**2 * np.exp(-6e12 * g**2 * m**2)
        else:
            x, y = np.log10(m / 0.215) / 0.5706, np.log10(g / 1e-7) / 2.0
            left, right = np.hypot(x - 0.25, y - 0.5), np.hypot(x - 0.75, y - 0.5)
            ring = 0.06 - np.abs(left - 0.14)
            n_signal = n_up * 10.0 ** (5 * np.maximum(ring, 0.15 - right))
        plane = {
            "n_signal": n_signal,
            "n_up_obs": n_up,
            "n_up_exp": n_up[..., None] * np.array(UP_EXP) / 2.30,
            "cls_obs": np.exp(-n_signal),
            "cls_exp": np.exp(-n_signal),
            "n_obs": np.zeros(n_mass, dtype=np.int32),
            "status": np.zeros(n_up.shape, dtype=np.int8),
        }
        plan = ScanPlan(
            model="dark-photon",
            preset="brems",
            channels=("na62-dump-mumu",),
            coupling_name="epsilon",
            mass="0.215:0.8:121",
            coupling="1e-07:1e-05:161",
            cl=0.9,
            inputs=(("record.yaml", "ab12"),),
        )
        return build_dataset(plane, plan, mass=mass, coupling=coupling)

    return make


@pytest.fixture
def make_joint_dataset(
    make_dataset: Callable[..., xr.Dataset],
) -> Callable[..., xr.Dataset]:
    """Map of several searches with given fields: log10 of ln CLs / ln(1 - cl)."""

    def make(joint: np.ndarray, **single: np.ndarray) -> xr.Dataset:
        dataset = make_dataset(n_mass=joint.shape[0], n_coupling=joint.shape[1])
        axes = ("mass", "epsilon")
        levels = np.array([0.02, 0.01, 0.0, -0.2, -0.3])
        fields = {
            "cls_obs": (axes, joint),
            "cls_exp_quantiles": ((*axes, "quantile"), joint[..., None] + levels),
            "cls_obs_single": (("search", *axes), np.stack(list(single.values()))),
        }
        cls = {name: (dims, 0.1 ** (10.0**f)) for name, (dims, f) in fields.items()}
        dataset = dataset.drop_vars(["n_up_obs", "n_up_exp", "cls_obs", "cls_exp"])
        return dataset.assign(cls).assign_coords(search=list(single))

    return make
