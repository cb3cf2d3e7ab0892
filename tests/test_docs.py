"""The code in the documentation runs, and says what the page says."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the blocks of pages from top to bottom, in a folder of their own."""
    monkeypatch.chdir(tmp_path)

    def from_top_to_bottom(*pages):
        namespace = {}
        for page in pages:
            text = (DOCS / page).read_text(encoding="utf-8")
            blocks = re.findall(r"```python\n(.*?)```", text, flags=re.S)
            assert blocks, page
            for code in blocks:
                exec(compile(code, page, "exec"), namespace)
        return namespace

    return from_top_to_bottom


def test_limits_intervals_and_posteriors(run, capsys):
    run("limits.md", "intervals.md", "posteriors.md")
    printed = capsys.readouterr().out.splitlines()
    # statistics.md, sections 3, 10 and 6
    assert printed[0].startswith("3.993")
    assert printed[1].startswith("1.912")
    assert any(line.startswith("0.0 3.85") for line in printed)


def test_combinations(run):
    names = run("combinations.md")
    found = names["found"]
    # no event was seen: CLs is the average of exp(-s), above that of the average s
    assert math.exp(-float(found.n_signal)) < float(found.cls_obs) < 0.1
    assert np.all(np.asarray(found.cls_obs_single) > 0.1)
    assert float(names["limit"].value) < 1.0
    joint, muons = names["joint"], names["muons"].name
    assert np.nanmin(joint.lower) < 4.05e-7
    assert muons == "na62-dump-mumu+1e+18-protons"
    assert "not published" in names["future"].attrs["comment"]


def test_gradients(run):
    names = run("gradients.md")
    # at fixed lifetime N ~ eta: d ln eps / d ln eta = -1/4 without decays in flight
    assert -0.4 < float(names["shift"]) < -0.25


def test_own_model(run):
    edges = run("own-model.md")["edges"]
    # g = e eps for an infinite lifetime, and the page's 10 to 30 % above it
    unit = 0.303 * 4.05e-7
    at = int(np.argmin(abs(edges.mass - 0.3)))
    assert 1.1 * unit < edges.lower[at] < 1.3 * unit


def test_kaon_modes(run):
    found = run("kaon-modes.md")["found"]
    # physics/pi-nunu.md: published 10.6 +4.1 -3.5, ours 2 % higher (1e-11)
    assert 10.6e-11 == pytest.approx(float(found.value), rel=0.03)


def test_quickstart(run, tmp_path):
    names = run("quickstart.md")
    written = {path.name for path in tmp_path.iterdir()}
    assert {"contour.png", "contour.pdf", "contour.csv", "scan.nc"} <= written
    by_count = names["result"]["n_signal"] > names["result"]["n_up_obs"]
    assert bool((names["excluded"] == by_count).all())


def test_pyhf(run):
    names = run("pyhf.md")
    assert float(names["ours"]) == pytest.approx(float(names["theirs"]), abs=1e-8)
