from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bsmfit
from bsmfit.catalogue.tables.physics_tables import load_hadronic_ratio
from bsmfit.core.constants import MUON_MASS
from bsmfit.errors import InputError, UnknownNameError
from bsmfit.physics.dark_photon import DarkPhoton
from bsmfit.physics.dark_photon_width import total_width
from bsmfit.physics.model import Model, ProductionNuisance
from bsmfit.physics.proton_form_factor import vmd_form_factor_squared


def dark_photon(*processes, form_factor="none") -> DarkPhoton:
    return DarkPhoton(processes, form_factor, load_hadronic_ratio())


def test_every_rate_is_the_square_of_the_mixing():
    model = dark_photon("proton-bremsstrahlung", "eta-decay", "rho-mixing")
    one, two = (model(jnp.array(0.3), jnp.array(e)) for e in (1e-6, 2e-6))
    assert float(two.decay_width / one.decay_width) == pytest.approx(4.0)
    for process, strength in one.production.items():
        assert float(two.production[process] / strength) == pytest.approx(4.0)


def test_width_is_that_of_the_width_module():
    particle = dark_photon("proton-bremsstrahlung")(jnp.array(0.45), jnp.array(1e-5))
    expected = total_width(
        jnp.array(0.45), jnp.array(1e-5), hadronic_ratio=load_hadronic_ratio()
    )
    assert float(particle.decay_width) == pytest.approx(float(expected), rel=1e-14)


def test_form_factor_multiplies_bremsstrahlung_only():
    mass, mixing = jnp.array(0.4), jnp.array(1.0)
    processes = ("proton-bremsstrahlung", "eta-decay")
    plain = dark_photon(*processes)(mass, mixing).production
    shaped = dark_photon(*processes, form_factor="vmd")(mass, mixing).production
    ratio = {name: float(shaped[name] / plain[name]) for name in processes}
    assert ratio["proton-bremsstrahlung"] == pytest.approx(
        float(vmd_form_factor_squared(mass))
    )
    assert ratio["eta-decay"] == 1.0


def test_muon_threshold_is_exact_with_finite_gradient():
    model = dark_photon("proton-bremsstrahlung")

    def share(mass):
        return model(mass, jnp.array(1e-6)).branching_ratios["mumu"]

    both = jax.jit(jax.value_and_grad(share))
    for mass in (2 * MUON_MASS * (1 - 1e-6), 2 * MUON_MASS):
        value, slope = both(jnp.array(mass))
        assert float(value) == 0.0
        assert float(slope) == 0.0
    assert np.isfinite(both(jnp.array(2 * MUON_MASS * (1 + 1e-9)))[1])


def test_unknown_choices_are_named():
    with pytest.raises(UnknownNameError, match="did you mean 'eta-decay'"):
        dark_photon("eta-decays")
    with pytest.raises(UnknownNameError, match="form factor"):
        dark_photon("eta-decay", form_factor="vdm")
    with pytest.raises(InputError, match="needs a table"):
        dark_photon("proton-bremsstrahlung-gauge-invariant", form_factor="ua")


def test_nuisance_must_widen():
    with pytest.raises(InputError, match="above 1"):
        ProductionNuisance("a", 0.9, ("eta-decay",))


def test_own_model_with_the_same_function_gives_the_same_events():
    shipped = bsmfit.load_model("dark-photon")
    own = Model(shipped.function, name="mine", coupling="epsilon")
    channel = bsmfit.load_channel("na62-dump-mumu")
    both = [
        bsmfit.ExclusionPoint.from_model(model, [channel]).log_signal(
            jnp.array(0.3), jnp.array(1e-6)
        )
        for model in (shipped, own)
    ]
    np.testing.assert_array_equal(*both)
