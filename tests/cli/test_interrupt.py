"""Ctrl-C and SIGTERM: one line, an exit code, and how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bsmfit
import bsmfit.scan.exclusion_map
from bsmfit.cli.app import app

SOURCE = str(Path(bsmfit.__file__).parents[1])
WAITS = """
import sys, time
from bsmfit.cli.interrupt import leave_on_signals
sys.argv = ["bsmfit", *sys.argv[1:]]
leave_on_signals()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("number", "command", "words"),
    [
        (signal.SIGINT, "limit", "nothing half-written is left"),
        (signal.SIGTERM, "scan", "the same command (without --overwrite) continues"),
    ],
)
def test_signal_is_one_line_and_its_exit_code(number, command, words):
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, command],
        env=os.environ | {"PYTHONPATH": SOURCE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, shown = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert shown.count("\n") == 1
    assert shown.startswith("bsmfit: error: interrupted")
    assert words in shown


def test_map_ends_after_its_block(monkeypatch, tmp_path):
    def compute(*_, progress, **__):
        os.kill(os.getpid(), signal.SIGTERM)
        progress(1, 2)  # the block in flight is on disk
        raise AssertionError

    monkeypatch.setattr(bsmfit.scan.exclusion_map, "compute_map", compute)
    before = signal.getsignal(signal.SIGTERM)
    words = ["--mass", "0.25:0.3:2", "--coupling", "1e-7:1e-6:2", "--out", "x"]
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        app, ["scan", "dark-photon", "--channel", "na62-dump-mumu", *words]
    )
    assert done.exit_code == 128 + signal.SIGTERM
    assert "the same command (without --overwrite) continues" in done.stderr
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan", "dark-photon", "--channel", "na62-dump-mumu", "--out", ""],
        ["batch", "run", "card.yaml", "--out", " "],
        ["batch", "status", ""],
        ["cite", ""],
        ["tables", "build", "--out", ""],
        ["limit", "na62-dump-mumu", "--method", "toys", "--seed", str(2**64)],
        ["limit", "na62-dump-mumu", "--method", "toys", "--toys", "100000000000"],
        ["limit", "na62-dump-mumu", "--protons", "1e300"],
        ["limit", "na62-dump-mumu", "--protons", "1_0"],
        ["limit", "na62-dump-mumu", "--cl", "0.9_5"],
        ["limit", "na62-pi-invisible-run1", "--mass", "0.2", "--lifetime-ns", "1_0"],
        ["scan", "dark-photon", "--mass", "1_0:20:3"],
        ["scan", "dark-photon", "--mass", "0.2:0.3:1_0"],
        ["scan", "dark-photon", "--process", "pi0-decay=1_0"],
        ["scan", "dark-cascade", "--parameter", "alpha_D=1_0"],
    ],
    ids=lambda words: " ".join(words[-3:]),
)
def test_option_that_cannot_be_is_refused(arguments, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []
