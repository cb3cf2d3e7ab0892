"""Toy experiments in three ensembles."""
