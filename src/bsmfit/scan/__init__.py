"""Grids, blocks, datasets and contours."""
