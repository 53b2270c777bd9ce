"""Training: a set that knows only what was known, a trial on held-out days, and a model refit on everything."""
