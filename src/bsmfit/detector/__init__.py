"""Detector geometry, acceptance and yields."""
