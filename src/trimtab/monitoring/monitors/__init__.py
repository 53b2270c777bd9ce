"""Monitors: one file each. A monitor turns labelled predictions into evidence."""

from trimtab.monitoring.monitors.performance import Performance, performance

__all__ = ["Performance", "performance"]
