"""Physics that comes as a table: hadronic widths and proton form factors."""

from __future__ import annotations

from functools import lru_cache

import jax.numpy as jnp

from bsmfit.catalogue.csv_file import read_csv
from bsmfit.catalogue.files import data_root
from bsmfit.physics.alp_widths import AlpWidths
from bsmfit.physics.hadronic_ratio import TABLE_COLUMNS, HadronicRatio
from bsmfit.physics.proton_form_factor import FormFactorValue, TabulatedFormFactor
from bsmfit.physics.scalar_width import ScalarWidths

__all__ = [
    "ALP_FERMION_FILE",
    "ALP_GLUON_FILE",
    "HADRONIC_RATIO_FILE",
    "PROTON_FORM_FACTOR_FILE",
    "SCALAR_WIDTHS_FILE",
    "load_alp_widths",
    "load_hadronic_ratio",
    "load_proton_form_factor",
    "load_scalar_widths",
]

HADRONIC_RATIO_FILE = "hadrons/exclusive_ratios.csv"
PROTON_FORM_FACTOR_FILE = "proton_form_factor/central.csv"
SCALAR_WIDTHS_FILE = "scalar_widths/pipi_kk.csv"
ALP_GLUON_FILE = "alp_widths/gluon.csv"
ALP_FERMION_FILE = "alp_widths/fermion.csv"


def load_hadronic_ratio() -> HadronicRatio:
    """Hadronic width of a dark photon, with the shipped table above 1.04 GeV.

    Returns:
        R(m), in the precision that is switched on.
    """
    return _hadronic_ratio(_precision())


def load_proton_form_factor() -> TabulatedFormFactor:
    """Time-like Dirac and Pauli form factors of the proton, shipped table.

    Returns:
        The form factors, in the precision that is switched on.
    """
    return _proton_form_factor(_precision())


def load_scalar_widths() -> ScalarWidths:
    """Widths of a Higgs-mixed scalar, with the shipped table of two mesons.

    Returns:
        The widths at unit mixing, in the precision that is switched on.
    """
    return _scalar_widths(_precision())


def load_alp_widths() -> AlpWidths:
    """Widths of an axion-like particle, with the shipped tables of hadrons.

    Returns:
        The widths, in the precision that is switched on.
    """
    return _alp_widths(_precision())


def _precision() -> str:
    """What floats are at the moment: what is cached belongs to one precision."""
    return str(jnp.result_type(float))


@lru_cache(maxsize=2)
def _hadronic_ratio(_precision: str) -> HadronicRatio:
    table = read_csv(
        data_root() / HADRONIC_RATIO_FILE,
        numbers=TABLE_COLUMNS,
        minimum=dict.fromkeys(TABLE_COLUMNS, 0.0),
    )
    return HadronicRatio.from_table(table.columns)


@lru_cache(maxsize=2)
def _proton_form_factor(_precision: str) -> TabulatedFormFactor:
    names = (
        "mass_gev",
        "dirac_real",
        "dirac_imaginary",
        "pauli_real",
        "pauli_imaginary",
    )
    columns = read_csv(data_root() / PROTON_FORM_FACTOR_FILE, numbers=names).columns
    mass, *parts = (jnp.asarray(columns[name]) for name in names)
    return TabulatedFormFactor.from_table(
        mass, FormFactorValue(*parts[:2]), FormFactorValue(*parts[2:])
    )


@lru_cache(maxsize=2)
def _scalar_widths(_precision: str) -> ScalarWidths:
    table = read_csv(
        data_root() / SCALAR_WIDTHS_FILE,
        numbers=("mass", "width"),
        text=("final_state",),
        minimum={"mass": 0.0, "width": 0.0},
    )
    return ScalarWidths.from_table(table.columns)


@lru_cache(maxsize=2)
def _alp_widths(_precision: str) -> AlpWidths:
    gluon, fermion = (
        read_csv(
            data_root() / file,
            numbers=("mass", "width"),
            text=("final_state",),
            minimum={"mass": 0.0, "width": 0.0},
        ).columns
        for file in (ALP_GLUON_FILE, ALP_FERMION_FILE)
    )
    return AlpWidths.from_tables(gluon, fermion)
