"""The options that commands share, with their help texts and ranges.

A number outside its range is one line on stderr and exit code 2, by the checks that the
Python functions have: ``typer.Option("--seed", callback=check_seed)``.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "AllowCodeOption",
    "ChannelOption",
    "CouplingOption",
    "FigureOption",
    "LevelOption",
    "MassOption",
    "ModelArgument",
    "Ordering",
    "OrderingOption",
    "OutOption",
    "OverwriteOption",
    "PrecisionOption",
    "PresetOption",
    "ProcessOption",
    "check_level",
    "check_n_toy",
    "check_precision",
    "check_seed",
    "parse_number",
    "parse_path",
    "parse_processes",
]


class Ordering(StrEnum):
    """How the joint outcomes of several searches are ordered."""

    LIKELIHOOD_RATIO = "likelihood-ratio"
    SUM = "sum"


def check_level(ctx: Any, param: Any, value: float | None) -> float | None:
    """Refuse a confidence level that is not from 0.01 to 1 - 1e-6; None passes."""
    del ctx
    from bsmfit.core.argument import level

    return None if value is None else level(value, name=_flag(param), high=1.0 - 1e-6)


def check_precision(ctx: Any, param: Any, value: float | None) -> float | None:
    """Refuse a precision that is not from 1e-5 to 0.1; None passes."""
    del ctx
    if value is None:
        return None
    from bsmfit.core.argument import real_number

    hint = "it is in log10 of the coupling: 0.001 is 0.23 %"
    return real_number(_flag(param), value, low=1e-5, high=0.1, hint=hint)


def check_n_toy(ctx: Any, param: Any, value: int | None) -> int | None:
    """Refuse a number of toys that is not from 1 to 1e8; None passes."""
    del ctx
    from bsmfit.core.argument import MOST_TOYS

    return _check_whole(param, value, low=1, high=MOST_TOYS)


def check_seed(ctx: Any, param: Any, value: int | None) -> int | None:
    """Refuse a seed that is not from 0 to 2^63 - 1; None passes."""
    del ctx
    return _check_whole(param, value, low=0, high=2**63 - 1)


def _check_whole(param: Any, value: int | None, *, low: int, high: int) -> int | None:
    from bsmfit.core.argument import whole_number

    return (
        None if value is None else whole_number(_flag(param), value, low=low, high=high)
    )


def parse_number(given: str | float) -> float:
    """A number that was written down.

    Args:
        given: What was written, or the default of the option.

    Returns:
        The number.

    Raises:
        typer.BadParameter: It is none; ``1_0`` is not, either.

    Examples:
        >>> parse_number("0.25")
        0.25
    """
    from bsmfit.core.written_number import written_float

    try:
        return written_float(str(given))
    except ValueError as error:
        msg = f"{error}, such as 0.25 or 1e-6"
        raise typer.BadParameter(msg) from None


def parse_path(given: str) -> Path:
    """A path that was written down; ``Path("")`` would be the working folder.

    Args:
        given: What was written.

    Returns:
        The path.

    Raises:
        typer.BadParameter: It is empty, or holds a null character.

    Examples:
        >>> parse_path("result").name
        'result'
    """
    if not given.strip() or "\0" in given:
        msg = "the path is empty; write . for the folder you are in"
        raise typer.BadParameter(msg)
    return Path(given)


def parse_processes(given: list[str] | None) -> dict[str, float] | None:
    """Processes and factors from what ``--process`` was given.

    Args:
        given: Every ``NAME`` or ``NAME=FACTOR``, or None.

    Returns:
        Factor by process, or None where there is none.

    Raises:
        InputError: A factor that is no number at or above 0, or a process twice.

    Examples:
        >>> parse_processes(["proton-bremsstrahlung", "pi0-decay=0.07"])
        {'proton-bremsstrahlung': 1.0, 'pi0-decay': 0.07}
    """
    from bsmfit.core.argument import real_number
    from bsmfit.core.written_number import written_float
    from bsmfit.errors import InputError

    factors: dict[str, float] = {}
    for text in given or ():
        name, sign, number = (part.strip() for part in text.partition("="))
        hint = f"write --process {name or 'NAME'}=FACTOR, such as {name or 'NAME'}=0.5"
        if not name or name in factors:
            what = f"names {name!r} twice" if name else "names no process"
            msg = f"--process {text} {what}; {hint}"
            raise InputError(msg)
        try:
            factor = written_float(number) if sign else 1.0
        except ValueError:
            msg = f"--process {text}: {number!r} is no number; {hint}"
            raise InputError(msg) from None
        factors[name] = real_number(f"--process {name}", factor, low=0.0, hint=hint)
    return factors or None


def _flag(param: Any) -> str:
    """The option as it is written, for messages."""
    return max(param.opts, key=len)


ModelArgument = Annotated[
    str, typer.Argument(help="Name of a model (see: bsmfit list models).")
]
ChannelOption = Annotated[
    list[str],
    typer.Option(
        "--channel",
        help="Channel id (see: bsmfit list channels); repeat it to combine channels "
        "of any kinds.",
    ),
]
MassOption = Annotated[
    str | None,
    typer.Option(
        "--mass",
        metavar="LO:HI:N",
        help="Masses [GeV], N points with equal ratios; LO:HI:N:lin for equal steps. "
        "Default: the channel's own.",
    ),
]
CouplingOption = Annotated[
    str | None,
    typer.Option(
        "--coupling",
        metavar="LO:HI:N",
        help="Couplings, as --mass. Default: the channel's own.",
    ),
]
LevelOption = Annotated[
    float,
    typer.Option(
        "--cl",
        parser=parse_number,
        metavar="FLOAT",
        callback=check_level,
        help="Confidence level, within (0, 1).",
    ),
]
OrderingOption = Annotated[
    Ordering,
    typer.Option(
        "--ordering",
        help="What is more signal-like where several channels are combined.",
    ),
]
PrecisionOption = Annotated[
    float | None,
    typer.Option(
        "--precision",
        parser=parse_number,
        metavar="FLOAT",
        help="Refine contours to this error in log10 of the coupling, such as 1e-3.",
        callback=check_precision,
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="Production preset of the model (see: bsmfit list presets).",
    ),
]
AllowCodeOption = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        help="Run the Python function that a model card of yours names "
        "(function: package.module:name).",
    ),
]
ProcessOption = Annotated[
    list[str] | None,
    typer.Option(
        "--process",
        metavar="NAME[=FACTOR]",
        help="Production process in place of those of the preset, with a factor on its "
        "rate (1 where left out); repeat it to add several. Form factor and "
        "uncertainties stay those of the preset.",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        parser=parse_path,
        metavar="PATH",
        help="Folder of the result; made where missing. "
        "Default: results/MODEL-CHANNELS.",
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Compute again, and replace another scan in the folder."
    ),
]
FigureOption = Annotated[
    bool, typer.Option("--figure/--no-figure", help="Draw contour.png and .pdf.")
]
