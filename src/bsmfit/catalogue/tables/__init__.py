"""Tables of acceptance and yields: reading and building."""
