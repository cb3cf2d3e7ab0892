"""A search of any kind."""

from __future__ import annotations

from typing import TypeAlias

from bsmfit.channels.beam_dump import BeamDumpChannel
from bsmfit.channels.pi_invisible import PiInvisibleChannel

__all__ = ["Channel"]

Channel: TypeAlias = BeamDumpChannel | PiInvisibleChannel
"""What a map takes: a search in beam-dump mode, or one for K+ -> pi+ X."""
