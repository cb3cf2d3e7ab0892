"""Asymptotic CLs of pyhf and of this package, for the same likelihoods."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.catalogue.pyhf.workspace import load_pyhf_workspace
from bsmfit.export.pyhf_workspace import to_pyhf_workspace
from bsmfit.inference.asymptotics.counting import asymptotic_counting_cls
from bsmfit.inference.fits.profile import profile_cls
from bsmfit.inference.fits.separable import counting_point
from bsmfit.likelihood.likelihood import Likelihood, broadcast_points
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import LogNormal

pyhf = pytest.importorskip("pyhf")


def pyhf_cls(likelihood):
    workspace = pyhf.Workspace(to_pyhf_workspace(likelihood).workspace)
    model = workspace.model()
    return float(pyhf.infer.hypotest(1.0, workspace.data(model), model))


def each_point(likelihood):
    leaves, structure = jax.tree.flatten(likelihood)
    leaves = [np.asarray(leaf) for leaf in leaves]
    n_point = leaves[0].shape[0]
    return [
        jax.tree.unflatten(structure, [leaf[index] for leaf in leaves])
        for index in range(n_point)
    ]


@jax.jit
def our_cls(likelihood):
    one = jnp.ones(())
    return jax.lax.map(lambda point: profile_cls(point.arrays(), one), likelihood)


def test_one_bin_models_have_pyhfs_cls():
    rng = np.random.default_rng(3)
    shape = (30,)
    likelihood = Likelihood.from_regions(
        [
            Region(
                "sr",
                rng.integers(1, 12, shape)[:, None],
                [
                    Term(
                        "signal",
                        rng.uniform(1.0, 8.0, shape)[:, None],
                        [LogNormal("efficiency", rng.uniform(1.02, 1.4, shape))],
                    )
                ],
                [
                    Term(
                        "fakes",
                        rng.uniform(1.0, 6.0, shape)[:, None],
                        [LogNormal("fakes", rng.uniform(1.02, 1.5, shape))],
                    )
                ],
            )
        ]
    )
    likelihood = broadcast_points(likelihood)
    ours = jax.jit(
        jax.vmap(
            lambda point: asymptotic_counting_cls(
                counting_point(point.arrays()), jnp.ones(())
            )
        )
    )(likelihood)
    assert np.all(ours.is_converged)
    theirs = [pyhf_cls(point) for point in each_point(likelihood)]
    np.testing.assert_allclose(np.exp(ours.log_cls), theirs, atol=1e-3)


def two_dump_searches(n_point):
    """Two searches in the same protons; the first point has numbers like published."""
    rng = np.random.default_rng(4)

    def draw(low, high, first):
        values = rng.uniform(low, high, (n_point, 1))
        values[0] = first
        return values

    protons = LogNormal("protons-on-target", np.full(n_point, 1.2))
    regions = []
    for name, observed, background in (
        ("na62-dump-mumu", 1, 0.016),
        ("na62-dump-ee", 0, 0.0094),
    ):
        counts = rng.integers(0, 9, (n_point, 1))
        counts[0] = observed
        kappa = draw(1.05, 1.5, 1.5)[:, 0]
        signal = [
            Term("proton-bremsstrahlung", draw(0.5, 4.0, 1.3), [protons]),
            Term(
                "eta-decay",
                draw(0.1, 2.0, 0.4),
                [protons, LogNormal("eta-rate", draw(1.1, 1.4, 1.3)[:, 0])],
            ),
        ]
        fakes = Term(
            "fakes", draw(0.5, 4.0, background), [LogNormal(f"{name}-fakes", kappa)]
        )
        regions.append(Region(name, counts, signal, [fakes]))
    return Likelihood.from_regions(regions)


@pytest.mark.slow
def test_two_searches_in_the_same_protons_have_pyhfs_cls():
    likelihood = broadcast_points(two_dump_searches(24))
    ours = our_cls(likelihood)
    assert np.all(ours.is_converged)
    theirs = [pyhf_cls(point) for point in each_point(likelihood)]
    np.testing.assert_allclose(np.exp(ours.log_cls), theirs, atol=1e-3)


def test_imported_workspaces_have_pyhfs_cls():
    rng = np.random.default_rng(6)
    points, theirs = [], []
    for _ in range(10):
        model = pyhf.simplemodels.uncorrelated_background(
            signal=rng.uniform(1.0, 6.0, 2).tolist(),
            bkg=rng.uniform(3.0, 20.0, 2).tolist(),
            bkg_uncertainty=rng.uniform(0.5, 3.0, 2).tolist(),
        )
        counts = rng.integers(2, 25, 2).tolist()
        workspace = pyhf.Workspace.build(model, counts + model.config.auxdata)
        points.append(load_pyhf_workspace(dict(workspace)))
        data = workspace.data(model)
        theirs.append(float(pyhf.infer.hypotest(1.0, data, model)))
    ours = our_cls(jax.tree.map(lambda *leaves: np.stack(leaves), *points))
    assert np.all(ours.is_converged)
    np.testing.assert_allclose(np.exp(ours.log_cls), theirs, atol=1e-3)
