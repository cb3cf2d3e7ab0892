"""How the command line starts: from the source tree, and with little to import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import bsmfit
from bsmfit.cli.app import main

SOURCE = str(Path(bsmfit.__file__).parents[1])
HEAVY = ("jax", "pandas", "xarray", "matplotlib", "scipy", "equinox", "numpyro")

SHOWS = """
import sys
sys.argv = ["bsmfit", *sys.argv[1:]]
from bsmfit.cli.app import main
try:
    main()
except SystemExit as end:
    print("exit", end.code, [name for name in HEAVY if name in sys.modules])
"""


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": SOURCE},
        capture_output=True,
        text=True,
        check=False,
    )


def test_module_is_run_from_the_source_tree(tmp_path):
    done = run("-m", "bsmfit", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"bsmfit {bsmfit.__version__}\n")
    refused = run("-m", "bsmfit", "show", "nosuch", cwd=tmp_path)
    assert refused.returncode == 2
    assert "unknown model or channel 'nosuch'" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", "na62-dump-mumu"],
        ["show", "na62-pi-invisible-run1"],
        ["show", "na62-pi-nunu-run1"],
        ["show", "dark-scalar"],
        ["--help"],
        ["scan", "--help"],
        ["batch", "run", "--help"],
    ],
    ids=" ".join,
)
def test_commands_that_compute_nothing_import_nothing_heavy(arguments, tmp_path):
    done = run("-c", f"HEAVY = {HEAVY!r}\n{SHOWS}", *arguments, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "exit 0 []", done.stderr


def test_citing_imports_nothing_heavy(make_dataset, tmp_path):
    from bsmfit.scan.store import write_scan

    write_scan(make_dataset(n_mass=3, n_coupling=4), tmp_path / "scan.nc")
    done = run("-c", f"HEAVY = {HEAVY!r}\n{SHOWS}", "cite", ".", cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "exit 0 []", done.stderr
    assert "not shipped with bsmfit" in done.stdout


def test_main_is_the_entry_point(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bsmfit", "--version"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert bsmfit.__version__ in capsys.readouterr().out
