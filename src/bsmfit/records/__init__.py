"""Schemas of published results, geometries and model cards."""
