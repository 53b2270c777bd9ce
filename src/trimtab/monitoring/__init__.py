"""Monitoring: predictions and their late labels become evidence."""
