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


@pytest.mark.slow
def test_limits_intervals_and_posteriors(run, capsys):
    run("limits.md", "intervals.md", "posteriors.md")
    printed = capsys.readouterr().out.splitlines()
    # statistics.md, sections 3, 10 and 6
    assert printed[0].startswith("3.993")
    assert printed[1].startswith("1.912")
    assert any(line.startswith("0.0 3.85") for line in printed)


@pytest.mark.slow
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


@pytest.mark.slow
def test_contours(run):
    names = run("contours.md")
    result, edges = names["result"], names["edges"]
    # the published lower edge at 0.3 GeV is 4.05e-7
    assert 3e-7 < np.nanmin(edges.lower) < 6e-7
    assert result.attrs["n_evaluated"] < 0.05 * result.sizes["mass"] * 2000
    residual = result["contour_residual"].values
    assert np.nanmax(np.abs(residual)) <= 1e-6


def test_batch(run, tmp_path):
    from bsmfit.scan.batch.open_batch import plan_card
    from bsmfit.scan.batch.run_card import read_run_card

    text = (DOCS / "batch.md").read_text(encoding="utf-8")
    cards = []
    for card in re.findall(r"```yaml\n(.*?)```", text, flags=re.S):
        (tmp_path / "card.yaml").write_text(card)
        cards.append(read_run_card(tmp_path / "card.yaml"))
    assert cards[0].block_points == 20_000
    planned, _ = plan_card(cards[1])
    assert planned.further.shape == (4,)
    assert planned.channels[0].changes == ("1-observed",)
    names = run("batch.md")
    assert (names["outcome"].n_block, names["outcome"].n_missing) == (3, 0)
    # the published lower edge at 0.3 GeV is 4.05e-7, and rises towards 0.5 GeV
    assert 3e-7 < np.nanmin(names["edges"].lower) < 6e-7


def test_devices(run, capsys):
    result = run("devices.md")["result"]
    assert "cpu" in capsys.readouterr().out
    assert np.all(result["status"] == 0)


@pytest.mark.slow
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


@pytest.mark.slow
def test_model_independent(run):
    names = run("model-independent.md")
    edges, plane = names["edges"], names["plane"]
    assert plane["n_signal"].dims == ("lifetime_ps", "branching_ratio")
    assert edges.lower[4] < 1e-6 < edges.lower[-1]


@pytest.mark.slow
def test_kaon_modes(run):
    found = run("kaon-modes.md")["found"]
    # physics/pi-nunu.md: published 10.6 +4.1 -3.5, ours 2 % higher (1e-11)
    assert pytest.approx(float(found.value), rel=0.03) == 10.6e-11


@pytest.mark.slow
def test_heavy_neutral_leptons(run, capsys):
    edges = run("heavy-neutral-leptons.md")["edges"]
    # arXiv:2101.12304, and K+ -> pi- mu+ mu+ rises with the square of the mixing
    assert edges.lower.tolist() == pytest.approx([7.480e-9, 9.054e-9, 3.411e-9], 1e-3)
    last = [
        float(line.split()[1]) for line in capsys.readouterr().out.split("\n")[-4:-1]
    ]
    assert last[2] / last[0] == pytest.approx(1e4, rel=0.05)


@pytest.mark.slow
def test_visible_kaon_decays(run):
    edges = run("physics/visible-kaon-decays.md")
    edges = edges["bsmfit"].coupling_edges(edges["result"]).lower
    # prompt limits, two digits of the same reading: BR = 1e-6 g^2
    limits = [5.1e-9, 4.6e-9, 3.0e-9]
    assert (1e-6 * edges**2).tolist() == pytest.approx(limits, rel=0.1)


@pytest.mark.slow
def test_lfv_lnv(run, tmp_path, capsys):
    names = run("lfv-lnv.md")
    printed = capsys.readouterr().out
    assert (tmp_path / "rare-decays.png").stat().st_size > 10_000
    mine, limits = float(names["mine"].value), names["limits"]
    assert mine == pytest.approx(float(limits.observed[names["index"]]), rel=2e-3)
    assert "91 TeV" in printed
    assert "24 GeV" in printed
    # g^4 = 8.1e-11 is beyond the limit of 4.26e-11
    assert float(names["found"].cls_obs) < 0.1


@pytest.mark.slow
def test_pi4e(run):
    edges = run("pi4e.md")["edges"]
    # a lighter dark photon flies further: it needs more mixing to be seen
    assert edges.lower[0] > 2.0 * edges.lower[1]


def test_axion_like_particles(run):
    model = run("physics/axion-like-particles.md")["model"]
    page = (DOCS / "physics/axion-like-particles.md").read_text(encoding="utf-8")
    from bsmfit.physics.alp_couplings_at_scale import COUPLINGS
    from bsmfit.physics.alp_running import running_matrix

    # the table of the page: k at 1 TeV and 4 pi TeV
    for symbol, name in (("tt", "top"), ("GG", "gluon"), ("WW", "weak")):
        row = re.search(rf"\| \$c_{{{symbol}}}=1\$ \| (\S+) \| (\S+) \|", page)
        assert row is not None
        for text, scale in zip(row.groups(), (1e3, 4e3 * math.pi), strict=True):
            found = running_matrix(scale)[-1][COUPLINGS.index(name)]
            assert float(text) == pytest.approx(found, rel=0.01)
    assert model.excluded_masses == ((0.125, 0.145),)


def test_quickstart(run, tmp_path):
    names = run("quickstart.md")
    written = {path.name for path in tmp_path.iterdir()}
    assert {"contour.png", "contour.pdf", "contour.csv", "scan.nc"} <= written
    by_count = names["result"]["n_signal"] > names["result"]["n_up_obs"]
    assert bool((names["excluded"] == by_count).all())


@pytest.mark.slow
def test_pyhf(run):
    names = run("pyhf.md")
    assert float(names["ours"]) == pytest.approx(float(names["theirs"]), abs=1e-8)


# Made up, in the form that HEPData has: two masses on either side of the pi0, limits by
# lifetime, and a spectrum of 21 bins above the pi0.
LIMIT = """#: name: made up
X MASS [MeV],Obs. BR UL
50,2.0e-11
100,4.0e-11
160,2.4e-11
164,1.6e-11
170,1.5e-11
182,1.0e-11
196,8.0e-12
210,5.0e-12
222,6.0e-12
"""
LIFETIMES = """dependent_variables:
- header: {name: 'Upper limit on BR'}
  qualifiers: [{name: lifetime, units: NS, value: 1}]
  values: [{value: 3.0e-10}, {value: 2.0e-10}]
- header: {name: 'Upper limit on BR'}
  qualifiers: [{name: lifetime, units: NS, value: 10}]
  values: [{value: 1.0e-10}, {value: 0.7e-10}]
independent_variables:
- header: {name: 'MASS', units: GEV}
  values: [{value: 0.16}, {value: 0.17}]
"""


def spectrum():
    """Ten events in each bin, as many as two backgrounds expect."""
    name = "M_MISS^2 [GEV^2]"
    lines = [f"{name},{name} LOW,{name} HIGH,Data,pi nu nu,other,sys +,sys -"]
    for low in np.arange(0.026, 0.0675, 0.002):
        numbers = f"{low + 0.001:.4f},{low:.4f},{low + 0.002:.4f}"
        lines.append(f"{numbers},10,6.0,4.0,0.4,-0.4")
    return "\n".join(lines) + "\n"


@pytest.mark.slow
def test_hepdata(run, tmp_path):
    (tmp_path / "table.csv").write_text(LIMIT)
    (tmp_path / "figure_2-a.csv").write_text(LIMIT)
    (tmp_path / "figure_3.yaml").write_text(LIFETIMES)
    (tmp_path / "figure_1-a.csv").write_text(spectrum())
    names = run("hepdata.md")
    assert list(names["curves"]) == pytest.approx([1e-9, 1e-8])
    assert names["one"].limit.tolist() == [1.0e-10, 0.7e-10]
    assert names["mine"].name == "na62-pi-invisible-2016-2022+own-limit"
    assert names["result"].attrs["is_published"] == 0
    # As many events as expected: CLs = 2 [1 - Phi(s / sqrt(b + s))] = 0.1 at 1.645.
    # A peak on a density rho has b = 2 sqrt(pi) sigma rho (physics/kaon-to-pion.md). At
    # 200 MeV sigma is 0.954e-3 GeV^2, to which bins add their width / sqrt(12), and one
    # event is 2.21e-12: 1.98 in units of 1e-11, without uncertainties of the signal.
    width = math.hypot(0.954e-3, 0.002 / math.sqrt(12.0))
    background = 2.0 * math.sqrt(math.pi) * width * 10.0 / 0.002
    n_up = 1.645**2 / 2.0 + 1.645 * math.sqrt(background + 1.645**2 / 4.0)
    assert float(names["limit"].value[2]) == pytest.approx(0.221 * n_up, rel=0.1)
