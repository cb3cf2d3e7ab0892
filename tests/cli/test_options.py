"""Ranges of the options that commands share."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from bsmfit.cli import options
from bsmfit.cli.app import Commands

CASES = {
    "check_level": (
        float,
        ["0.9", "0.999999"],
        ["0", "1", "95", "nan", "1e-300", "0.99999999999999"],
    ),
    "check_precision": (float, ["1e-5", "0.1"], ["0", "1", "nan", "-1e-3"]),
    "check_n_toy": (int, ["1", "100000000"], ["0", "-1", "100000000000"]),
    "check_seed": (int, ["0", str(2**63 - 1)], ["-1", str(2**64)]),
}

INSIDE = [(name, given) for name in CASES for given in CASES[name][1]]
OUTSIDE = [(name, given) for name in CASES for given in CASES[name][2]]


def run(name: str, given: list[str]):
    kind, _, _ = CASES[name]
    app = typer.Typer(cls=Commands)
    option = typer.Option("--value", callback=getattr(options, name))

    def command(value: Annotated[kind | None, option] = None) -> None:
        typer.echo(repr(value))

    command.__annotations__["value"] = Annotated[kind | None, option]
    app.command("run")(command)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["run", *given])


@pytest.mark.parametrize(("name", "given"), INSIDE)
def test_number_in_the_range_is_taken(name: str, given: str):
    done = run(name, ["--value", given])
    assert done.exit_code == 0, done.output
    assert float(done.stdout) == float(given)


@pytest.mark.parametrize(("name", "given"), OUTSIDE)
def test_number_outside_is_one_line_and_exit_code_2(name: str, given: str):
    done = run(name, ["--value", given])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("bsmfit: error: ")
    assert "--value" in done.stderr


@pytest.mark.parametrize("name", CASES)
def test_option_that_is_not_given_passes(name: str):
    assert run(name, []).stdout == "None\n"
