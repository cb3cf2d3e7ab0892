"""Is a point of a map excluded, how strongly, and what was to be expected."""
