"""What importing the package may do: next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("optax", "numpyro", "pydantic", "xarray", "matplotlib", "typer", "pandas")


def in_a_fresh_interpreter(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_import_loads_nothing_heavy_and_creates_no_array():
    code = (
        "import sys, jax, bsmfit;"
        f"print([m for m in {HEAVY!r} if m in sys.modules], jax.live_arrays(),"
        "jax.config.read('jax_enable_x64'))"
    )
    assert in_a_fresh_interpreter(code) == "[] [] False"


def test_every_public_name_exists():
    code = (
        "import bsmfit; names = bsmfit.__all__;"
        "assert names == sorted(names), names; assert len(names) <= 32;"
        "print(all(hasattr(bsmfit, n) for n in names), set(names) <= set(dir(bsmfit)))"
    )
    assert in_a_fresh_interpreter(code) == "True True"


def test_statistics_say_that_float64_is_off():
    code = (
        "import bsmfit, bsmfit.errors\n"
        "try: bsmfit.scan_plane(bsmfit.load_model('dark-photon'),"
        " bsmfit.load_channel('na62-dump-mumu'))\n"
        "except bsmfit.errors.PrecisionError as error: print(error)"
    )
    assert "call bsmfit.enable_x64() first" in in_a_fresh_interpreter(code)


@pytest.mark.parametrize("name", ["no_such_name", "load_modell"])
def test_unknown_attribute_is_an_attribute_error(name):
    code = f"import bsmfit\ntry: bsmfit.{name}\nexcept AttributeError as e: print(e)"
    assert name in in_a_fresh_interpreter(code)


def test_what_was_loaded_in_single_precision_is_refused_later():
    code = (
        "import bsmfit, bsmfit.errors\n"
        "model = bsmfit.load_model('dark-photon')\n"
        "channel = bsmfit.load_channel('na62-dump-mumu')\n"
        "bsmfit.enable_x64()\n"
        "try: bsmfit.scan_plane(model, channel)\n"
        "except bsmfit.errors.PrecisionError as error: print(error)\n"
        "again = bsmfit.load_model('dark-photon')\n"
        "print(again.function.hadronic_ratio.exclusive.values.dtype)"
    )
    message, dtype = in_a_fresh_interpreter(code).splitlines()
    assert "was made with float32 floats" in message
    assert dtype == "float64"
