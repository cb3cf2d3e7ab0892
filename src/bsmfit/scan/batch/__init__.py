"""Maps from a run card: in blocks, in any process, and continued after any fault."""
