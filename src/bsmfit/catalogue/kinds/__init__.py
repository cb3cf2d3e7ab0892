"""The kinds of search: what the catalogue knows about each."""
