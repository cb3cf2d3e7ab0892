"""Limits and spectra from HEPData tables."""
