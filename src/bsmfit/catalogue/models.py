"""Build models from their cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from bsmfit.catalogue.alp_models import alp_function
from bsmfit.catalogue.charged_vector_models import charged_vector_function
from bsmfit.catalogue.composition import composed_preset, composition_in_words
from bsmfit.catalogue.files import (
    data_root,
    locate_kaon_setup,
    locate_model,
    sha256_of,
)
from bsmfit.catalogue.function_models import function_model, names_a_function
from bsmfit.catalogue.pair_models import pair_function, pair_parameters
from bsmfit.catalogue.records import read_kaon_setup, read_model_card
from bsmfit.catalogue.tables.physics_tables import (
    HADRONIC_RATIO_FILE,
    PROTON_FORM_FACTOR_FILE,
    SCALAR_WIDTHS_FILE,
    load_hadronic_ratio,
    load_proton_form_factor,
    load_scalar_widths,
)
from bsmfit.core.argument import choice
from bsmfit.errors import InputError
from bsmfit.physics.chosen_numbers import ChosenNumbers
from bsmfit.physics.dark_photon import DarkPhoton
from bsmfit.physics.dark_scalar import DarkScalar
from bsmfit.physics.flavour_violating_axion import FlavourViolatingAxion
from bsmfit.physics.gauge_invariant_bremsstrahlung import GAUGE_INVARIANT
from bsmfit.physics.given_rate import LIFETIME, GivenRate
from bsmfit.physics.heavy_neutral_lepton import DisplacedVertex, HeavyNeutralLepton
from bsmfit.physics.invisible_dark_photon import InvisibleDarkPhoton
from bsmfit.physics.mediator import Mediator
from bsmfit.physics.model import Model, ProductionNuisance
from bsmfit.physics.model_parameter import ModelParameter
from bsmfit.physics.scaled_production import ScaledProduction
from bsmfit.records.alp_preset import AlpPreset
from bsmfit.records.charged_vector_preset import ChargedVectorPreset
from bsmfit.records.given_rate_preset import GivenRatePreset
from bsmfit.records.model_card import ModelCard
from bsmfit.records.model_preset import (
    DarkPhotonPreset,
    DarkScalarPreset,
    HeavyNeutralLeptonPreset,
    Preset,
)
from bsmfit.records.pair_preset import SeveralCouplingsPreset

__all__ = ["load_model"]

_WITHOUT_CHOICES: dict[str, Callable[[], Callable[..., Mediator]]] = {
    "flavour-violating-axion": FlavourViolatingAxion,
    "invisible-dark-photon": InvisibleDarkPhoton,
}


def load_model(
    name: str | Path,
    preset: str | None = None,
    *,
    processes: Mapping[str, Any] | None = None,
    allow_code: bool = False,
) -> Model:
    """Build a model from its card.

    Args:
        name: Name of a shipped model, or path of a card.
        preset: Production preset of the card; its default where None.
        processes: Production processes in place of those of the preset, each with a
            factor on its rate, >= 0. Everything else stays that of the preset: form
            factor, and uncertainties of the processes that both have.
        allow_code: Whether a card may name a Python function of your own
            (``function: package.module:name``), which is then imported.

    Returns:
        The model; where processes are given its preset is called after them.

    Raises:
        UnknownNameError: No such model, no such preset, no such process.
        InputError: A negative factor, processes that do not go together, or a function
            that was not allowed.
        DataFileError: The card is not valid.

    Examples:
        >>> load_model("dark-photon").coupling
        'epsilon'
        >>> both = {"proton-bremsstrahlung": 1.0, "pi0-decay": 0.07}
        >>> load_model("dark-photon", processes=both).preset
        'bremsstrahlung as proton-bremsstrahlung + 0.07 pi0-decay'
    """
    path = locate_model(name)
    if names_a_function(path):
        if preset is not None or processes is not None:
            msg = f"{name} is a function of your own, without presets and --process"
            raise InputError(msg)
        return function_model(path, allow_code=allow_code)
    card = read_model_card(name)
    given = card.default_preset if preset is None else preset
    chosen = choice(f"preset of {card.name},", given, card.presets)
    taken = card.presets[chosen]
    factors = {key: norm.value for key, norm in taken.norms.items()}
    if processes is not None:
        taken, factors = composed_preset(taken, processes, model=card.name)
    function, files = _function(card, taken)
    has_numbers = isinstance(taken, SeveralCouplingsPreset)
    numbers = pair_parameters(taken) if has_numbers else {}
    if numbers:
        places = tuple((name, place) for name, (place, _) in numbers.items())
        function = ChosenNumbers(function, places)
    if any(factor != 1.0 for factor in factors.values()):
        values = np.array([factors.get(process, 1.0) for process in taken.processes])
        function = ScaledProduction(function, taken.processes, jnp.asarray(values))
    return Model(
        function=function,
        name=card.name,
        preset=chosen
        if processes is None
        else f"{chosen} as {composition_in_words(factors)}",
        nuisances=tuple(
            ProductionNuisance(entry.name, 1.0 + entry.size, entry.processes)
            for entry in taken.nuisances
        ),
        inputs=tuple(
            (f"{path.parent.name}/{path.name}", sha256_of(path))
            for path in (locate_model(name), *files)
        ),
        **_axes(card, taken),
        **_parameters(taken, {name: value for name, (_, value) in numbers.items()}),
    )


def _axes(card: ModelCard, choice: Preset) -> dict[str, Any]:
    """Names of both axes: of the card, or of a preset that scans another coupling."""
    axes = {
        "coupling": card.coupling,
        "coupling_unit": card.coupling_unit,
        "coupling_symbol": card.coupling_symbol or "",
        "particle": card.particle,
        "mass_range": (card.mass_range[0], card.mass_range[1]),
        "excluded_masses": tuple((low, high) for low, high in card.excluded_masses),
    }
    if isinstance(choice, SeveralCouplingsPreset):
        unit, symbol = choice.units[choice.coupling]
        axes |= {"coupling": choice.coupling, "coupling_unit": unit}
        axes |= {"coupling_symbol": symbol}
        axes["particle"] = choice.particle or card.particle
        low, high = choice.mass_range or card.mass_range
        axes["mass_range"] = (low, high)
    return axes


def _parameters(choice: Preset, numbers: Mapping[str, float]) -> dict[str, Any]:
    """Further parameters of a preset, and what is known of its axes."""
    if not isinstance(choice, GivenRatePreset):
        return {"parameters": dict(numbers)}
    lifetime, rate = choice.lifetime, choice.rate
    note = ModelParameter(
        LIFETIME, unit="ps", symbol=r"\tau", low=0.0, axis=lifetime.axis()
    )
    return {
        "parameters": {LIFETIME: lifetime.value},
        "parameter_notes": (note,),
        "highest_coupling": 1.0,
        "coupling_axis": rate.axis(),
    }


def _function(
    card: ModelCard, choice: Preset
) -> tuple[Callable[..., Mediator], list[Path]]:
    """The function of a preset, and the tables that it uses."""
    if isinstance(choice, ChargedVectorPreset) and card.charges is not None:
        return charged_vector_function(card.charges, choice)
    if isinstance(choice, GivenRatePreset):
        return GivenRate(choice.processes, choice.final_state), []
    if isinstance(choice, AlpPreset):
        return alp_function(choice)
    if isinstance(choice, SeveralCouplingsPreset):
        return pair_function(choice)
    if isinstance(choice, DarkPhotonPreset):
        return _dark_photon(choice)
    if isinstance(choice, DarkScalarPreset):
        beauty = choice.beauty_coefficient
        function = DarkScalar(
            choice.coefficient.value,
            load_scalar_widths(),
            processes=choice.processes,
            beauty_coefficient=None if beauty is None else beauty.value,
        )
        return function, [data_root() / SCALAR_WIDTHS_FILE]
    if isinstance(choice, HeavyNeutralLeptonPreset):
        return _heavy_neutral_lepton(choice)
    return _WITHOUT_CHOICES[card.model](), []


def _heavy_neutral_lepton(
    choice: HeavyNeutralLeptonPreset,
) -> tuple[HeavyNeutralLepton, list[Path]]:
    setup = read_kaon_setup(choice.setup)
    function = HeavyNeutralLepton(
        processes=choice.processes,
        flavour=choice.flavour,
        is_majorana=choice.nature == "majorana",
        vertex=DisplacedVertex(choice.vertex_length.value, setup.beam.momentum.value),
    )
    return function, [locate_kaon_setup(choice.setup)]


def _dark_photon(choice: DarkPhotonPreset) -> tuple[DarkPhoton, list[Path]]:
    files = [data_root() / HADRONIC_RATIO_FILE]
    proton = None
    if GAUGE_INVARIANT in choice.processes:
        files.append(data_root() / PROTON_FORM_FACTOR_FILE)
        proton = load_proton_form_factor()
    function = DarkPhoton(
        processes=choice.processes,
        form_factor=choice.form_factor,
        hadronic_ratio=load_hadronic_ratio(),
        proton_form_factor=proton,
    )
    return function, files
