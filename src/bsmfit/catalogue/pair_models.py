"""Functions of the models with several couplings, from their presets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bsmfit.catalogue.files import data_root
from bsmfit.catalogue.tables.physics_tables import (
    HADRONIC_RATIO_FILE,
    SCALAR_WIDTHS_FILE,
    load_hadronic_ratio,
    load_scalar_widths,
)
from bsmfit.physics.axion_pair import AxionPair
from bsmfit.physics.dark_cascade import CASCADE, CascadeMasses, DarkCascade
from bsmfit.physics.dark_photon import DarkPhoton
from bsmfit.physics.mediator import Mediator
from bsmfit.physics.pair_rate import AxionPairRate, CascadeRate
from bsmfit.records.pair_preset import (
    AxionPairPreset,
    AxionPairRatePreset,
    CascadePreset,
    CascadeRatePreset,
    SeveralCouplingsPreset,
)

__all__ = ["pair_function", "pair_parameters"]


def pair_function(
    choice: SeveralCouplingsPreset,
) -> tuple[Callable[..., Mediator], list[Path]]:
    """The function of a preset, and the tables that it uses.

    Args:
        choice: The preset.

    Returns:
        Function of mass and scanned coupling, and files.
    """
    if isinstance(choice, AxionPairPreset):
        function = AxionPair(
            scanned=choice.coupling,
            octet_coupling=choice.octet_coupling.value,
            electron_charge=choice.fixed.get("electron_charge"),
            decay_constant=choice.fixed.get("decay_constant"),
        )
        return function, []
    if isinstance(choice, AxionPairRatePreset):
        return AxionPairRate(choice.decay_length), []
    if isinstance(choice, CascadeRatePreset):
        return CascadeRate(_masses(choice), choice.decay_length), []
    if isinstance(choice, CascadePreset):
        return _cascade(choice)
    msg = f"no function for a {type(choice).__name__}"
    raise TypeError(msg)


def pair_parameters(choice: SeveralCouplingsPreset) -> dict[str, tuple[str, float]]:
    """Numbers of a preset that may have other values.

    Args:
        choice: The preset.

    Returns:
        Where the number is in the function of `pair_function`, with dots between
        fields, and its value, by name.
    """
    is_pair = isinstance(choice, AxionPairPreset)
    found = {
        name: (name if is_pair else f"fixed.{name}", value)
        for name, value in choice.fixed.items()
        if name in choice.needed()
    }
    if isinstance(choice, AxionPairRatePreset | CascadeRatePreset):
        found["decay_length"] = ("decay_length", choice.decay_length)
    if isinstance(choice, CascadePreset | CascadeRatePreset):
        given = {"other_mass": choice.other_mass, "mass_ratio": choice.mass_ratio}
        for name, value in given.items():
            if value is not None:
                found[name] = (f"masses.{name}", value)
    return found


def _cascade(choice: CascadePreset) -> tuple[DarkCascade, list[Path]]:
    others = tuple(p for p in choice.processes if p != CASCADE)
    is_scalar = choice.axis == "scalar"
    function = DarkCascade(
        scanned=choice.coupling,
        fixed=dict(choice.fixed),
        masses=_masses(choice),
        coefficient=choice.coefficient.value,
        scalar_widths=load_scalar_widths(),
        photon=DarkPhoton(
            processes=() if is_scalar else others,
            form_factor="none",
            hadronic_ratio=load_hadronic_ratio(),
        ),
    )
    return function, [
        data_root() / f for f in (SCALAR_WIDTHS_FILE, HADRONIC_RATIO_FILE)
    ]


def _masses(choice: CascadePreset | CascadeRatePreset) -> CascadeMasses:
    return CascadeMasses(
        is_scalar=choice.axis == "scalar",
        other_mass=choice.other_mass,
        mass_ratio=choice.mass_ratio,
    )
