"""A new kind of search: one folder, one module, one line in the registry.

Nothing else changes: it scans, combines, plots, cites and shows.
"""

from __future__ import annotations

import json
import sys
import types

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

import bsmfit
from bsmfit.catalogue.kinds import registry
from bsmfit.channels.channel import Channel, DefaultAxis
from bsmfit.channels.search_region import (
    BackgroundTerm,
    LargestCount,
    LogResponse,
    SearchRegion,
    SignalTerm,
    safe_log,
)
from bsmfit.cli.app import app

PROCESS = "star-formation"


class StarSearch(Channel):
    """Counts of a telescope: signal and control region, one shared uncertainty."""

    name: str = eqx.field(static=True)
    datasets: tuple[str, ...] = eqx.field(static=True)
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True)
    changes: tuple[str, ...] = eqx.field(static=True)
    fingerprint: str = eqx.field(static=True)
    stars: jnp.ndarray

    processes = (PROCESS,)
    known_masses = (0.1, 0.5)
    default_mass = DefaultAxis(0.21, 0.4, 8)
    unit = "stars"

    def default_coupling(self, model):
        del model
        return DefaultAxis(1e-7, 1e-5, 12)

    def select(self, processes):
        del processes
        return self

    def covers(self, mass):
        return (mass >= 0.1) & (mass <= 0.5)

    def regions(self, mediator):
        strength = mediator.production[PROCESS]
        return self._regions(safe_log(self.stars * strength), mediator.mass)

    def unit_regions(self, mass, decay_width):
        return self._regions(jnp.zeros(()), decay_width + 0.2 if mass is None else mass)

    def check_unit(self, mass, lifetime_ns):
        del mass, lifetime_ns

    def _regions(self, log_events, mass):
        sky = LogResponse("sky", 0.3)
        fakes = [BackgroundTerm("sky", jnp.array(b), (sky,)) for b in (0.5, 4.0)]
        sure = {"is_open": self.covers(mass), "is_found": jnp.ones((), bool)}
        seen = SignalTerm(PROCESS, log_events, (LogResponse("mirror", 0.1),))
        return (
            SearchRegion("stars", jnp.array(1.0), (seen,), (fakes[0],), **sure),
            SearchRegion("dark", jnp.array(5.0), (), (fakes[1],), **sure),
        )

    def largest_counts(self):
        return LargestCount(1.0, 0.5), LargestCount(5.0, 4.0)

    def caveats(self, preset):
        del preset
        return ("stars are far away",)


def load_channel(name):
    path = registry.locate_channel(name)
    return StarSearch(
        name="star-search",
        datasets=("night-1",),
        inputs=((f"{path.parent.name}/record.yaml", "ab"),),
        changes=(),
        fingerprint="",
        stars=jnp.array(3e12),
    ).as_published()


def describe(name):
    return [(f"channel {name}", [("stars", "3e12")])]


@pytest.fixture(autouse=True)
def star_kind(tmp_path, monkeypatch):
    """The folder, the module and the line."""
    root = tmp_path / "data"
    root.mkdir()
    for entry in bsmfit_data().iterdir():
        (root / entry.name).symlink_to(entry)
    folder = root / "STAR_2501.00001"
    folder.mkdir()
    (folder / "record.yaml").write_text("kind: telescope\nid: star-search\n")
    (folder / "refs.bib").write_text("@article{Star:2025abc, title={Stars}}\n")
    monkeypatch.setattr("bsmfit.catalogue.files.data_root", lambda: root)
    monkeypatch.setattr("bsmfit.catalogue.records.data_root", lambda: root)
    monkeypatch.setattr("bsmfit.catalogue.citations.data_root", lambda: root)
    module = types.ModuleType("star_kind")
    module.load_channel, module.describe = load_channel, describe
    monkeypatch.setitem(sys.modules, "star_kind", module)
    monkeypatch.setitem(registry.KINDS, "telescope", "star_kind")


def bsmfit_data():
    from bsmfit.catalogue.files import data_root

    return data_root()


@pytest.fixture
def model():
    photon = bsmfit.load_model("dark-photon")

    def function(mass, coupling):
        mediator = photon.function(mass, coupling)
        production = mediator.production | {PROCESS: coupling**2}
        return eqx.tree_at(lambda m: m.production, mediator, production)

    return bsmfit.Model(function, name="shining", coupling="epsilon")


def test_it_is_listed_shown_and_limited():
    run = CliRunner().invoke
    assert "star-search" in run(app, ["list", "channels"]).stdout
    shown = run(app, ["show", "star-search"])
    assert "3e12" in shown.stdout, shown.output
    limit = run(app, ["limit", "star-search", "--json"])
    report = json.loads(limit.stdout)
    assert report["unit"] == "stars"
    assert 2.3 < report["limit"] < 6.0


def test_it_scans_combines_plots_and_cites(model, tmp_path):
    stars = bsmfit.load_channel("star-search")
    alone = bsmfit.scan_plane(model, stars)
    assert np.all(alone["status"] == 0)
    both = bsmfit.scan_plane(
        model, [stars, bsmfit.load_channel("na62-dump-mumu")], mass=(0.22, 0.4, 6)
    )
    assert list(both["search"].values) == ["star-search", "na62-dump-mumu"]
    assert "stars are far away" in both.attrs["caveats"]
    near = both.sel(search="star-search")["cls_obs_single"]
    assert float(near.min()) < 0.1 < float(near.max())
    bsmfit.plot_exclusion(both, tmp_path / "both.png")
    assert (tmp_path / "both.png").stat().st_size > 10_000
    bsmfit.write_scan(both, tmp_path / "scan.nc")
    cited = CliRunner().invoke(app, ["cite", str(tmp_path / "scan.nc")])
    assert "Star:2025abc" in cited.stdout
    likelihood = bsmfit.search_likelihood(model, stars, mass=0.3, coupling=1e-6)
    assert [region.name for region in likelihood.regions] == ["stars", "dark"]


def test_a_kind_that_is_not_registered_is_named(tmp_path):
    from bsmfit.errors import DataFileError

    path = tmp_path / "record.yaml"
    path.write_text("kind: telescop\nid: other\n")
    with pytest.raises(DataFileError, match="did you mean 'telescope'"):
        bsmfit.load_channel(path)
