"""Production put together on the command line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from bsmfit.cli.app import app

POINT = ["--model", "dark-photon", "--mass", "0.05", "--coupling", "1e-6"]


def run(*arguments: str):
    return CliRunner().invoke(app, ["limit", "na62-dump-ee", *POINT, *arguments])


def test_half_the_rate_is_twice_the_limit_and_declared():
    reports = [
        json.loads(run("--process", f"pi0-decay={factor}", "--json").stdout)
        for factor in (1.0, 0.5)
    ]
    assert reports[1]["limit"] == pytest.approx(2.0 * reports[0]["limit"], rel=1e-6)
    assert reports[1]["preset"] == "bremsstrahlung as 0.5 pi0-decay"
    assert any("contains pi0" in text for text in reports[1]["caveats"])


@pytest.mark.parametrize(
    ("process", "message"),
    [
        (["pi0-decay=-1"], "--process pi0-decay = -1.0 is not a number"),
        (["pi0-decay=much"], "'much' is no number"),
        (["=2"], "names no process"),
        (["pi0-decay", "pi0-decay=2"], "names 'pi0-decay' twice"),
        (["pi0-dekay"], "did you mean 'pi0-decay'"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_exit_code_2(process, message):
    options = [text for name in process for text in ("--process", name)]
    result = run(*options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
