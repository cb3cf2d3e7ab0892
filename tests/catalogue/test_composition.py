"""Production composed by a user or by a preset with norms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.channels import load_channel
from bsmfit.catalogue.models import load_model
from bsmfit.catalogue.records import read_model_card
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.scaled_production import ScaledProduction
from bsmfit.scan.exclusion_map import caveats
from bsmfit.scan.grid import parse_axis
from bsmfit.scan.plan import ScanPlan

BREMS, PION, ETA = "proton-bremsstrahlung", "pi0-decay", "eta-decay"
AT = jnp.array(0.1), jnp.array(1e-6)


def strengths(model) -> dict[str, float]:
    return {k: float(v) for k, v in model(*AT).production.items()}


def test_rates_are_those_of_the_processes_times_their_factors():
    composed = strengths(load_model("dark-photon", processes={BREMS: 1, PION: 0.07}))
    single = strengths(load_model("dark-photon", "mesons-bremsstrahlung"))
    assert composed == pytest.approx({BREMS: single[BREMS], PION: 0.07 * single[PION]})
    assert set(composed) == {BREMS, PION}


def test_a_factor_of_nothing_is_left_out_and_gradients_are_finite():
    model = load_model("dark-photon", processes={BREMS: 1.0, PION: 0.0})
    assert list(strengths(model)) == [BREMS]
    scaled = load_model("dark-photon", processes={PION: 0.3})
    slope = jax.grad(lambda m: scaled(m, AT[1]).production[PION])
    for mass in (0.05, 0.134977, 0.3):
        assert np.isfinite(slope(jnp.array(mass)))


def test_the_rest_stays_that_of_the_preset():
    model = load_model("dark-photon", "full", processes={BREMS: 2.0, ETA: 1.0})
    plain = load_model("dark-photon", processes={BREMS: 2.0, ETA: 1.0})
    ratio = strengths(model)[BREMS] / strengths(plain)[BREMS]
    form_factor = strengths(load_model("dark-photon", "full"))[BREMS]
    assert ratio == pytest.approx(form_factor / float(AT[1]) ** 2)
    names = {entry.name for entry in model.nuisances}
    assert names == {"brems_norm", "brems_form_factor", "meson_norm_eta"}
    assert plain.nuisances == ()


def test_the_composition_is_in_the_name_and_in_the_identity_of_a_plan():
    channel = load_channel("na62-dump-mumu")
    axis = parse_axis("0.25:0.5:3", name="mass")
    plans = [
        ScanPlan.from_parts(
            load_model("dark-photon", processes={BREMS: factor}),
            [channel],
            mass=axis,
            coupling=parse_axis("1e-7:1e-5:4", name="coupling"),
            cl=0.9,
        )
        for factor in (1.0, 0.5)
    ]
    assert plans[1].preset == f"bremsstrahlung as 0.5 {BREMS}"
    assert plans[0].identity() != plans[1].identity()
    assert plans[0].numbers != plans[1].numbers


@pytest.mark.parametrize(
    ("preset", "processes", "text"),
    [
        (None, {"pi0-dekay": 1.0}, "did you mean 'pi0-decay'.*known: eta-decay"),
        (None, {"kaon-to-mu-n": 1.0}, "unknown production process of dark-photon"),
        (None, {BREMS: -0.5}, "factor of proton-bremsstrahlung = -0.5 is not a number"),
        (None, {BREMS: float("nan")}, "factor of proton-bremsstrahlung"),
        (None, {BREMS: "much"}, "factor of proton-bremsstrahlung"),
        (None, {}, "must name one process"),
        (None, {BREMS: 0.0}, "nothing would be produced"),
        (None, {BREMS: 1.0, f"{BREMS}-alternative": 1.0}, "more than once"),
        ("full", {BREMS: 1.0, "rho-mixing": 1.0}, "same poles"),
        ("full", {PION: 1.0}, "no bremsstrahlung to apply it to"),
        (None, {"omega-decay": 1.0, "omega-mixing": 1.0}, "counts them twice"),
    ],
)
def test_what_cannot_be_meant_is_refused(preset, processes, text):
    with pytest.raises(InputError, match=text):
        load_model("dark-photon", preset, processes=processes)


def test_a_form_factor_may_stand_beside_the_mixing_of_the_phi_alone():
    """rho and omega are its poles; the phi is none."""
    taken = {BREMS: 1.0, "phi-mixing": 1.0}
    assert load_model("dark-photon", "full", processes=taken).nuisances
    preset = load_model("dark-photon", "form-factor-mixing")
    assert {BREMS, PION, ETA, "phi-mixing"} < set(strengths(preset))
    with pytest.raises(InputError, match=r"form_factor.*omega-mixing"):
        load_model("dark-photon", "full", processes=taken | {"omega-mixing": 1.0})


def test_mesons_only_has_no_bremsstrahlung():
    assert all(
        name.endswith("-decay")
        for name in strengths(load_model("dark-photon", "mesons"))
    )


def test_norms_of_a_preset_multiply_the_rates():
    norms = read_model_card("dark-photon").presets["published-leptonic"].norms
    assert set(norms) == {BREMS, PION, ETA}
    assert all(norm.provenance == "calibrated" for norm in norms.values())
    ours = strengths(load_model("dark-photon", "published-leptonic"))
    unit = strengths(load_model("dark-photon", "mesons-bremsstrahlung"))
    for process, norm in norms.items():
        assert ours[process] == pytest.approx(norm.value * unit[process])


def test_a_scaled_process_must_exist():
    model = load_model("dark-photon")
    scaled = ScaledProduction(model.function, (PION,), jnp.array([1.0]))
    with pytest.raises(UnknownNameError, match=PION):
        scaled(*AT)


def test_every_result_of_electrons_says_what_the_default_leaves_out():
    electrons = load_channel("na62-dump-ee")
    said = caveats(load_model("dark-photon"), [electrons])
    assert any("pi0" in text and "published-leptonic" in text for text in said)
    assert caveats(load_model("dark-photon", "published-leptonic"), [electrons]) == []
    muons = load_channel("na62-dump-mumu")
    assert caveats(load_model("dark-photon", "published-leptonic"), [muons]) == []
