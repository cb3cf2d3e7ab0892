from __future__ import annotations

import numpy as np
import pytest

from bsmfit.scan.content_digest import content_digest
from bsmfit.scan.store import read_scan, write_scan


@pytest.fixture
def joint(make_joint_dataset):
    field = np.linspace(-1.0, 1.0, 12).reshape(3, 4)
    joint = make_joint_dataset(field, one=field - 0.1, two=field - 0.2)
    return joint.assign(cls_exp=joint["cls_exp_quantiles"][..., 2])


def test_writing_and_reading_changes_nothing(make_dataset, joint, tmp_path):
    for dataset in (make_dataset(n_mass=3, n_coupling=4), joint):
        write_scan(dataset.assign_attrs(created="now"), tmp_path / "scan.nc")
        stored = read_scan(tmp_path / "scan.nc")
        assert content_digest(stored) == content_digest(dataset)


def test_everything_that_is_said_counts(make_dataset):
    dataset = make_dataset(n_mass=3, n_coupling=4)
    others = [dataset.assign_attrs(cl=0.95), dataset.assign_coords(mass=[1, 2, 3])]
    others += [dataset.copy(deep=True) for _ in range(2)]
    others[2]["n_signal"][0, 0] = np.nextafter(others[2]["n_signal"][0, 0], 1.0)
    others[3]["mass"].attrs["units"] = "MeV"
    digests = {content_digest(one) for one in (dataset, *others)}
    assert len(digests) == 5
