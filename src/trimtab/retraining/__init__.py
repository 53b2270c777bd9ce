"""Retraining: whether to, and why."""
