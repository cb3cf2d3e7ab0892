"""Searches, from a mediator to expected events."""
