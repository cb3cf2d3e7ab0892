"""Cards that name a function of the user's own."""

from __future__ import annotations

import sys

import jax.numpy as jnp
import pytest
from typer.testing import CliRunner

import bsmfit
from bsmfit.cli.app import app
from bsmfit.errors import DataFileError, InputError, UnknownNameError
from bsmfit.scan.grid import Axis, PointList
from bsmfit.scan.physical_points import check_some_point

CARD = """\
name: my-vector
function: {function}
summary: a vector of my own
particle: V
coupling: g
mass_range: [0.01, 1.0]
parameters: {{other: 2.0}}
nuisances:
  - {{name: mine, size: 0.2, processes: [proton-bremsstrahlung]}}
"""
CODE = """\
from bsmfit.physics.mediator import Mediator

def my_vector(mass, coupling, other):
    width = other * coupling**2 * mass
    return Mediator(mass, width, {"ee": 0.5}, {"proton-bremsstrahlung": coupling**2})
"""


@pytest.fixture
def card(tmp_path, monkeypatch):
    """A card beside a module that can be imported once per test."""
    module = f"theory_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{module}.py").write_text(CODE)
    path = tmp_path / "card.yaml"

    def write(function=f"{module}:my_vector"):
        path.write_text(CARD.format(function=function))
        return path

    write.module = module
    before = list(sys.path)
    yield write
    assert sys.path == before
    sys.modules.pop(module, None)


def test_nothing_is_imported_unless_it_is_allowed(card):
    with pytest.raises(InputError, match="--allow-code"):
        bsmfit.load_model(card())
    assert card.module not in sys.modules
    arguments = ["limit", "na62-dump-ee", "--model", str(card()), "--mass", "0.1"]
    refused = CliRunner().invoke(app, [*arguments, "--coupling", "1e-7"])
    assert refused.exit_code == 2
    assert "--allow-code" in refused.stderr
    assert card.module not in sys.modules


def test_the_function_is_the_model(card):
    model = bsmfit.load_model(card(), allow_code=True)
    found = model(jnp.array(0.1), jnp.array(1e-7))
    assert float(found.decay_width) == pytest.approx(2.0 * 1e-14 * 0.1, rel=1e-12)
    assert model.preset == f"{card.module}:my_vector"
    assert [entry.kappa for entry in model.nuisances] == [1.2]
    assert [name.split("/")[-1] for name, _ in model.inputs] == [
        "card.yaml",
        f"{card.module}.py",
    ]


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        ("no_such_module_of_mine:f", DataFileError, "ModuleNotFoundError"),
        ("os system", DataFileError, "function"),
        ("{module}:my_vektor", UnknownNameError, "did you mean 'my_vector'"),
    ],
)
def test_what_cannot_be_imported_is_named(card, function, error, message):
    path = card(function.format(module=card.module))
    with pytest.raises(error, match=message):
        bsmfit.load_model(path, allow_code=True)


def test_a_function_has_no_presets(card):
    with pytest.raises(InputError, match="without presets"):
        bsmfit.load_model(card(), "mine", allow_code=True)


RUN_CARD = """\
model: card.yaml
channels: [na62-dump-ee]
axes:
  mass: {low: 0.1, high: 0.2, points: 2}
  coupling: {low: 1.0e-7, high: 1.0e-6, points: 3}
block_points: 3
"""


def test_batch_runs_code_where_each_command_allows_it(card, tmp_path):
    card()
    path, out = tmp_path / "run.yaml", tmp_path / "out"
    path.write_text(RUN_CARD)

    def batch(*words):
        done = CliRunner().invoke(app, ["batch", *map(str, words)])
        return done.exit_code, (done.stdout + done.stderr).replace("\n", " ")

    code, said = batch("run", path, "--out", out)
    assert (code, "say --allow-code" in said) == (2, True)
    elsewhere = "tcp://192.0.2.1:8786"
    code, said = batch("run", path, "--out", out, "--allow-code", "--dask", elsewhere)
    assert (code, "no code of yours is sent to a cluster" in said) == (2, True)
    farm = ["submit", path, "--out", out, "--jobs", 2, "--scheduler", "slurm"]
    code, said = batch(*farm, "--allow-code", "--device", "gpu")
    assert (code, f"batch merge {out} --allow-code" in said) == (0, True)
    script = (out / "submit.sh").read_text()
    assert "--device gpu --allow-code --block ${SLURM_ARRAY_TASK_ID}/2\n" in script
    assert f"batch merge {out} --allow-code\n" in script
    for share in ("1/2", "2/2"):
        assert (
            batch("run", path, "--out", out, "--allow-code", "--block", share)[0] == 0
        )
    assert batch("merge", out)[0] == 2
    assert batch("merge", out, "--allow-code")[0] == 0


FAULTY = """\
import jax.numpy as jnp
from bsmfit.physics.mediator import Mediator

def fails(mass, coupling, other):
    raise KeyError("no such thing")

def not_a_number(mass, coupling, other):
    strength = {"proton-bremsstrahlung": coupling**2}
    return Mediator(mass, mass * jnp.log(-other), {"ee": 0.5}, strength)

def any_share(mass, coupling, other):
    strength = {"proton-bremsstrahlung": coupling**2}
    return Mediator(mass, coupling**2 * mass, {"ee": other}, strength)
"""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("fails", ".py, line 5: KeyError('no such thing')"),
        ("not_a_number", "decay_width = nan must be finite"),
    ],
)
@pytest.mark.parametrize("plane", [(), ("--parameter", "other=1:2:3")])
def test_a_function_that_gives_no_particle_anywhere_is_refused(
    card, tmp_path, function, words, plane
):
    (tmp_path / f"{card.module}.py").write_text(FAULTY)
    out = tmp_path / "out"
    axes = ["--mass", "0.1", "--coupling", "1e-7:1e-6:3", "--out", str(out), *plane]
    found = CliRunner().invoke(
        app,
        [
            "scan",
            str(card(f"{card.module}:{function}")),
            "--allow-code",
            "--channel",
            "na62-dump-ee",
            *axes,
        ],
    )
    assert found.exit_code == 2
    assert words in found.stderr.replace("\n", " ")
    assert not out.exists()


def test_a_point_that_is_physical_lets_the_others_be(card, tmp_path):
    (tmp_path / f"{card.module}.py").write_text(FAULTY)
    path = card(f"{card.module}:any_share")
    model = bsmfit.load_model(path, allow_code=True)
    masses, couplings = Axis(0.1, 0.1, 1), Axis(1e-7, 1e-6, 2)
    shares = PointList((0.5, 2.0))
    check_some_point(model, masses, couplings, parameter=("other", shares))
    none = PointList((2.0, 3.0))
    with pytest.raises(InputError, match=r"sum to 2; .* other = 2; no point"):
        check_some_point(model, masses, couplings, parameter=("other", none))
