from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from bsmfit.scan.batch import batch_run, open_batch

PROGRAM = Path(__file__).with_name("toy_batch.py")


@pytest.fixture(scope="session")
def toy_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("toy_batch", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def toy(toy_module: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The toy in place of catalogue and physics; `toy.computed()` lists first rows."""
    log = tmp_path / "log"
    monkeypatch.setattr(open_batch, "plan_card", open_batch.plan_card)
    for name in ("label_map", "circumstances"):
        monkeypatch.setattr(batch_run, name, getattr(batch_run, name))
    toy_module.install(log)

    def computed() -> list[int]:
        return sorted(map(int, log.read_text().split())) if log.exists() else []

    monkeypatch.setattr(toy_module, "computed", computed, raising=False)
    monkeypatch.setattr(toy_module, "log", log, raising=False)
    return toy_module
