"""Posterior samples as a NetCDF file that ArviZ reads.

Groups as in ArviZ's InferenceData: ``posterior`` (chain, draw), ``sample_stats``,
``observed_data`` and ``constant_data``. Read it with ``arviz.from_netcdf(path)``, or
one group with ``xarray.open_dataset(path, group="posterior")``. The attributes of
``posterior`` say prior, convergence and version.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from bsmfit._version import __version__
from bsmfit.core.argument import file_path, instance, level
from bsmfit.inference.posteriors.numpyro_model import Posterior, sampled_limit
from bsmfit.scan.atomic import atomic_file

__all__ = ["write_posterior"]


def write_posterior(posterior: Posterior, path: Path | str, *, cl: float) -> None:
    """Write samples, diagnostics and data, whole or not at all.

    Args:
        posterior: The samples.
        path: The file, ``.nc``.
        cl: Confidence level of the limit in the attributes.

    Raises:
        InputError: It is no posterior, or no path or level.
        OutputError: The file cannot be written.
    """
    hint = "give what sample_posterior returned"
    instance("posterior", posterior, Posterior, hint=hint)
    path, cl = file_path("path", path), level(cl)
    groups = _groups(posterior, cl)
    with atomic_file(path) as temporary:
        for index, (group, dataset) in enumerate(groups.items()):
            dataset.to_netcdf(
                temporary,
                mode="a" if index else "w",
                group=group,
                engine="h5netcdf",
            )


def _groups(posterior: Posterior, cl: float) -> dict[str, xr.Dataset]:
    shape = posterior.is_divergent.shape
    axes = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    limit = sampled_limit(posterior, cl=cl)
    attributes = {
        "inference_library": "numpyro",
        "creation_library": "bsmfit",
        "version": __version__,
    }
    samples = xr.Dataset(
        {
            name: (("chain", "draw"), values)
            for name, values in posterior.samples.items()
        },
        coords=axes,
        attrs={
            **attributes,
            "prior": posterior.prior,
            "method": limit.method,
            "label": posterior.label,
            "cl": cl,
            "strength_limit": limit.value if limit.is_converged else np.nan,
            "strength_limit_sampling_error": limit.sampling_error,
            "is_converged": int(posterior.is_converged),
            "message": posterior.message,
            "n_warmup": posterior.n_warmup,
            "n_divergent": posterior.n_divergent,
        },
    )
    for name in posterior.samples:
        samples[name].attrs = {
            "r_hat": posterior.r_hat[name],
            "n_effective": posterior.n_effective[name],
        }
    diverging = (("chain", "draw"), posterior.is_divergent)
    bins = {"bin": np.arange(posterior.observed.size)}
    regions = ("bin", np.array(posterior.region_names, dtype=object))
    return {
        "posterior": samples,
        "sample_stats": xr.Dataset(
            {"diverging": diverging}, coords=axes, attrs=attributes
        ),
        "observed_data": xr.Dataset(
            {"observed": ("bin", posterior.observed)},
            coords={**bins, "region": regions},
            attrs=attributes,
        ),
        "constant_data": xr.Dataset(
            {"yields": (("term", "bin"), posterior.yields)},
            coords={**bins, "term": np.array(posterior.term_names, dtype=object)},
            attrs=attributes,
        ),
    }
