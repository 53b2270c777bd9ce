"""Triggers: one file each. A trigger says which retraining is due, and why."""

from trimtab.retraining.triggers.monthly import Monthly, monthly

__all__ = ["Monthly", "monthly"]
