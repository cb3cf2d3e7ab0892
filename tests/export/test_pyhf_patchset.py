"""Patch sets, applied by pyhf."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from bsmfit.errors import InputError
from bsmfit.export.pyhf_patchset import to_pyhf_patchset
from bsmfit.export.pyhf_workspace import to_pyhf_workspace, validate_pyhf
from bsmfit.likelihood.likelihood import Likelihood
from bsmfit.likelihood.region import Region, Term
from bsmfit.likelihood.response import BinFactors

pyhf = pytest.importorskip("pyhf")

GRID = 3


@pytest.fixture(scope="module")
def patched():
    scale = np.array([1.0, 2.0, 0.5])[:, None]
    mc = BinFactors("mc", [0.1, 0.2], "normal")
    region = Region(
        "sr",
        jnp.array([[1, 0], [1, 0], [2, 1]]),
        [Term("signal", scale * np.array([1.0, 0.5]), [mc])],
        [Term("fakes", [0.4, 0.2], [mc])],
    )
    likelihood = Likelihood.from_regions([region])
    values = np.array([[0.25, 1e-6], [0.25, 2e-6], [0.3, 1e-6]])
    made = to_pyhf_patchset(
        likelihood,
        labels=("mass_gev", "epsilon"),
        values=values,
        inspire_record="ins0000000",
    )
    return likelihood, made


def test_patches_give_the_workspace_of_every_point(patched):
    likelihood, made = patched
    patchset = pyhf.PatchSet(made.patchset)
    assert patchset.labels == ["mass_gev", "epsilon"]
    for index in range(GRID):
        region = likelihood.regions[0]
        signal = region.signal[0]
        alone = Likelihood.from_regions(
            [
                Region(
                    "sr",
                    region.observed[index],
                    [Term("signal", signal.yields[index], signal.responses)],
                    region.background,
                )
            ]
        )
        patched_workspace = patchset.apply(made.workspace, f"point_{index}")
        assert dict(patched_workspace) == to_pyhf_workspace(alone).workspace
    assert patchset[(0.25, 2e-6)].name == "point_1"
    assert made.patchset["patches"][0]["patch"] == []


def test_the_whole_patch_set_follows_the_schema(patched):
    validate_pyhf(patched[1].patchset, "patchset")
    pyhf.PatchSet(patched[1].patchset).verify(patched[1].workspace)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ("mass [GeV]", "epsilon")}, r"label 'mass \[GeV\]': pyhf allows"),
        ({"inspire_record": "2712354"}, "'ins' and seven digits"),
        ({"labels": ("mass",)}, "1 labels; row 0 has 2 values"),
        ({"values": [[0.2, 0.3]]}, "1 rows for 3 points"),
        ({"values": [[0.2, 0.3]] * 3}, "two points have the same values"),
    ],
)
def test_bad_patch_sets_are_named(patched, change, message):
    arguments = {
        "labels": ("mass", "epsilon"),
        "values": [[0.1, 1.0], [0.2, 1.0], [0.3, 1.0]],
        "inspire_record": "ins0000000",
    }
    with pytest.raises(InputError, match=message):
        to_pyhf_patchset(patched[0], **(arguments | change))


def test_a_grid_needs_a_patch_set(patched):
    with pytest.raises(InputError, match=r"grid axes \(3,\)"):
        to_pyhf_workspace(patched[0])
