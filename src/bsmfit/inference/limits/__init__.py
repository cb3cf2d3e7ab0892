"""Upper limits and CLs: the front door, the choice of a method, exact limits."""
