"""What every shipped model and search promises, for all pairs that go together."""

from __future__ import annotations

import dataclasses
import importlib.util
import typing
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.channels.search_region import LOG_CLOSED, log_total_signal
from bsmfit.errors import InputError
from bsmfit.inference.exclusion.kernel import ExclusionKernel
from bsmfit.physics.heavy_neutral_lepton import HEAVY_NEUTRAL_LEPTON_PROCESSES
from bsmfit.physics.production import RARE_DECAYS
from bsmfit.scan.devices import local_devices, row_mesh
from bsmfit.scan.runner import Status, _evaluate_rows

# a coupling within reach, and the power of it in the signal of a long-lived particle
COUPLINGS = {
    ("dark-photon", "epsilon"): (1e-6, None),
    ("dark-scalar", "sin_theta_squared"): (1e-8, 1),
    ("dark-photon-invisible", "epsilon"): (1e-3, 2),
    ("fv-axion", "decay_constant"): (1e11, -2),
    ("heavy-neutral-lepton", "mixing_squared"): (1e-7, 1),
    ("dark-cascade", "sin_theta_squared"): (1e-8, 1),
    ("dark-cascade", "epsilon"): (1e-6, None),
    ("dark-cascade", "dark_coupling"): (0.1, 2),
    ("cascade-rate", "branching_ratio"): (1e-9, 1),
    ("axion-pair-rate", "branching_ratio"): (1e-9, 1),
    ("dark-axion-pair", "electron_charge"): (1.0, 2),
    ("dark-axion-pair", "decay_constant"): (1.0, -2),
    ("alp-photon", "photon_coupling"): (1e-4, 2),
    ("alp-fermion", "yukawa_coupling"): (1e-4, 2),
    ("alp-gluon", "gluon_coupling"): (1e-7, 2),
    ("b-minus-l", "gauge_coupling"): (3e-7, None),
    ("baryon", "gauge_coupling"): (1e-5, None),
    ("l-mu-minus-l-tau", "gauge_coupling"): (1e-5, None),
    ("l-e-minus-l-mu", "gauge_coupling"): (1e-5, None),
    ("protophobic", "epsilon"): (1e-6, None),
    ("b-to-k-a-to-ee", "branching_ratio"): (1e-9, 1),
    ("b-to-k-a-to-mumu", "branching_ratio"): (1e-9, 1),
    ("k-to-pi-a", "branching_ratio"): (1e-9, 1),
    ("k-to-pi-a-to-gammagamma", "branching_ratio"): (1e-9, 1),
    ("k-to-pi-a-to-mumu", "branching_ratio"): (1e-9, 1),
}
MASS = {"na62-dump-mumu": 0.3, "na62-dump-ee": 0.3, "na62-pi0-invisible": 0.13}
MASS |= {"na62-dump-hadrons": 0.6}
MASS |= {"charm-dump-mumu": 0.25, "charm-dump-ee": 0.05, "nucal-dump-ee": 0.05}
MASS |= {"na62-pi-mumu": 0.25}
MASS |= {"na62-k-mu-n": 0.3, "na62-k-e-n": 0.3, "na62-pi-e-n": 0.11}
MASS |= {"na62-pi-minus-mu-mu": 0.3}
MASS |= dict.fromkeys(("dark-axion-pair", "axion-pair-rate"), 0.05)
MASS |= dict.fromkeys(("dark-photon", "dark-coupling", "scalar-300-mev"), 0.05)
MASS |= {"photon-100-mev": 0.25}
# a final state that not every model with a process of the search has
ONE_DECAY = {"na62-dump-gammagamma": "gammagamma"}
# models of one decay have no signal where another one is looked for
MODELS_OF_ONE_DECAY = ("b-to-k-a", "k-to-pi-a")
LOOKED_FOR = {
    **dict.fromkeys(("na62-dump-mumu", "charm-dump-mumu", "na62-pi-mumu"), "mumu"),
    **dict.fromkeys(("na62-dump-ee", "charm-dump-ee", "nucal-dump-ee"), "ee"),
    "na62-dump-hadrons": "pi+pi-",
}
# other numbers in the code of na62-pi-mumu, most of them for decays that no model has
ALIKE = {"na48-pi-mumu", "na62-pi-gammagamma", "e787-pi-gammagamma"}
WITH_PRESETS = [
    (model, preset)
    for model in bsmfit.model_names()
    for preset in bsmfit.preset_names(model)
]


def mass_of(model, preset, channel):
    several = model.startswith(("dark-cascade", "cascade"))
    names = (channel, model, *([preset] if several else []))
    return next((MASS[name] for name in names if name in MASS), 0.2)


@pytest.fixture(scope="module")
def searches():
    return {name: bsmfit.load_channel(name) for name in bsmfit.channel_names()}


@pytest.fixture(scope="module")
def models():
    return {key: bsmfit.load_model(*key) for key in WITH_PRESETS}


@pytest.fixture(scope="module")
def shapes(models):
    """What each model gives, by its names only."""
    one = jax.ShapeDtypeStruct((), jnp.float64)
    return {
        key: eqx.filter_eval_shape(model, one, one) for key, model in models.items()
    }


def has_signal(name, shape, search):
    """Whether a search looks for what a model makes and the particle decays to."""
    is_of_one_decay = name.startswith(MODELS_OF_ONE_DECAY)
    decays = ONE_DECAY | (LOOKED_FOR if is_of_one_decay else {})
    is_seen = decays.get(search.name) in {None, *shape.branching_ratios}
    return is_seen and bool(set(shape.production) & set(search.processes))


@pytest.fixture(scope="module")
def searches_of(shapes, searches):
    """Every model with every search that it has, and every preset with one of them.

    Models of one decay, which all have one function, with one search by preset.
    """
    seen = set()
    found = {}
    for (model, preset), shape in shapes.items():
        found[model, preset] = []
        for channel in sorted(set(searches) - ALIKE):
            is_one_decay = model.startswith(MODELS_OF_ONE_DECAY)
            by_search = () if is_one_decay else ((model, channel),)
            new = {*by_search, (model, preset)} - seen
            if new and has_signal(model, shape, searches[channel]):
                seen |= new
                found[model, preset].append(channel)
    return found


def test_every_model_is_under_test_with_every_search_that_it_has(searches, searches_of):
    assert {model for model, _ in COUPLINGS} == set(bsmfit.model_names())
    # a heavy neutral lepton makes two of the decays that violate lepton number
    without = set(RARE_DECAYS) - set(HEAVY_NEUTRAL_LEPTON_PROCESSES)
    made = {
        name for name, s in searches.items() if not set(s.processes) <= without
    } - ALIKE
    tested = {channel for channels in searches_of.values() for channel in channels}
    assert made - set(ONE_DECAY) <= tested <= made
    assert all(searches_of.values())


@pytest.fixture(scope="module")
def mediators(models, shapes):
    """Particles at three couplings and their change with it, by model and mass.

    All with the same names of decays and processes, so that one program of a search
    serves every model.
    """
    given = shapes.values()
    decays = sorted({name for shape in given for name in shape.branching_ratios})
    processes = sorted({name for shape in given for name in shape.production})

    def filled(mediator):
        zero = jnp.zeros_like(mediator.mass)
        shares, production = mediator.branching_ratios, mediator.production
        return dataclasses.replace(
            mediator,
            branching_ratios={name: shares.get(name, zero) for name in decays},
            production={name: production.get(name, zero) for name in processes},
        )

    @eqx.filter_jit
    def at(function, mass, couplings):
        def filled_at(coupling):
            return filled(function(mass, coupling))

        def with_change(coupling):
            return jax.jvp(filled_at, (coupling,), (jnp.ones_like(coupling),))

        return jax.vmap(with_change)(couplings)

    def function_of(model):
        further = model.parameters
        return eqx.Partial(model.function, **further) if further else model.function

    return lambda model, preset, *point: at(function_of(models[model, preset]), *point)


@pytest.fixture(scope="module")
def signal_of():
    @eqx.filter_jit
    def signal(channel, mediators, changes):
        def log_signal(mediator):
            return log_total_signal(channel.regions(mediator))

        def with_slope(mediator, change):
            return jax.jvp(log_signal, (mediator,), (change,))

        return jax.vmap(with_slope)(mediators, changes)

    return signal


@dataclasses.dataclass(frozen=True)
class Signal:
    """Signal of one search at a coupling within reach and two weaker ones."""

    search: str
    point: bsmfit.ExclusionPoint
    couplings: jax.Array
    logs: jax.Array
    slopes: jax.Array


@pytest.fixture(scope="module", params=WITH_PRESETS, ids="-".join)
def signals(request, searches, models, searches_of, mediators, signal_of):
    """A model in every search that it is tested with."""
    model = models[request.param]
    coupling, power = COUPLINGS[request.param[0], model.coupling]
    couplings = coupling * 10.0 ** (-6.0 / (power or 2) * jnp.arange(3.0))
    made = []
    for channel in searches_of[request.param]:
        mass = jnp.array(mass_of(*request.param, channel))
        found = mediators(*request.param, mass, couplings)
        point = bsmfit.ExclusionPoint.from_model(model, searches[channel])
        # one program for all models, where a search takes any particle for each process
        is_chain = channel == "na62-pi4e"
        search = point.channels[0] if is_chain else searches[channel]
        made.append(Signal(channel, point, couplings, *signal_of(search, *found)))
    return made


def test_the_signal_is_finite_and_differentiable(signals):
    for signal in signals:
        assert np.isfinite(signal.logs).all(), signal.search
        assert np.isfinite(signal.slopes).all(), signal.search


def test_the_signal_vanishes_with_the_coupling(signals):
    """As its power, or faster in a dump, where the particle must decay."""
    for signal in signals:
        logs = signal.logs
        steps = np.diff(np.asarray(logs)) / np.diff(np.log(signal.couplings))
        # several closed terms add up to a little more than LOG_CLOSED
        is_closed = logs[1] == logs[2] < 0.99 * LOG_CLOSED
        assert abs(steps[1]) >= 0.999 or is_closed, signal.search
        assert float(logs[2]) < np.log(1e-6), signal.search


def test_the_point_is_a_pytree_of_finite_numbers(signals):
    for signal in signals:
        leaves, structure = jax.tree.flatten(eqx.filter(signal.point, eqx.is_array))
        assert all(np.isfinite(leaf).all() for leaf in leaves), signal.search
        assert jax.tree.structure(jax.tree.unflatten(structure, leaves)) == structure


def test_regions_fit_what_the_search_says_of_them(searches, models, searches_of):
    """One model for each search."""
    model_of = {channel: key for key, found in searches_of.items() for channel in found}
    one = jax.ShapeDtypeStruct((), jnp.float64)
    for name, key in model_of.items():
        point = bsmfit.ExclusionPoint.from_model(models[key], searches[name])
        (channel,) = point.channels
        by_shape = eqx.filter_eval_shape(
            lambda m, g, p=point: p.combination.regions(p.model(m, g)), one, one
        )
        assert len(by_shape) == len(channel.largest_counts()), name
        names = [region.name for region in by_shape]
        assert len(set(names)) == len(names), name
        made = {term.process for region in by_shape for term in region.signal}
        assert made <= set(channel.processes), name


@pytest.mark.slow
def test_more_exposure_is_more_signal(searches):
    """Ten times the protons, a tenth of the sensitivity: ten times the events."""
    more = {
        "na62-dump-mumu": lambda c: c.with_exposure(10 * float(c.protons_on_target)),
        "na62-pi-invisible-run1": lambda c: c.with_sensitivity(
            0.1 * float(c.single_event_sensitivity)
        ),
    }
    model = bsmfit.load_model("dark-photon", "bremsstrahlung-and-kaons")
    at = jnp.array(0.25), jnp.array(1e-6)
    for name, change in more.items():
        logs = [
            bsmfit.ExclusionPoint.from_model(model, c).log_signal(*at)[0]
            for c in (searches[name], change(searches[name]))
        ]
        assert float(logs[1] - logs[0]) == pytest.approx(np.log(10.0), rel=1e-9)


def test_shares_of_decays_are_shares(models, mediators):
    for (name, preset), model in models.items():
        coupling, _ = COUPLINGS[name, model.coupling]
        mass = jnp.array(mass_of(name, preset, ""))
        # strongly typed, as above: the same programs
        couplings = jnp.asarray(np.full(3, coupling))
        found, _ = mediators(name, preset, mass, couplings)
        shares = np.array([share[0] for share in found.branching_ratios.values()])
        assert np.all((shares >= 0) & (shares <= 1))
        assert shares.sum() == pytest.approx(1.0, abs=1e-12)


KERNELS = {
    "one count": ("dark-photon", None, ["na62-dump-mumu"]),
    "one effective count": ("dark-scalar", None, ["na62-pi-invisible-run1"]),
    "joint": (
        "dark-photon",
        "bremsstrahlung-and-kaons",
        ["na62-dump-mumu", "na62-pi-invisible-run1"],
    ),
}


@pytest.fixture(scope="module", params=list(KERNELS))
def kernel_point(request, searches):
    model, preset, channels = KERNELS[request.param]
    return bsmfit.ExclusionPoint.from_model(
        bsmfit.load_model(model, preset), [searches[name] for name in channels]
    )


def test_scan_kernels_lower_for_a_gpu_without_one(kernel_point):
    """The very program of the runner, with everything that it returns."""
    arrays, structure = eqx.partition(kernel_point, eqx.is_array)
    mesh = row_mesh(local_devices("cpu")[:1])

    def rows(arrays, mass, coupling):
        point = eqx.combine(arrays, structure)
        found = _evaluate_rows.__wrapped__(point, mass, coupling, mesh)
        return eqx.filter(found, eqx.is_array)

    exported = jax.export.export(jax.jit(rows), platforms=("cuda",))(
        arrays, jnp.linspace(0.22, 0.25, 4), jnp.geomspace(1e-7, 1e-5, 8)
    )
    assert exported.platforms == ("cuda",)
    assert "callback" not in exported.mlir_module()


def test_every_kind_of_scan_kernel_is_lowered(searches):
    kinds = {
        type(
            bsmfit.ExclusionPoint.from_model(
                bsmfit.load_model(model, preset), [searches[name] for name in channels]
            ).kernel
        )
        for model, preset, channels in KERNELS.values()
    }
    assert kinds == set(typing.get_args(ExclusionKernel))


@pytest.fixture(scope="module")
def measured_kernels():
    """What benchmarks/device.py measures besides maps."""
    path = Path(__file__).parents[1] / "benchmarks" / "device_kernels.py"
    spec = importlib.util.spec_from_file_location("device_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {k: make for k, make in module.KERNELS.items() if "map" not in k}


def test_other_kernels_lower_for_a_gpu_without_one(measured_kernels):
    assert len(measured_kernels) >= 6
    for name, make in measured_kernels.items():
        function, arguments = make()
        exported = jax.export.export(jax.jit(function), platforms=("cuda",))(
            *arguments(64)
        )
        assert exported.platforms == ("cuda",), name
        assert "callback" not in exported.mlir_module(), name


def test_a_point_works_under_jit_and_vmap(searches):
    point = bsmfit.ExclusionPoint.from_model(
        bsmfit.load_model("dark-photon"), searches["na62-dump-mumu"]
    )
    couplings = jnp.geomspace(3e-7, 3e-6, 4)
    mapped = jax.jit(lambda g: jax.vmap(lambda one: point(jnp.array(0.3), one))(g))
    found = mapped(couplings)
    single = jax.jit(point)(jnp.array(0.3), couplings[1])
    assert float(found.cls_obs[1]) == pytest.approx(float(single.cls_obs), rel=1e-10)
    assert np.all(np.asarray(found.status) == Status.OK)
    excluded = np.asarray(found.n_signal > found.n_up_obs)
    np.testing.assert_array_equal(excluded, np.asarray(found.cls_obs) < 0.1)


def test_scan_traces_the_chain_once(searches):
    n_traces = 0
    model = bsmfit.load_model("dark-photon")

    def counted(mass, coupling):
        nonlocal n_traces
        n_traces += 1
        return model.function(mass, coupling)

    own = bsmfit.Model(counted, name="counted", coupling="epsilon")
    channel = searches["na62-dump-mumu"]
    bsmfit.scan_plane(own, channel, mass=(0.22, 0.5, 250), coupling=(1e-7, 1e-5, 200))
    # for its processes, its regions, its identity (twice), and once in the program
    assert n_traces == 6


def test_two_dump_searches_share_the_protons(searches):
    both = [searches["na62-dump-mumu"], searches["na62-dump-ee"]]
    point = bsmfit.ExclusionPoint.from_model(bsmfit.load_model("dark-photon"), both)
    assert point.kernel.sort.shared == ("na62_dump_pot",)


def test_a_map_is_the_likelihood_on_a_grid(searches):
    """CLs of the joint map and of `cls_test`; a strength limit of 1 on its contour."""
    both = [searches["na62-dump-mumu"], searches["na62-dump-ee"]]
    model = bsmfit.load_model("dark-photon")
    point = bsmfit.ExclusionPoint.from_model(model, both)
    masses = np.array([0.25, 0.3, 0.411, 0.415, 0.35, 0.5])
    couplings = np.array([4e-7, 3.4e-7, 3.5e-7, 1.8e-6, 2.4e-6, 4e-7])
    found = jax.jit(jax.vmap(point.exclusion))(
        jnp.asarray(masses), jnp.asarray(couplings)
    )
    likelihood = bsmfit.search_likelihood(model, both, mass=masses, coupling=couplings)
    tested = bsmfit.cls_test(likelihood, 1.0, method="exact")
    np.testing.assert_allclose(found.cls_obs, tested.value, atol=1e-9)
    limit = bsmfit.upper_limit(likelihood, cl=0.9)
    assert limit.ordering == found.ordering == "likelihood-ratio"
    np.testing.assert_array_equal(limit.value < 1.0, found.cls_obs < 0.1)
    scaled = bsmfit.cls_test(likelihood, limit.value, method="exact")
    np.testing.assert_allclose(scaled.value, 0.1, atol=1e-6)


def test_overlap_twice_and_nothing_are_refused_for_any_kinds(searches):
    model = bsmfit.load_model("dark-scalar")
    run1, newest = (
        searches[f"na62-pi-invisible-{name}"] for name in ("run1", "2016-2022")
    )
    for channels, words in (
        ([run1, newest], "share data"),
        ([run1, run1], "different channels"),
        ([run1, dataclasses.replace(run1, name="again")], "share data"),
        ([], "one or more"),
        ([searches["na62-pi4e"]], "needs the production process"),
    ):
        with pytest.raises(InputError, match=words):
            bsmfit.ExclusionPoint.from_model(model, channels)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["na62-dump-mumu", "na62-pi-invisible-run1"])
def test_processes_of_other_searches_are_no_error(searches, name):
    """One theory serves kaons and dump; one that resembles none is passed over."""
    photon = bsmfit.load_model("dark-photon", "bremsstrahlung-and-kaons")

    def more(mass, coupling):
        mediator = photon.function(mass, coupling)
        extra = {"unheard-of": jnp.array(1.0)}
        return dataclasses.replace(mediator, production=mediator.production | extra)

    own = bsmfit.Model(more, name="more", coupling="epsilon")
    grid = {"mass": np.array([0.25]), "coupling": np.array([1e-6])}
    result = bsmfit.scan_plane(own, searches[name], **grid)
    assert np.all(result["status"] == Status.OK)
    assert "unheard-of takes part in none" in result.attrs["caveats"]
