"""Statistically valid limits on light new particles from NA62."""

from bsmfit._version import __version__ as __version__
from bsmfit._x64 import enable_x64 as enable_x64

__all__ = ["__version__", "enable_x64"]
