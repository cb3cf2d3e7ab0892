"""Published numbers reproduced, with verdicts."""
