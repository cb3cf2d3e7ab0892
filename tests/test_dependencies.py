"""What is imported is declared in pyproject.toml, and what is not imported is not."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

DISTRIBUTION_OF = {"yaml": "pyyaml", "pydantic_core": "pydantic-core"}
"""Distributions whose name is not that of the module."""

USED_WITHOUT_IMPORT = {
    "optax": "a fixed part of the project, for fits and samplers of its users",
}

ONLY_IN_EXTRAS = {"pyhf": "pyhf", "dask": "cluster", "distributed": "cluster"}
"""Distributions that a module imports inside a function, and the extra they are in."""


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower()


def imported_distributions(folder: Path) -> dict[str, set[str]]:
    """Files by the distribution that they import, the standard library apart."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                continue
            for module in modules:
                top = module.partition(".")[0]
                if top != "bsmfit" and top not in sys.stdlib_module_names:
                    name = DISTRIBUTION_OF.get(top, top)
                    found.setdefault(name, set()).add(path.name)
    return found


REQUIRED = {name_of(text) for text in PROJECT["dependencies"]}
IMPORTED = imported_distributions(ROOT / "src" / "bsmfit")


def test_everything_that_is_imported_is_required():
    missing = {
        name: sorted(files)[:3]
        for name, files in IMPORTED.items()
        if name not in REQUIRED and name not in ONLY_IN_EXTRAS
    }
    assert missing == {}


def test_everything_that_is_required_is_used():
    assert REQUIRED - IMPORTED.keys() == USED_WITHOUT_IMPORT.keys()


def test_optional_imports_are_in_the_extra_that_is_named_after_them():
    extras = PROJECT["optional-dependencies"]
    for name, extra in ONLY_IN_EXTRAS.items():
        assert name in IMPORTED
        assert name in {name_of(text) for text in extras[extra]}


def test_extras_are_for_devices_and_optional_imports_and_development():
    development = {"docs", "test", "dev"}
    devices = {name for name in PROJECT["optional-dependencies"] if "cuda" in name}
    extras = set(PROJECT["optional-dependencies"]) - development - devices
    assert extras == set(ONLY_IN_EXTRAS.values())


def test_tests_import_what_the_extra_test_requires():
    required = {name_of(text) for text in PROJECT["optional-dependencies"]["test"]}
    for extra in ("pyhf", "cluster"):
        required |= {name_of(t) for t in PROJECT["optional-dependencies"][extra]}
    local = {path.stem for path in (ROOT / "tests").rglob("*.py")}
    imported = imported_distributions(ROOT / "tests").keys() - local
    assert imported - REQUIRED - required == set()


@pytest.mark.parametrize("text", PROJECT["dependencies"])
def test_bounds_are_lower_bounds(text: str):
    assert re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", text)
