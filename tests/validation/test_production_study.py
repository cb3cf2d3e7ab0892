"""The simulation behind the production study agrees with sums and with the tables."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.channels import load_channel
from bsmfit.catalogue.models import load_model
from bsmfit.catalogue.tables.yield_build import process_points
from bsmfit.scan.exclusion_point import ExclusionPoint

pytestmark = pytest.mark.validation

_FILE = Path(__file__).parents[2] / "benchmarks" / "dump_simulation.py"


@pytest.fixture(scope="module")
def simulation():
    if not _FILE.exists():
        pytest.skip("the benchmarks are not part of this copy")
    spec = importlib.util.spec_from_file_location("dump_simulation", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dump_simulation"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["dump_simulation"]


@pytest.fixture(scope="module")
def laboratory(simulation):
    return simulation.Laboratory("na62-dump-mumu", 11)


@pytest.mark.slow
@pytest.mark.parametrize(("mass", "side"), [(0.25, "lower"), (0.30, "upper")])
@pytest.mark.parametrize(
    "process",
    ["proton-bremsstrahlung", "eta-decay"],
)
def test_decays_inside_the_volume_add_up_to_the_exponential_law(
    simulation, laboratory, mass, side, process
):
    coupling = simulation.published_edge(mass, side)
    decays = laboratory.decays(process, mass, side)
    search = laboratory.search
    points = process_points(process, mass, beam_momentum=search.beam_momentum)
    p, theta, weight = (
        column[(points.angle < 0.012) & (points.momentum > 10.0)]
        for column in points[:3]
    )
    lifetime, branching, strength = simulation.dark_photon(mass)
    length = p * np.cos(theta) / mass * lifetime / coupling**2
    z0 = float(search.spectrometer.impact_point[2])
    start, end = simulation.VOLUME
    chance = np.exp(-(start - z0) / length) - np.exp(-(end - z0) / length)
    expected = (
        search.protons
        * coupling**2
        * strength[process]
        * branching["mumu"]
        * np.sum(weight * chance)
    )
    assert np.sum(decays.weights(coupling)) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("mass", "side"),
    [(0.22, "upper"), (0.25, "lower"), (0.30, "upper"), (0.40, "lower")],
)
def test_accepted_decays_agree_with_the_shipped_tables(
    simulation, laboratory, mass, side
):
    coupling = simulation.published_edge(mass, side)
    model = load_model("dark-photon", "mesons-bremsstrahlung")
    point = ExclusionPoint.from_model(model, [load_channel("na62-dump-mumu")])
    logs = point.log_signal(jnp.asarray(mass), jnp.asarray(coupling))
    by_process = dict(zip(point.channels[0].processes, np.exp(logs), strict=True))
    for process in ("proton-bremsstrahlung", "eta-decay"):
        decays = laboratory.decays(process, mass, side)
        accepted = simulation.is_accepted(decays, laboratory.search)
        ours = (
            np.sum(decays.weights(coupling) * accepted) * laboratory.search.efficiency
        )
        assert ours == pytest.approx(float(by_process[process]), rel=0.04)
