"""Reads the shipped and the user's own data; builds models and channels."""
