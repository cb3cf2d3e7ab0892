"""Processes that presets may name are those that the models have."""

from __future__ import annotations

from bsmfit.physics.axion_like_particle import AXION_LIKE_PROCESSES
from bsmfit.physics.charged_vector import CHARGED_VECTOR_PROCESSES
from bsmfit.records.alp_preset import AlpPreset
from bsmfit.records.charged_vector_preset import ChargedVectorPreset


def test_presets_may_name_the_processes_of_their_model():
    assert AlpPreset.allowed_processes == AXION_LIKE_PROCESSES
    assert ChargedVectorPreset.allowed_processes == CHARGED_VECTOR_PROCESSES
