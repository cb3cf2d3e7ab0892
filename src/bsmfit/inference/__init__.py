"""Exact CLs, limits, expected bands and significance."""
