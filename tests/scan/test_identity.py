"""Two scans are the same where they compute the same, whatever they are called."""

from __future__ import annotations

import copy
import dataclasses
import functools
import subprocess
import sys
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import bsmfit
from bsmfit.scan.blocks import BlockFolder
from bsmfit.scan.grid import Axis
from bsmfit.scan.identity import computation_digest
from bsmfit.scan.plan import ScanPlan

AXES = {"mass": Axis(0.2, 0.7, 10), "coupling": Axis(1e-7, 1e-5, 20), "cl": 0.9}


def mediator(mass, coupling, strength) -> bsmfit.Mediator:
    return bsmfit.Mediator(
        mass=mass,
        decay_width=1e-3 * coupling**2 * mass,
        branching_ratios={"mumu": jnp.ones_like(mass)},
        production={"bremsstrahlung": strength * coupling**2},
    )


def captured(strength):
    def model(mass, coupling):
        return mediator(mass, coupling, strength)

    return model


def in_partial(strength):
    return functools.partial(mediator, strength=strength)


def in_lambda(strength):
    return lambda mass, coupling: mediator(mass, coupling, strength)


def in_default(strength):
    return lambda mass, coupling, x=strength: mediator(mass, coupling, x)


def in_array(strength):
    table = np.array([1.0, 2.0, strength])

    def model(mass, coupling):
        return mediator(mass, coupling, jnp.interp(mass, jnp.arange(3.0), table))

    return model


def in_jax_array(strength):
    table = jnp.array([1.0, 2.0, strength])
    return lambda mass, coupling: mediator(mass, coupling, table.sum())


def in_branch(strength):
    class Settings:
        is_strong = strength > 1.5

    def model(mass, coupling):
        if Settings.is_strong:
            return mediator(mass, coupling, 3.0)
        return mediator(mass, coupling, 2.0)

    return model


def in_jitted(strength):
    inner = jax.jit(lambda x: strength * x)
    return lambda mass, coupling: mediator(mass, coupling, inner(coupling))


def in_loop(strength):
    def step(_, x):
        return x * strength

    return lambda m, g: mediator(m, g, jax.lax.fori_loop(0, 3, step, g))


def in_custom_rule(strength):
    @jax.custom_jvp
    def scaled(x):
        return strength * x

    @scaled.defjvp
    def rule(primals, tangents):
        return scaled(*primals), strength * tangents[0]

    return lambda mass, coupling: mediator(mass, coupling, scaled(coupling))


class Theory(eqx.Module):
    strength: Float[Array, ""]

    def __call__(self, mass, coupling):
        return mediator(mass, coupling, self.strength)


class StaticTheory(eqx.Module):
    strength: float = eqx.field(static=True)

    def __call__(self, mass, coupling):
        return mediator(mass, coupling, self.strength)


class Plain:
    """A class of one's own that is neither a module nor a dataclass."""

    def __init__(self, strength):
        self.strength = strength

    def __call__(self, mass, coupling):
        return mediator(mass, coupling, self.strength)

    def method(self, mass, coupling):
        return mediator(mass, coupling, self.strength)


MAKERS: list[Callable[[float], Callable]] = [
    captured,
    in_partial,
    in_lambda,
    in_default,
    in_array,
    in_jax_array,
    in_branch,
    in_jitted,
    in_loop,
    in_custom_rule,
    lambda x: Theory(jnp.asarray(x)),
    StaticTheory,
    Plain,
    lambda x: Plain(x).method,
    lambda x: jax.jit(captured(x)),
    lambda x: eqx.filter_jit(captured(x)),
]
NAMES = [*[maker.__name__ for maker in MAKERS[:10]], "module", "static", "class"]
NAMES += ["method", "jit", "filter_jit"]


def plan_of(function, channel="na62-dump-mumu") -> ScanPlan:
    model = bsmfit.Model(function, name="mine", coupling="g")
    return ScanPlan.from_parts(model, [bsmfit.load_channel(channel)], **AXES)


@pytest.mark.parametrize("make", MAKERS, ids=NAMES)
def test_functions_of_one_name_that_compute_something_else_are_told_apart(make):
    one, again, two = make(1.0), make(1.0), make(2.0)
    assert plan_of(one) == plan_of(again)
    assert plan_of(one).identity() != plan_of(two).identity()
    (line,) = plan_of(two).differences(plan_of(one))
    assert line == "what the model or a channel computes has changed"


def test_constant_counts_to_its_last_bit():
    one, next_one = captured(1.0), captured(float(np.nextafter(1.0, 2.0)))
    assert plan_of(one) != plan_of(next_one)


SWITCH = False


def switched(mass, coupling):
    return mediator(mass, coupling, 2.0 if SWITCH else 1.0)


def test_branch_on_a_global_counts(monkeypatch: pytest.MonkeyPatch):
    before = plan_of(switched)
    monkeypatch.setitem(globals(), "SWITCH", True)
    assert plan_of(switched) != before


def test_names_of_processes_count():
    def other(mass, coupling):
        found = mediator(mass, coupling, 1.0)
        return dataclasses.replace(found, production={"kaon": coupling**2})

    assert plan_of(captured(1.0)) != plan_of(other)


def test_same_formula_written_elsewhere_is_the_same_computation():
    def elsewhere(m, g):
        return mediator(m, g, 1.0)

    assert plan_of(captured(1.0)) == plan_of(elsewhere)


def test_blocks_of_another_function_are_not_taken(tmp_path):
    rows = range(3)
    mine, again, other = (
        BlockFolder.from_plan(tmp_path, plan_of(captured(x))) for x in (1.0, 1.0, 2.0)
    )
    mine.save(rows, {"a": np.ones(2)})
    assert other.load(rows) is None
    assert again.load(rows) is not None


def test_function_that_calls_back_into_python_is_never_resumed():
    def model(mass, coupling):
        shape = jax.ShapeDtypeStruct((), mass.dtype)
        return mediator(mass, coupling, jax.pure_callback(np.sin, shape, mass))

    assert plan_of(model) != plan_of(model)


@pytest.mark.parametrize("channel", bsmfit.channel_names())
def test_every_static_field_of_a_channel_counts(channel):
    """Counts, names, ranges, default axes, nuisances: none is an array."""
    shipped = bsmfit.load_channel(channel)
    before = computation_digest(None, [shipped])
    static = [f.name for f in dataclasses.fields(shipped) if f.metadata.get("static")]
    assert "name" in static
    for name in static:
        changed = copy.copy(shipped)
        object.__setattr__(changed, name, (getattr(shipped, name), "changed"))
        assert computation_digest(None, [changed]) != before, name


def test_observed_count_of_a_channel_counts():
    shipped = bsmfit.load_channel("na62-dump-mumu")
    changed = shipped.with_observed(0)
    assert computation_digest(None, [shipped]) != computation_digest(None, [changed])


def test_arrays_of_a_channel_count_to_seven_digits():
    shipped = bsmfit.load_channel("na62-dump-mumu")

    def scaled(factor):
        return dataclasses.replace(shipped, efficiency=factor * shipped.efficiency)

    before = computation_digest(None, [shipped])
    assert computation_digest(None, [scaled(1.0 + 1e-6)]) != before
    # the last bits of what is computed differ between machines
    assert computation_digest(None, [scaled(1.0 + 1e-15)]) == before


def test_own_channel_is_known_by_its_code():
    def channel_with(method):
        fields = {"__annotations__": {"name": str}, "expected": method}
        return dataclasses.dataclass(frozen=True)(type("Mine", (), fields))("mine")

    one, two = (channel_with(f) for f in (lambda _, x: x + 1, lambda _, x: x + 2))
    digests = [computation_digest(None, [channel]) for channel in (one, two, one)]
    assert digests[0] == digests[2] != digests[1]


def test_shipped_models_and_presets_are_all_different():
    names = [(m, p) for m in bsmfit.model_names() for p in bsmfit.preset_names(m)]
    digests = {computation_digest(bsmfit.load_model(*name), []) for name in names}
    assert len(digests) == len(names)


IN_A_PROCESS = """
import bsmfit, jax, jax.numpy as jnp
bsmfit.enable_x64()
from bsmfit.scan.identity import computation_digest
model, channel = bsmfit.load_model("dark-scalar"), bsmfit.load_channel("na62-dump-ee")
mine = jax.jit(lambda m, g: model.function(m, 2.0 * g))
print(computation_digest(model, [channel]))
print(computation_digest(bsmfit.Model(mine, name="mine"), [channel]))
"""


def test_digest_is_the_same_in_every_process():
    texts = {
        subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    (text,) = texts
    assert len(set(text.split())) == 2
