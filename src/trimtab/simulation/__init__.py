"""A system lived through on a virtual clock, with the same code as in production."""
