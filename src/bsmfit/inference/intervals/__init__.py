"""Confidence intervals, Feldman-Cousins belts, significances."""
