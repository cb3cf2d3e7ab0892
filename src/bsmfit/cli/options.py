"""The options that commands share, with their help texts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
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
    "PresetOption",
]


class Ordering(StrEnum):
    """How the joint outcomes of several searches are ordered."""

    LIKELIHOOD_RATIO = "likelihood-ratio"
    SUM = "sum"


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
    float, typer.Option("--cl", help="Confidence level, within (0, 1).")
]
OrderingOption = Annotated[
    Ordering,
    typer.Option(
        "--ordering",
        help="What is more signal-like where several channels are combined.",
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="Production preset of the model (see: bsmfit list presets).",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
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
