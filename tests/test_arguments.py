"""Every public function refuses what cannot be meant, in words.

The calls run in one process of their own, without the type checks of the tests: as a
user meets them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

import bsmfit

# What the calls below start from.
SETUP = textwrap.dedent(
    """
    import json, math, sys, warnings
    import jax, jax.numpy as jnp, numpy as np, xarray as xr
    import bsmfit
    from bsmfit import *
    from bsmfit.errors import BsmfitError
    from bsmfit.likelihood.response import (
        Asymmetric, BinFactors, Free, Gamma, LogNormal, Morph, Sideband, TruncatedNormal
    )
    from bsmfit.likelihood.region import EventDensities
    from bsmfit.inference.intervals.confidence_interval import (
        confidence_interval, discovery_significance
    )
    from bsmfit.inference.posteriors.credible import credible_map
    from bsmfit.inference.posteriors.numpyro_model import (
        sample_posterior, sampled_limit
    )
    from bsmfit.inference.posteriors.priors import FlatStrength, LogFlatCoupling
    from bsmfit.export.contour_csv import read_contour
    from bsmfit.export.posterior_netcdf import write_posterior
    from bsmfit.export.pyhf_parameters import pyhf_parameters
    from bsmfit.export.pyhf_patchset import to_pyhf_patchset
    from bsmfit.export.pyhf_workspace import to_pyhf_workspace, write_pyhf
    from bsmfit.catalogue.pyhf.workspace import load_pyhf_workspace
    from bsmfit.plot.exclusion import comparison_figure, save_figure
    from bsmfit.scan.grid import Axis, PointList, parse_axis

    bsmfit.enable_x64()
    nan, inf = math.nan, math.inf
    key = jax.random.key(0)

    def likelihood(observed=1, signal=1.0, background=0.5, responses=()):
        terms = [Term("s", signal, responses)], [Term("b", background)]
        return Likelihood.from_regions([Region("r", observed, *terms)])

    one = likelihood()
    two = Likelihood.from_regions([
        Region(n, 1, [Term("s", 1.0, [LogNormal("p", 1.1)])],
               [Term("b", 0.5, [LogNormal(n, 1.2)])])
        for n in "ab"
    ])
    grid = likelihood(signal=np.array([[1.0], [2.0]]))
    dump = load_channel("na62-dump-mumu")
    kaon = load_channel("na62-pi-invisible-run1")
    photon = load_model("dark-photon")

    def own(**fields):
        def function(mass, coupling):
            given = {
                "mass": mass,
                "decay_width": 1e-3 * coupling**2 * mass,
                "branching_ratios": {"mumu": 0.4},
                "production": {"proton-bremsstrahlung": coupling**2},
            }
            return Mediator(**(given | fields))
        return Model(function, name="own", coupling="g")

    def branching(mass, coupling):
        if mass > 0.2:
            return photon.function(mass, coupling)
        return photon.function(mass, 2.0 * coupling)

    def plane(n_mass=3, n_coupling=4):
        from bsmfit.scan.plan import ScanPlan
        from bsmfit.scan.store import build_dataset
        shape = (n_mass, n_coupling)
        arrays = {name: np.ones(shape) for name in ("n_signal", "n_up_obs", "cls_obs")}
        arrays |= {"n_up_exp": np.ones((*shape, 5)), "cls_exp": np.ones(shape)}
        arrays |= {"n_obs": np.zeros(n_mass), "status": np.zeros(shape, np.int8)}
        plan = ScanPlan("m", None, ("c",), "g", "0.2:0.4:3", "1:2:4", 0.9)
        axes = np.linspace(0.2, 0.4, n_mass), np.linspace(1.0, 2.0, n_coupling)
        return build_dataset(arrays, plan, mass=axes[0], coupling=axes[1])

    scan = plane()
    stacked = xr.concat([scan, scan], dim="preset")
    repeated = xr.concat([scan, scan], dim="mass")
    """
)

PATHS = ["None", "3", "b'a.nc'", "''", "'   '", "'a\\0b'", "[]", "scan"]
NAMES = ["None", "3", "1.5", "b'dark-photon'", "''", "[]", "{}", "'\\0'", "scan"]
NUMBERS = ["None", "'1'", "1j", "nan", "inf", "[]", "{}", "True", "object()"]
LEVELS = ["0.0", "1.0", "-0.1", "90", "1e-300", "1 - 1e-14", "'0.9'", *NUMBERS]
COUNTS = ["0", "-1", "1.5", "10**12", "'10'", "None", "nan", "True", "1j"]
DATASETS = [
    "None",
    "3",
    "'scan.nc'",
    "{}",
    "xr.Dataset()",
    "stacked",
    "repeated",
    "scan.transpose()",
    "scan.isel(mass=0)",
    "scan.drop_vars('status')",
    "scan.assign_coords(mass=[0.2, nan, 0.4])",
    "scan.assign_coords(mass=[-0.2, 0.3, 0.4])",
    "scan.assign_coords(mass=['a', 'b', 'c'])",
    "scan.assign_attrs(channels='not json')",
    "scan.assign_attrs(cl='0.9')",
    "xr.Dataset",
]
LIKELIHOODS = ["None", "3", "'likelihood'", "[one]", "Likelihood", "one.regions[0]"]

CALLS: dict[str, list[str]] = {
    "ExclusionPoint": [
        *[f"ExclusionPoint.from_model({x}, [dump])" for x in NAMES],
        *[f"ExclusionPoint.from_model(photon, {x})" for x in NAMES],
        "ExclusionPoint.from_model(photon, [dump, dump])",
        "ExclusionPoint.from_model(photon, [dump, 'na62-dump-ee'])",
        "ExclusionPoint.from_model(photon, [])",
        "ExclusionPoint.from_model(photon, {'a': dump})",
        *[f"ExclusionPoint.from_model(photon, [dump], cl={x})" for x in LEVELS],
        "ExclusionPoint.from_model(Model(branching, name='if'), [dump])",
    ],
    "Likelihood": [
        *[f"Likelihood.from_regions({x})" for x in NAMES],
        "Likelihood.from_regions([3])",
        "Likelihood.from_regions([one])",
        "Likelihood.from_regions(one.regions * 2)",
        *[f"Likelihood.from_regions(one.regions, {x})" for x in ("3", "'a'", "[1]")],
        *[
            f"Likelihood.from_regions(two.regions, {{{x}}})"
            for x in (
                "'ab': 0.1",
                "3: 0.1",
                "('a',): 0.1",
                "('a', 3): 0.1",
                "('a', 'q'): 0.1",
                "('a', 'a'): 0.1",
                "('a', 'b'): 1.5",
                "('a', 'b'): nan",
                "('a', 'b'): 'x'",
                "('a', 'b'): 1j",
                "('a', 'b'): 0.1, ('b', 'a'): 0.2",
            )
        ],
        *[f"one.with_observed({x})" for x in ("None", "3", "'r'", "{3: 1}")],
        *[f"one.with_observed({{'r': {x}}})" for x in ("-1", "1e308", *NUMBERS)],
        "one.with_observed({'q': 1})",
        *[f"likelihood(observed={x})" for x in ("-1", "1e308", "10**400", *NUMBERS)],
        *[f"likelihood(signal={x})" for x in ("-1", "1e308", *NUMBERS)],
        *[f"likelihood(background={x})" for x in ("-1", "1e20", *NUMBERS)],
        *[
            f"likelihood(responses=[{response}('k', {x})])"
            for response in ("LogNormal", "TruncatedNormal", "Gamma", "Sideband")
            for x in ("-1", "1e308", *NUMBERS)
        ],
        *[
            f"likelihood(responses=[{response}])"
            for response in (
                "LogNormal('k', 0.0)",
                "LogNormal('k', 1e-300)",
                "LogNormal(3, 1.1)",
                "LogNormal('', 1.1)",
                "Gamma('k', 0.0)",
                "Gamma('k', 1e-200)",
                "Asymmetric('k', 0.0, 1.1)",
                "Asymmetric('k', 1.1, inf)",
                "Asymmetric('k', 1.1, 0.9, 'code9')",
                "Asymmetric('k', 1.1, 0.9, 4)",
                "Morph('k', [1.0, 2.0], [1.0])",
                "Morph('k', 1.0, 2.0)",
                "Morph('k', [-1.0], [1.0])",
                "Morph('k', [1.0], [nan])",
                "BinFactors('k', [1e308])",
                "BinFactors('k', [1e-200])",
                "BinFactors('k', [0.1, 0.1])",
                "BinFactors('k', [0.1], constraint='gamma')",
                "Free(None)",
                "3",
                "'k'",
            )
        ],
        "likelihood(responses=LogNormal('k', 1.1))",
    ],
    "Mediator": [
        *[f"Mediator({x}, 1e-9, {{}}, {{'a': 1.0}})" for x in ("None", "'1'", "1j")],
        *[f"Mediator(0.3, {x}, {{}}, {{'a': 1.0}})" for x in ("None", "'1'", "1j")],
        *[f"Mediator(0.3, 1e-9, {x}, {{'a': 1.0}})" for x in ("None", "3", "[1.0]")],
        "Mediator(0.3, 1e-9, {'ee': 'all'}, {'a': 1.0})",
        "Mediator(0.3, 1e-9, {3: 1.0}, {'a': 1.0})",
        "Mediator(0.3, 1e-9, {}, 1.0)",
        "Mediator(0.3, 1e-9, {}, {'a': [1.0, 2.0]})",
        "Mediator(jnp.ones(3), 1e-9, {}, {'a': 1.0})",
    ],
    "Model": [
        *[f"Model({x}, name='a')" for x in ("None", "3", "'f'", "lambda m: m")],
        "Model(lambda m, g, h: m, name='a')",
        *[f"Model(max, name={x})" for x in ("None", "3", "''", "[]")],
        *[f"Model(max, name='a', coupling={x})" for x in ("None", "3", "''", "'mass'")],
        *[
            f"Model(max, name='a', mass_range={x})"
            for x in ("None", "3", "(1.0,)", "(2.0, 1.0)", "('a', 'b')", "(nan, 1.0)")
        ],
        *[f"Model(max, name='a', nuisances={x})" for x in ("None", "3", "['a']")],
        "Model(max, name='a', preset=3)",
        *[f"photon({x}, 1e-6)" for x in ("-0.3", "0.0", *NUMBERS)],
        *[f"photon(0.3, {x})" for x in ("-1e-6", *NUMBERS)],
        "photon(jnp.array([0.2, 0.3]), 1e-6)",
        "own(branching_ratios={'ee': 0.8, 'mumu': 0.8})(0.3, 1e-6)",
        "own(branching_ratios={'ee': 1.4})(0.3, 1e-6)",
        "own(branching_ratios={'ee': -0.1})(0.3, 1e-6)",
        "own(branching_ratios={'ee': nan})(0.3, 1e-6)",
        "own(decay_width=nan)(0.3, 1e-6)",
        "own(decay_width=-1.0)(0.3, 1e-6)",
        "own(production={'a': inf})(0.3, 1e-6)",
        "own(production={})(0.3, 1e-6)",
        "own(mass=0.6)(0.3, 1e-6)",
        "own(mass=nan)(0.3, 1e-6)",
        "Model(lambda m, g: (m, g), name='a')(0.3, 1e-6)",
        "jax.jit(Model(branching, name='a'))(0.3, 1e-6)",
        "jax.jit(Model(lambda m, g: math.exp(m), name='a'))(0.3, 1e-6)",
        "jax.jit(Model(lambda m, g: np.exp(m), name='a'))(0.3, 1e-6)",
    ],
    "ProductionNuisance": [
        *[
            f"ProductionNuisance('a', {x}, ('b',))"
            for x in ("1.0", "-1.2", "0", "1e308", *NUMBERS)
        ],
        *[f"ProductionNuisance({x}, 1.2, ('b',))" for x in ("None", "3", "''")],
        *[f"ProductionNuisance('a', 1.2, {x})" for x in ("None", "3", "'b'", "(3,)")],
        "ProductionNuisance('a', 1.2, ())",
    ],
    "Region": [
        *[f"Region({x}, 1)" for x in ("None", "3", "''")],
        *[
            f"Region('r', {x})"
            for x in ("None", "'1'", "1j", "{}", "True", "[[1], [1, 2]]")
        ],
        *[f"Region('r', 1, {x})" for x in ("3", "'s'", "[3]", "Term('s', 1.0)")],
        *[f"Region('r', 1, (), {x})" for x in ("3", "'s'", "[None]")],
        "Region('r', 1, events=3)",
        "EventDensities('a', 1.0)",
        "EventDensities(1.0, 1j)",
    ],
    "Term": [
        *[f"Term({x}, 1.0)" for x in ("None", "3", "''")],
        *[f"Term('s', {x})" for x in ("None", "'1'", "1j", "{}", "True", "[1.0, 'a']")],
        *[f"Term('s', 1.0, {x})" for x in ("3", "'k'", "['k']", "[1.2]")],
    ],
    "Toys": [
        *[f"Toys(key, n_toy={x})" for x in COUNTS],
        *[f"Toys({x})" for x in ("0", "None", "'key'", "jnp.ones(3)", "1.5")],
        *[f"Toys(key, ensemble={x})" for x in ("None", "3", "'conditoinal'", "[]")],
    ],
    "search_likelihood": [
        *[f"search_likelihood({x}, dump, mass=0.3, coupling=1e-6)" for x in NAMES],
        *[f"search_likelihood(photon, {x}, mass=0.3, coupling=1e-6)" for x in NAMES],
        *[
            f"search_likelihood(photon, dump, mass={x}, coupling=1e-6)"
            for x in ("-0.3", "0.0", "300.0", *NUMBERS)
        ],
        *[
            f"search_likelihood(photon, dump, mass=0.3, coupling={x})"
            for x in ("-1e-6", "0.0", *NUMBERS)
        ],
        "search_likelihood(photon, dump, mass=[0.3, 0.4], coupling=[1e-6] * 3)",
    ],
    "cls_test": [
        *[f"cls_test({x})" for x in LIKELIHOODS],
        *[f"cls_test(one, {x})" for x in ("-1.0", "[1.0, -1.0]", *NUMBERS)],
        "cls_test(grid, [1.0, 2.0, 3.0])",
        "cls_test(one, 1.0, method='exakt')",
        "cls_test(one, 1.0, method=3)",
        "cls_test(one, 1.0, ordering='x')",
        "cls_test(one, 1.0, ordering=None)",
        "cls_test(one, 1.0, toys=100)",
        "cls_test(one, 1.0, plan=3)",
        "cls_test(one, 1.0, method='toys')",
        "cls_test(likelihood(observed=3.7), 1.0, method='exact')",
    ],
    "combine": [
        *[
            f"combine({x})"
            for x in ("None", "3", "'a'", "one", "[3]", "[]", "[one, 3]")
        ],
        "combine([one, one])",
    ],
    "coupling_edges": [
        *[f"coupling_edges({x})" for x in DATASETS],
        *[f"coupling_edges(scan, {x})" for x in ("None", "3", "'observd'", "[]")],
    ],
    "exact_plan": [
        *[f"exact_plan({x})" for x in LIKELIHOODS],
        "exact_plan(one, ordering='x')",
        "exact_plan(one, ordering=None)",
    ],
    "exclusion_contours": [
        *[f"exclusion_contours({x}, dump)" for x in ("None", "'dark-photon'")],
        "exclusion_contours(photon, 'na62-dump-mumu')",
        *[f"exclusion_contours(photon, dump, cl={x})" for x in ("'0.9'", "90", "nan")],
        *[f"exclusion_contours(photon, dump, precision={x})" for x in ("0", "nan")],
    ],
    "excluded_polygons": [
        *[f"excluded_polygons({x})" for x in DATASETS],
        "excluded_polygons(scan, 'x')",
    ],
    "expected_upper_limits": [
        *[f"expected_upper_limits({x}, cl=0.9)" for x in LIKELIHOODS],
        *[f"expected_upper_limits(one, cl={x})" for x in LEVELS],
        "expected_upper_limits(one, cl=0.9, ordering='x')",
        "expected_upper_limits(one, cl=0.9, method='x')",
        "expected_upper_limits(one, cl=0.9, toys=3)",
    ],
    "invisible_limit": [
        *[f"invisible_limit({x}, 0.2, decay_width=0.0, cl=0.9)" for x in NAMES],
        "invisible_limit(dump, 0.2, decay_width=0.0, cl=0.9)",
        *[
            f"invisible_limit(kaon, {x}, decay_width=0.0, cl=0.9)"
            for x in ("-0.2", *NUMBERS)
        ],
        *[
            f"invisible_limit(kaon, 0.2, decay_width={x}, cl=0.9)"
            for x in ("-1.0", *NUMBERS)
        ],
        *[f"invisible_limit(kaon, 0.2, decay_width=0.0, cl={x})" for x in LEVELS],
        *[
            f"invisible_limit(kaon, 0.2, decay_width=0.0, cl=0.9, n_max={x})"
            for x in ("0", "1.5", "'a'")
        ],
    ],
    "load_channel": [f"load_channel({x})" for x in [*NAMES, "'na62-dump-mumo'"]],
    "load_model": [
        *[f"load_model({x})" for x in [*NAMES, "'dark-foton'"]],
        *[f"load_model('dark-photon', {x})" for x in ("3", "''", "'x'", "[]", "b'x'")],
    ],
    "load_pi_nunu": [
        *[f"load_pi_nunu({x})" for x in NAMES],
        *[
            f"load_pi_nunu('na62-pi-nunu-run1', sensitivity={x})"
            for x in ("None", "3", "'state'", "[]")
        ],
    ],
    "measure_branching_ratio": [
        *[f"measure_branching_ratio({x})" for x in LIKELIHOODS],
        "measure_branching_ratio(grid)",
        *[f"measure_branching_ratio(one, cl={x})" for x in LEVELS],
        *[f"measure_branching_ratio(one, unit={x})" for x in ("0", "-1", *NUMBERS)],
        *[
            f"measure_branching_ratio(one, limit_levels={x})"
            for x in ("None", "0.9", "'0.9'", "[0.9, 95]", "['0.9']", "[None]")
        ],
        *[
            f"measure_branching_ratio(one, limit_method={x})"
            for x in ("None", "'toys'", "'x'")
        ],
    ],
    "plot_exclusion": [
        *[f"plot_exclusion({x})" for x in DATASETS],
        *[f"plot_exclusion(scan, {x})" for x in [*PATHS, "'a'", "'a.svg'", "'a.nc'"]],
        *[
            f"plot_exclusion(scan, width_inch={x})"
            for x in ("0", "-1", "1e9", *NUMBERS)
        ],
        *[f"plot_exclusion(scan, published={x})" for x in ("3", "'a'", "[3]", "{}")],
    ],
    "preset_names": [f"preset_names({x})" for x in [*NAMES, "'dark-foton'"]],
    "read_scan": [f"read_scan({x})" for x in [*PATHS, "'/nowhere.nc'", "'/'"]],
    "scan_plane": [
        "scan_plane(None, dump)",
        "scan_plane('dark-photon', dump)",
        "scan_plane(photon, 'na62-dump-mumu')",
        "scan_plane(photon, [])",
        "scan_plane(photon, [dump, dump])",
        *[f"scan_plane(photon, dump, cl={x})" for x in LEVELS],
        *[
            f"scan_plane(photon, dump, mass={x})"
            for x in (
                "'a'",
                "{}",
                "(0.2, 0.3)",
                "(0.3, 0.2, 5)",
                "(0.2, 'a', 5)",
                "[0.2, nan]",
                "[0.2, inf]",
                "[-0.2, 0.3]",
                "[0.0, 0.3]",
                "[0.3, 1e9]",
                "[0.3, 0.2]",
                "[]",
            )
        ],
        *[
            f"scan_plane(photon, dump, coupling={x})"
            for x in ("'a'", "(0, 1, 5)", "[nan, 1.0]", "[1e-6, inf]")
        ],
        "scan_plane(Model(branching, name='if'), dump)",
    ],
    "upper_limit": [
        *[f"upper_limit({x}, cl=0.9)" for x in LIKELIHOODS],
        *[f"upper_limit(one, cl={x})" for x in LEVELS],
        "jax.jit(lambda cl: upper_limit(one, cl=cl).value)(0.9)",
        "upper_limit(one, cl=0.9, method='x')",
        "upper_limit(one, cl=0.9, method=None)",
        "upper_limit(one, cl=0.9, ordering='x')",
        "upper_limit(one, cl=0.9, toys='x')",
        "upper_limit(one, cl=0.9, plan='x')",
        "upper_limit(likelihood(observed=3.7), cl=0.9, method='exact')",
    ],
    "write_contour": [
        *[f"write_contour({x}, 'a.csv')" for x in DATASETS],
        *[f"write_contour(scan, {x})" for x in PATHS],
        "write_contour(scan, '/nowhere/a.csv')",
        "write_contour(scan, 'a.csv', quantity='x')",
    ],
    "write_scan": [
        *[f"write_scan({x}, 'a.nc')" for x in DATASETS],
        *[f"write_scan(scan, {x})" for x in PATHS],
        "write_scan(scan, '/nowhere/a.nc')",
        *[
            f"write_scan(scan.assign_attrs(x={x}), 'a.nc')"
            for x in ("None", "{}", "True", "1j", "[[1, 2], [3, 4]]")
        ],
    ],
}

WITHOUT_ARGUMENTS = {"__version__", "channel_names", "enable_x64", "model_names"}

# Public by their own module, and documented.
OTHERS: list[str] = [
    *[f"confidence_interval({x}, cl=0.9)" for x in LIKELIHOODS],
    *[f"confidence_interval(one, cl={x})" for x in ("'0.9'", "95", "nan", "None")],
    "confidence_interval(one, cl=0.9, toys=3)",
    "confidence_interval(one, cl=0.9, method='x')",
    "confidence_interval(likelihood(observed=3.7), cl=0.9, method='feldman-cousins')",
    *[f"discovery_significance({x})" for x in LIKELIHOODS],
    "discovery_significance(one, method='x')",
    *[f"credible_map({x}, prior=FlatStrength(), cl=0.9)" for x in LIKELIHOODS],
    *[f"credible_map(one, prior={x}, cl=0.9)" for x in ("None", "3", "FlatStrength")],
    *[f"credible_map(one, prior=FlatStrength(), cl={x})" for x in LEVELS],
    *[
        f"credible_map(one, prior=FlatStrength(), cl=0.9, batch_size={x})"
        for x in ("0", "1.5", "257")
    ],
    *[f"FlatStrength({x})" for x in ("0", "-1", "nan", "'1'", "None", "1j")],
    *[f"LogFlatCoupling(0.1, {x}, 4)" for x in ("0.1", "inf", "nan", "'1'", "None")],
    *[f"sample_posterior({x}, prior=FlatStrength(), key=key)" for x in LIKELIHOODS],
    "sample_posterior(grid, prior=FlatStrength(), key=key)",
    "sample_posterior(one, prior=None, key=key)",
    "sample_posterior(one, prior=FlatStrength(), key=3)",
    *[
        f"sample_posterior(one, prior=FlatStrength(), key=key, {name}={x})"
        for name in ("n_warmup", "n_sample", "n_chain")
        for x in ("0", "1.5", "'a'", "None")
    ],
    *[
        f"sample_posterior(one, prior=FlatStrength(), key=key, free_factors={x})"
        for x in ("3", "{'k': 3}", "{'k': (1,)}", "{'k': ('a', 2)}", "{'k': (0, 1)}")
    ],
    "sampled_limit(None, cl=0.9)",
    "write_posterior(None, 'a.nc', cl=0.9)",
    "load_channel('na62-dump-mumu', overrides={'protons': 'expected'})",
    "load_channel('na62-dump-mumu', overrides={'background': 'expected'})",
    *[f"read_contour({x})" for x in [*PATHS, "'/nowhere.csv'", "'/'"]],
    *[f"to_pyhf_workspace({x})" for x in LIKELIHOODS],
    "to_pyhf_workspace(grid)",
    *[
        f"to_pyhf_workspace(one, {x}=3)"
        for x in ("strength_name", "measurement", "normsys")
    ],
    *[f"write_pyhf({x}, 'a.json')" for x in ("None", "3", "[]")],
    *[f"write_pyhf({{}}, {x})" for x in ("None", "3", "''", "b'a'", "[]")],
    "write_pyhf({'a': nan}, 'a.json')",
    *[
        f"to_pyhf_patchset({x}, labels=['m'], values=[[1.0], [2.0]], "
        "inspire_record='ins1234567')"
        for x in LIKELIHOODS
    ],
    *[
        f"to_pyhf_patchset(grid, labels={labels}, values={values}, "
        f"inspire_record={ref})"
        for labels, values, ref in (
            ("3", "[[1.0], [2.0]]", "'ins1234567'"),
            ("[3]", "[[1.0], [2.0]]", "'ins1234567'"),
            ("['m']", "3", "'ins1234567'"),
            ("['m']", "[1.0, 2.0]", "'ins1234567'"),
            ("['m']", "[[None], [2.0]]", "'ins1234567'"),
            ("['m']", "[[1.0], [2.0]]", "3"),
        )
    ],
    *[f"pyhf_parameters({x}, 1.0, [])" for x in LIKELIHOODS],
    *[f"pyhf_parameters(two, {x}, [0, 0, 0])" for x in ("None", "'a'", "1j")],
    *[f"pyhf_parameters(two, 1.0, {x})" for x in ("None", "'a'", "[0]", "[1j, 0, 0]")],
    *[f"load_pyhf_workspace({x})" for x in [*PATHS[:-1], "'/nowhere.json'", "{}"]],
    *[f"load_pyhf_workspace({{}}, {x}=3)" for x in ("normsys", "histosys")],
    *[f"comparison_figure({x}, ['a'])" for x in ("None", "3", "scan", "[3]", "[]")],
    *[f"comparison_figure([scan], {x})" for x in ("None", "3", "'a'", "[3]", "[]")],
    *[f"save_figure({x}, 'a.png')" for x in ("None", "3", "scan")],
    *[f"Axis({x}, 1.0, 5)" for x in ("None", "'0.1'", "1j", "nan", "0.0", "-1.0")],
    *[f"Axis(0.1, 1.0, {x})" for x in ("None", "'5'", "2.5", "nan", "0", "1", "10**9")],
    "Axis(0.1, 1.0, 5, None)",
    *[f"PointList({x})" for x in ("None", "3", "'a'", "()", "(1j, 2j)", "(nan,)")],
    *[f"parse_axis({x}, name='mass')" for x in ("None", "3", "b'1:2:3'", "''", "'a'")],
]

# Functions of the pages on projections, further parameters, spectra and fits.
BEYOND = textwrap.dedent(
    """
    from bsmfit.catalogue.hepdata.lifetimes import read_lifetime_curves
    from bsmfit.catalogue.hepdata.spectrum import read_missing_mass_spectrum
    from bsmfit.catalogue.limit_curves import limit_at, read_limit_csv
    from bsmfit.channels.missing_mass import BinnedBackground
    from bsmfit.channels.override import OwnNuisance, with_nuisance
    from bsmfit.channels.pi_nunu_likelihood import pi_nunu_likelihood
    from bsmfit.export.pyhf_parameters import pyhf_constant
    from bsmfit.inference.fits.fit import conditional_fit, free_fit
    from bsmfit.inference.fits.goodness_of_fit import goodness_of_fit
    from bsmfit.inference.fits.impacts import nuisance_impacts
    from bsmfit.inference.posteriors.parameters import EventMasses, expected_counts
    from bsmfit.likelihood.prefix import with_prefix
    from bsmfit.physics.model_parameter import ModelParameter
    from bsmfit.scan.batch.batch_run import run_batch
    from bsmfit.scan.excluded_area import combination_gain
    from bsmfit.scan.further_parameter import profile_parameter, scan_parameter

    hadrons = load_channel("na62-dump-hadrons")
    four = load_channel("na62-pi4e")
    rare = load_channel("na62-pi-minus-e-e")
    count = load_channel("na62-pi-invisible-run1-count")
    nunu = load_pi_nunu("na62-pi-nunu-run1")
    masses = jnp.array([0.2])

    def returns(expression):
        body = f"lambda m, g: {expression}"
        return Model(eval(body, globals()), name="mine")
    """
)

OWN_NUMBERS = {
    "dump": ("exposure", "efficiency", "background", "background_factor", "observed"),
    "hadrons": ("exposure", "efficiency", "background_factor"),
    "four": ("kaons", "efficiency", "background_factor", "observed", "vertex_length"),
    "rare": ("sensitivity", "background_factor", "observed"),
    "count": ("sensitivity", "background_factor", "observed"),
}
TOO_LARGE = ["1e300", "10**400", "-1", "-1e-300", "np.array([1, 2])"]
FUNCTIONS = [
    "None",
    "(m, g)",
    "Mediator(m, g.real_part, {}, {'a': g})",
    "Mediator(m, 1 / 0, {}, {'a': g})",
    "Mediator(m, not_defined, {}, {'a': g})",
    "Mediator(m, g, {})",
    "Mediator(m, jnp.ones(3) @ jnp.ones(2), {}, {'a': g})",
    "Mediator(m, 1j * g, {}, {'a': g})",
    "Mediator(m, g, {}, {'a': [g, g]})",
    "[x for x in range(m)]",
    "{0.3: g}[m]",
    "jnp.zeros(m)",
    "jnp.where(g > 0)",
]

FURTHER: list[str] = [
    *[
        f"{search}.with_{number}({x})"
        for search, numbers in OWN_NUMBERS.items()
        for number in numbers
        for x in (*NUMBERS, *TOO_LARGE)
    ],
    *[f"dump.with_background({x})" for x in ("60.1", "1e4")],
    *[f"{x}.with_sensitivity(1e-320)" for x in ("rare", "count")],
    "dump.with_background_factor(1e4)",
    *[f"{x}.with_observed(61)" for x in ("dump", "four", "count")],
    *[f"with_nuisance({x}, 3)" for x in ("dump", "rare")],
    *[f"hadrons.with_nuisance({x})" for x in ("None", "3", "'a'")],
    *[f"load_channel('na62-dump-mumu', overrides={x})" for x in ("3", "[]", "{3: 1}")],
    "load_channel('na62-dump-mumu', overrides={'background': 1e300})",
    "load_channel('na62-dump-mumu', overrides={'background_factor': 1e300})",
    "load_channel('na62-dump-mumu', overrides={'observed': 61})",
    "load_channel('na62-dump-mumu', overrides={'observed': 10**400})",
    "load_channel('na62-dump-mumu', overrides={'protons': inf})",
    "load_model('dark-photon', processes={'proton-bremsstrahlung': 1e300})",
    *[f"returns({body!r})(0.3, 1e-6)" for body in FUNCTIONS],
    *[f"ExclusionPoint.from_model(returns({x!r}), dump)" for x in FUNCTIONS],
    *[
        f"Model(max, name='a', {x})"
        for x in (
            "excluded_masses=3",
            "excluded_masses=(1.0, 2.0)",
            "highest_coupling='a'",
            "highest_coupling=nan",
            "highest_coupling=-1",
            "coupling_axis=3",
            "coupling_axis=(1.0, 2.0)",
            "coupling_axis=('a', 1, 2)",
            "parameter_notes=3",
            "parameter_notes=['a']",
            "inputs=3",
        )
    ],
    *[
        f"ModelParameter('a', {x})"
        for x in (
            "low='a'",
            "low=nan",
            "low=2.0, high=1.0",
            "axis=3",
            "axis=(1, 2)",
            "axis=(2.0, 1.0, 5)",
            "axis=(1.0, 2.0, 2.5)",
            "unit=3",
            "symbol=None",
        )
    ],
    *[f"scan_parameter({x}, dump, parameter='a', values=[1.0])" for x in NAMES],
    *[f"scan_parameter(photon, dump, parameter={x}, values=[1.0])" for x in NAMES],
    *[f"profile_parameter({x}, 'a')" for x in DATASETS],
    *[f"profile_parameter(scan, {x})" for x in [*NAMES, "'quantile'"]],
    *[f"combination_gain({x})" for x in DATASETS],
    *[f"scan_plane(photon, dump, {x})" for x in ("blocks='a'", "progress=3")],
    *[f"run_batch({x}, 'out')" for x in ("None", "3", "'card.yaml'", "scan")],
    *[f"pi_nunu_likelihood({x})" for x in LIKELIHOODS],
    *[f"pi_nunu_likelihood(nunu, unit={x})" for x in ("0", "-1", "2.0", *NUMBERS)],
    *[f"BinnedBackground({x})" for x in ("None", "'1'", "1j", "[-1.0]", "[nan]")],
    *[f"BinnedBackground([1.0], {x})" for x in ("-0.1", *NUMBERS)],
    *[f"EventMasses({x}, 0.01, 0.1, 0.5)" for x in ("None", "'a'", "1j", "[nan]")],
    *[f"EventMasses(masses, {x}, 0.1, 0.5)" for x in ("None", "'a'", "0.0", "nan")],
    *[f"EventMasses(masses, 0.01, {x}, 0.5)" for x in ("None", "'a'", "-1", "0.5")],
    *[
        f"expected_counts(photon, dump, mass={x}, coupling=1e-6)"
        for x in ("-1.0", "0.0", *NUMBERS)
    ],
    *[
        f"expected_counts(photon, dump, mass=0.3, coupling={x})"
        for x in ("-1.0", *NUMBERS)
    ],
    *[
        f"{function}({x})"
        for function in ("free_fit", "nuisance_impacts", "goodness_of_fit")
        for x in (*LIKELIHOODS, "one")
    ],
    *[f"conditional_fit({x}, 1.0)" for x in (*LIKELIHOODS, "one")],
    *[f"conditional_fit(one.arrays(), {x})" for x in ("-1.0", *NUMBERS)],
    *[f"pyhf_constant({x})" for x in LIKELIHOODS],
    *[f"with_prefix({x}, 'a')" for x in ("None", "3", "[one]", "'likelihood'")],
    *[f"with_prefix(one, {x})" for x in ("None", "3", "'a b'", "[]", "scan")],
    *[f"read_limit_csv({x})" for x in [*PATHS, "'/nowhere.csv'", "'/'"]],
    *[f"limit_at({x}, np.array([0.1]))" for x in ("None", "3", "'a'")],
    *[f"read_missing_mass_spectrum('a.csv', background={x})" for x in ("3", "nan")],
    *[f"read_lifetime_curves('a.csv', lifetime={x})" for x in ("3", "[3]", "b'a'")],
]

EXPRESSIONS = [
    *[call for calls in CALLS.values() for call in calls],
    *OTHERS,
    *FURTHER,
]

RUN = textwrap.dedent(
    """
    answers = []
    for call in json.load(sys.stdin):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                given = eval(call)
            except BsmfitError as error:
                answers.append(["refused", str(error)])
            except Exception as error:
                answers.append([type(error).__name__, str(error)])
            else:
                answers.append(["accepted", repr(given)])
    json.dump(answers, sys.stdout)
    """
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Some of the calls write files."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", SETUP + BEYOND + RUN],
        input=json.dumps(EXPRESSIONS),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path_factory.mktemp("calls"),
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(EXPRESSIONS, json.loads(done.stdout), strict=True))


def test_every_public_name_is_tried():
    assert set(CALLS) | WITHOUT_ARGUMENTS == set(bsmfit.__all__)


@pytest.mark.parametrize("call", EXPRESSIONS)
def test_what_cannot_be_meant_is_refused_in_one_line(answers, call: str):
    kind, message = answers[call]
    assert kind == "refused", f"{call}: {kind}: {message}"
    assert "\n" not in message
    assert len(message) > 20


def test_what_can_be_meant_is_accepted():
    """The refusals above are not refusals of everything."""
    code = SETUP + textwrap.dedent(
        """
        import pathlib
        assert float(upper_limit(one, cl=np.float64(0.9)).value) > 0
        assert float(upper_limit(one, cl=jnp.array(0.9)).value) > 0
        assert float(cls_test(one, np.float32(1.0)).value) > 0
        assert Toys(key, n_toy=1e4).n_toy == 10_000
        assert Region("r", np.int64(3), (Term("s", [jnp.array(1.0)]),)).n_bin == 1
        assert float(photon(0.3, np.float64(1e-6)).mass) == 0.3
        assert own(branching_ratios={"ee": 0.5, "mumu": 0.5})(0.3, 1e-6) is not None
        write_scan(scan, pathlib.Path("a.nc"))
        assert read_scan("a.nc").identical(scan)
        write_contour(scan, "a.csv")
        assert read_contour("a.csv").coupling_name == "g"
        assert len(Axis(0.3, 0.3, 1).points()) == 1
        assert parse_axis("0.3", name="mass").points().tolist() == [0.3]
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_traced_numbers_that_cannot_be_have_a_status():
    """CLs of a negative strength inside jit, and a mediator that is none."""
    code = SETUP + textwrap.dedent(
        """
        from bsmfit.physics.mediator import is_physical
        plan = exact_plan(one)
        def test(strength):
            found = cls_test(one, strength, method="exact", plan=plan)
            return found.value, found.status
        for strength in (-1.0, nan, inf):
            value, status = jax.jit(test)(strength)
            assert np.isnan(value) and int(status) == 2, (strength, value, status)
        value, status = jax.jit(test)(1.0)
        assert int(status) == 0 and 0.0 < float(value) < 1.0

        def valid(model):
            return bool(jax.jit(lambda m, g: is_physical(model(m, g)))(0.3, 1e-6))

        assert valid(own()) and valid(photon)
        assert not valid(own(branching_ratios={"ee": 0.8, "mumu": 0.8}))
        assert not valid(own(branching_ratios={"ee": nan}))
        assert not valid(own(mass=0.6))
        assert not valid(own(decay_width=-1.0))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
