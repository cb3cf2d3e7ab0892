"""Widths, production rates and spectra of new particles."""
