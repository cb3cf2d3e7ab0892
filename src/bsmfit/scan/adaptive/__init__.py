"""Contours to a requested precision: only the cells that they cross are refined."""
