"""Protocols of one to five methods, split by who calls them. Adapters implement them; only wiring knows which."""
