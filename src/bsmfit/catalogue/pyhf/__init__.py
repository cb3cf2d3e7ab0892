"""Likelihoods from pyhf workspaces."""
