"""Releases: immutable, content-addressed, and who was in production when."""
