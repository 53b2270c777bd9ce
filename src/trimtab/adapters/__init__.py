"""One file per technology; each implements one or two ports. Only wiring may import them."""
