"""Asymptotic formulae of the profile likelihood ratio, for ten events and more."""
