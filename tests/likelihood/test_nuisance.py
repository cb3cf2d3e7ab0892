from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.errors import InputError, UnknownNameError
from bsmfit.likelihood.nuisance import Nuisance, log_kappa_matrix, nuisance_names


def test_same_name_is_same_column() -> None:
    protons = Nuisance("protons", jnp.array(1.2))
    fakes = Nuisance("fakes", jnp.array(1.5))
    terms = [[protons], [fakes, protons], []]
    names = nuisance_names(terms)
    assert names == ("protons", "fakes")
    expected = np.log([[1.2, 1.0], [1.2, 1.5], [1.0, 1.0]])
    np.testing.assert_allclose(log_kappa_matrix(terms, names), expected, atol=1e-15)


def test_name_given_twice_in_one_term_is_an_error() -> None:
    protons = Nuisance("protons", jnp.array(1.2))
    with pytest.raises(InputError, match="'protons' 2 times"):
        log_kappa_matrix([[protons, protons]], ["protons"])


def test_unknown_name_is_an_error_with_a_guess() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'protons'"):
        log_kappa_matrix([[Nuisance("proton", jnp.array(1.2))]], ["protons"])
