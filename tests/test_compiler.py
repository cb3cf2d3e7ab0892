"""The quick emitter of XLA is chosen where it exists and nobody has chosen."""

from __future__ import annotations

import os

import pytest
from jaxlib import version as jaxlib_version

from bsmfit._compiler import choose_quick_emitter

FLAG = "--xla_cpu_use_fusion_emitters=false"


@pytest.mark.parametrize(
    ("version", "given", "after"),
    [
        ("0.10.2", None, FLAG),
        ("0.7.0", "", FLAG),
        ("0.10.1", "--xla_dump_to=x", f"--xla_dump_to=x {FLAG}"),
        ("0.10.1", "--xla_cpu_use_fusion_emitters=true", None),
        ("0.6.2", "", None),
        ("0.11.0", "", None),  # would end the process: an unknown flag
        ("0.12.0.1", "", None),
        ("1.0", "", None),
    ],
)
def test_choice(monkeypatch, version, given, after):
    monkeypatch.setattr(jaxlib_version, "__version__", version)
    if given is None:
        monkeypatch.delenv("XLA_FLAGS", raising=False)
    else:
        monkeypatch.setenv("XLA_FLAGS", given)
    choose_quick_emitter()
    assert os.environ.get("XLA_FLAGS") == (given if after is None else after)
