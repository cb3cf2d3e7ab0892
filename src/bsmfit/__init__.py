"""Statistically valid limits on light new particles from NA62.

The public names below are all that a study needs; they are loaded when first used, JAX
included, so that importing the package costs next to nothing.

    import bsmfit

    bsmfit.enable_x64()
    model = bsmfit.load_model("dark-photon")
    channel = bsmfit.load_channel("na62-dump-mumu")
    result = bsmfit.scan_plane(model, channel)
    bsmfit.plot_exclusion(result, "contour.png")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from bsmfit._version import __version__ as __version__
from bsmfit._x64 import enable_x64 as enable_x64

if TYPE_CHECKING:
    from bsmfit.catalogue.channels import load_channel as load_channel
    from bsmfit.catalogue.models import load_model as load_model
    from bsmfit.catalogue.pi_nunu import load_pi_nunu as load_pi_nunu
    from bsmfit.catalogue.records import channel_names as channel_names
    from bsmfit.catalogue.records import model_names as model_names
    from bsmfit.catalogue.records import preset_names as preset_names
    from bsmfit.channels.combination import search_likelihood as search_likelihood
    from bsmfit.export.contour_csv import write_contour as write_contour
    from bsmfit.inference.intervals.branching_ratio import (
        measure_branching_ratio as measure_branching_ratio,
    )
    from bsmfit.inference.limits.invisible_limit import (
        invisible_limit as invisible_limit,
    )
    from bsmfit.inference.limits.upper_limit import cls_test as cls_test
    from bsmfit.inference.limits.upper_limit import exact_plan as exact_plan
    from bsmfit.inference.limits.upper_limit import (
        expected_upper_limits as expected_upper_limits,
    )
    from bsmfit.inference.limits.upper_limit import upper_limit as upper_limit
    from bsmfit.inference.toys.limits import Toys as Toys
    from bsmfit.likelihood.likelihood import Likelihood as Likelihood
    from bsmfit.likelihood.likelihood import combine as combine
    from bsmfit.likelihood.region import Region as Region
    from bsmfit.likelihood.region import Term as Term
    from bsmfit.physics.mediator import Mediator as Mediator
    from bsmfit.physics.model import Model as Model
    from bsmfit.physics.model import ProductionNuisance as ProductionNuisance
    from bsmfit.plot.exclusion import plot_exclusion as plot_exclusion
    from bsmfit.scan.adaptive.contours import exclusion_contours as exclusion_contours
    from bsmfit.scan.contour import coupling_edges as coupling_edges
    from bsmfit.scan.contour import excluded_polygons as excluded_polygons
    from bsmfit.scan.exclusion_map import scan_plane as scan_plane
    from bsmfit.scan.exclusion_point import ExclusionPoint as ExclusionPoint
    from bsmfit.scan.store import read_scan as read_scan
    from bsmfit.scan.store import write_scan as write_scan

__all__ = [
    "ExclusionPoint",
    "Likelihood",
    "Mediator",
    "Model",
    "ProductionNuisance",
    "Region",
    "Term",
    "Toys",
    "__version__",
    "channel_names",
    "cls_test",
    "combine",
    "coupling_edges",
    "enable_x64",
    "exact_plan",
    "excluded_polygons",
    "exclusion_contours",
    "expected_upper_limits",
    "invisible_limit",
    "load_channel",
    "load_model",
    "load_pi_nunu",
    "measure_branching_ratio",
    "model_names",
    "plot_exclusion",
    "preset_names",
    "read_scan",
    "scan_plane",
    "search_likelihood",
    "upper_limit",
    "write_contour",
    "write_scan",
]

_HOMES = {
    "ExclusionPoint": "bsmfit.scan.exclusion_point",
    "Likelihood": "bsmfit.likelihood.likelihood",
    "Mediator": "bsmfit.physics.mediator",
    "Model": "bsmfit.physics.model",
    "ProductionNuisance": "bsmfit.physics.model",
    "Region": "bsmfit.likelihood.region",
    "Term": "bsmfit.likelihood.region",
    "Toys": "bsmfit.inference.toys.limits",
    "channel_names": "bsmfit.catalogue.records",
    "cls_test": "bsmfit.inference.limits.upper_limit",
    "combine": "bsmfit.likelihood.likelihood",
    "coupling_edges": "bsmfit.scan.contour",
    "exact_plan": "bsmfit.inference.limits.upper_limit",
    "excluded_polygons": "bsmfit.scan.contour",
    "exclusion_contours": "bsmfit.scan.adaptive.contours",
    "expected_upper_limits": "bsmfit.inference.limits.upper_limit",
    "invisible_limit": "bsmfit.inference.limits.invisible_limit",
    "load_channel": "bsmfit.catalogue.channels",
    "load_model": "bsmfit.catalogue.models",
    "load_pi_nunu": "bsmfit.catalogue.pi_nunu",
    "measure_branching_ratio": "bsmfit.inference.intervals.branching_ratio",
    "model_names": "bsmfit.catalogue.records",
    "plot_exclusion": "bsmfit.plot.exclusion",
    "preset_names": "bsmfit.catalogue.records",
    "read_scan": "bsmfit.scan.store",
    "scan_plane": "bsmfit.scan.exclusion_map",
    "search_likelihood": "bsmfit.channels.combination",
    "upper_limit": "bsmfit.inference.limits.upper_limit",
    "write_contour": "bsmfit.export.contour_csv",
    "write_scan": "bsmfit.scan.store",
}


def __getattr__(name: str) -> object:
    """Load a public name from its home when it is first used."""
    if name not in _HOMES:
        msg = f"module 'bsmfit' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return __all__
