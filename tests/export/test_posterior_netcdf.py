from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from bsmfit.export.posterior_netcdf import write_posterior
from bsmfit.inference.posteriors.numpyro_model import Posterior


@pytest.fixture
def make_posterior():
    def make(is_converged: bool = True) -> Posterior:
        draws = np.linspace(0.0, 1.0, 200).reshape(2, 100)
        return Posterior(
            samples={"strength": draws, "protons": draws - 0.5},
            is_divergent=np.zeros((2, 100), dtype=bool),
            r_hat={"strength": 1.001, "protons": 1.002},
            n_effective={"strength": 150.0, "protons": 160.0},
            n_divergent=0,
            is_converged=is_converged,
            message="converged" if is_converged else "2 divergent transitions",
            prior="flat in the signal strength from 0 to 1",
            observed=np.array([1.0, 0.0]),
            yields=np.array([[2.0, 0.0], [0.1, 0.2]]),
            region_names=("a", "b"),
            term_names=("a/signal", "a/background"),
            n_warmup=10,
        )

    return make


def read(path, group):
    return xr.load_dataset(path, group=group, engine="h5netcdf")


def test_groups_are_those_of_arviz(make_posterior, tmp_path):
    path = tmp_path / "posterior.nc"
    posterior = make_posterior()
    write_posterior(posterior, path, cl=0.90)
    samples = read(path, "posterior")
    assert samples["strength"].dims == ("chain", "draw")
    np.testing.assert_array_equal(samples["protons"], posterior.samples["protons"])
    assert samples.attrs["prior"] == posterior.prior
    assert samples.attrs["cl"] == 0.90
    assert samples.attrs["label"] == "credible, coverage not guaranteed"
    np.testing.assert_allclose(samples.attrs["strength_limit"], 0.90, atol=1e-9)
    assert samples["strength"].attrs["r_hat"] == 1.001
    assert read(path, "sample_stats")["diverging"].dims == ("chain", "draw")
    observed = read(path, "observed_data")
    assert list(observed["region"].values) == ["a", "b"]
    np.testing.assert_array_equal(observed["observed"], [1.0, 0.0])
    assert read(path, "constant_data")["yields"].shape == (2, 2)
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_chain_has_no_limit(make_posterior, tmp_path):
    path = tmp_path / "posterior.nc"
    write_posterior(make_posterior(is_converged=False), path, cl=0.90)
    attributes = read(path, "posterior").attrs
    assert np.isnan(attributes["strength_limit"])
    assert attributes["is_converged"] == 0
    assert "divergent" in attributes["message"]
