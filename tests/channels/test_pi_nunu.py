"""Expected events of a channel made by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.channels.pi_nunu import (
    BackgroundSource,
    PiNunuCategory,
    PiNunuChannel,
    PiNunuSubset,
    SensitivityNuisance,
)
from bsmfit.errors import UnknownNameError


def subset(name, sensitivity, relative_error, *sources):
    return PiNunuSubset(
        name,
        jnp.asarray(sensitivity),
        jnp.asarray(relative_error),
        tuple(
            BackgroundSource(
                f"source_{i}", up == down, *map(jnp.asarray, (b, up, down))
            )
            for i, (b, up, down) in enumerate(sources)
        ),
    )


@pytest.fixture
def channel():
    early = PiNunuCategory("early", 1, (subset("a", 2e-10, 0.1, (0.5, 0.1, 0.1)),))
    late = PiNunuCategory(
        "late",
        7,
        (
            subset("b", 4e-11, 0.05, (1.0, 0.3, 0.3), (2.0, 0.9, 0.4)),
            subset("c", 1e-11, 0.02, (3.0, 1.2, 1.2)),
        ),
    )
    return PiNunuChannel(
        "toy",
        "toy-measurement",
        (SensitivityNuisance("shared", 1.06, ("a", "b", "c")),),
        (),
        (early, late),
        jnp.asarray(8e-11),
        jnp.asarray(1e-11),
    )


def test_events_add_up_over_subsets(channel):
    signal = channel.expected_signal()
    assert channel.n_observed == 8
    assert float(signal.events) == pytest.approx(0.4 + 2.0 + 8.0)
    assert float(channel.background()) == pytest.approx(6.5)
    assert float(channel.sensitivity()) == pytest.approx(8e-11 / 10.4)


def test_errors_add_linearly_or_in_quadrature_and_the_external_one_stays_apart(channel):
    signal = channel.expected_signal()
    parts = np.array([0.04, 0.1, 0.16])
    assert float(signal.error_uncorrelated) == pytest.approx(np.hypot.reduce(parts))
    assert float(signal.error_correlated) == pytest.approx(parts.sum())
    assert float(signal.external_error) == pytest.approx(10.4 / 8)
    up, down = channel.background_errors()
    assert float(up) == pytest.approx(np.sqrt(0.01 + 0.09 + 0.81 + 1.44))
    assert float(down) == pytest.approx(np.sqrt(0.01 + 0.09 + 0.16 + 1.44))


def test_selection_keeps_some_categories(channel):
    late = channel.select(["late"])
    assert [entry.name for entry in late.subsets] == ["b", "c"]
    with pytest.raises(UnknownNameError, match="did you mean 'late'"):
        channel.select(["lates"])


def test_expected_events_are_linear_in_the_branching_ratio(channel):
    late = channel.categories[1]
    slopes = jax.jacfwd(late.expected_signal)(jnp.asarray(3e-11))
    np.testing.assert_allclose(slopes, [1 / 4e-11, 1 / 1e-11])
    assert float(jnp.sum(late.expected_signal(jnp.asarray(0.0)))) == 0.0
