"""Governance: the audit of the ledger."""
