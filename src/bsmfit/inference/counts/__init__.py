"""Exact probabilities of few events: one count, several counts, what to expect."""
