"""Bayesian limits and posteriors."""
