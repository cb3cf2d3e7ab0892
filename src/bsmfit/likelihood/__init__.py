"""Counting models, nuisances and their quadrature."""
