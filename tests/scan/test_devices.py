from __future__ import annotations

import json
import os
import subprocess
import sys
from unittest.mock import Mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.errors import InputError, UnknownNameError
from bsmfit.scan.devices import chunk_points, describe_devices, local_devices
from bsmfit.scan.runner import run_plane

MASS = np.geomspace(0.2, 0.8, 13)
COUPLING = np.geomspace(1e-7, 1e-5, 17)

# A closed form on 1, 2 and 4 devices, and a search and the field that contours are
# refined on, on 1 and 4; nothing crosses from or to the host unasked. Prints the
# largest differences from one device, relative.
ON_FOUR = """
import json
import equinox as eqx, jax, jax.numpy as jnp, numpy as np
import bsmfit
from bsmfit.scan.adaptive.field import ContourField, FieldProgram
from bsmfit.scan.blocks import cut_plane
from bsmfit.scan.devices import describe_devices, local_devices
from bsmfit.scan.exclusion_map import plan_map
from bsmfit.scan.runner import PointResult, run_plane

bsmfit.enable_x64()
devices = local_devices("cpu")

class Dump(eqx.Module):
    strength: jax.Array

    def __call__(self, mass, coupling):
        n = self.strength * coupling**4 * jnp.exp(-3e12 * coupling**2 * mass)
        is_heavy, cls = jnp.where(mass > 0.3, 1, 0), jnp.exp(-n)
        quantiles = jnp.stack([cls] * 5)
        return PointResult(
            n, cls, cls, is_heavy, jnp.zeros((), int), cls_exp_quantiles=quantiles
        )

def plane(point, axes, n_device):
    with jax.transfer_guard("disallow"):
        return run_plane(
            point, axes[0], coupling=axes[1], chunk_points=18,
            devices=devices[:n_device],
        )

def worst(point, axes, numbers):
    one = plane(point, axes, 1)
    return max(
        float(np.max(np.abs(found[k] - one[k]) / np.maximum(one[k], 1e-30)))
        for found in (plane(point, axes, n) for n in numbers)
        for k in one
    )

search = plan_map(
    bsmfit.load_model("dark-photon"),
    bsmfit.load_channel("na62-dump-mumu"),
    mass=(0.25, 0.5, 11),
    coupling=(1e-7, 1e-5, 9),
)
axes = search.first.points(), search.coupling.points()

field = ContourField(Dump(jnp.array(1e26)), jnp.array(0.9), ("observed",))
places = np.log(np.stack([np.repeat(axes[0], 2), np.tile([1e-7, 3e-7], 11)], axis=1))
with jax.transfer_guard("disallow"):
    on_one, on_four = (
        np.stack(FieldProgram(field, devices[:n]).evaluate(places)) for n in (1, 4)
    )
print(json.dumps({
    "devices": describe_devices(devices),
    "planned": len(search.devices),
    "rows": cut_plane(11, 9, chunk_points=18, n_device=4).chunk_rows,
    "closed form": worst(Dump(jnp.array(1e26)), axes, (2, 4)),
    "search": worst(search.point, axes, (4,)),
    "contours": float(np.max(np.abs(on_four / on_one - 1.0))),
}))
"""


def accelerator(memory: int | None):
    stats = None if memory is None else {"bytes_limit": memory}
    device = Mock(spec=jax.Device, platform="gpu", device_kind="Some GPU")
    device.memory_stats.return_value = stats
    return device


def test_maps_on_two_and_four_devices_are_those_on_one():
    flags = f"{os.environ.get('XLA_FLAGS', '')} "
    flags += "--xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, "-c", ON_FOUR],
        env=os.environ
        | {
            "XLA_FLAGS": flags,
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["devices"] == "4 x cpu"
    assert found["planned"] == 4
    assert found["rows"] == 8  # two of nine points each, on each device
    assert found["closed form"] < 1e-12
    assert found["search"] < 1e-12
    assert found["contours"] < 1e-12


def test_nothing_crosses_between_host_and_device_unasked(toy):
    with jax.transfer_guard("disallow"):
        plane = run_plane(toy, MASS, coupling=COUPLING, chunk_points=70)
        with pytest.raises(jax.errors.JaxRuntimeError, match="Disallowed"):
            jax.jit(jnp.sin)(MASS)  # the guard is one
    assert np.isfinite(plane["n_signal"]).all()


def test_a_gpu_that_is_not_there_is_named_with_what_to_do():
    if jax.default_backend() != "cpu":
        pytest.skip("there is one")
    with pytest.raises(InputError, match=r"device gpu: .*sees only .*cpu"):
        local_devices("gpu")


def test_platforms_that_are_not_installed_are_no_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "bsmfit", "scan", "dark-photon", "--channel", "any"],
        env=os.environ | {"JAX_PLATFORMS": "tpu"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("bsmfit: error: device auto: ")
    assert "JAX looks for tpu alone" in done.stderr


def test_a_kind_that_does_not_exist_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'gpu'"):
        local_devices("gpus")


@pytest.mark.parametrize("n_value", [40, 100, 4482])
def test_an_accelerator_is_given_many_points_within_its_memory(n_value: int):
    memory = 100 * 2**30
    one = accelerator(memory)
    assert 1e5 < chunk_points(n_value, one) < memory / 16 / 8 / n_value
    small, unknown = accelerator(2**30), accelerator(None)
    assert chunk_points(10_000_000, small) == 32
    assert chunk_points(n_value, unknown) * n_value <= 2**27


def test_devices_are_counted_by_kind():
    assert describe_devices([accelerator(None)] * 3) == "3 x Some GPU"
