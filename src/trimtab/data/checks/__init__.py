"""Checks of deliveries: one file each."""

from trimtab.data.checks.freshness import freshness
from trimtab.data.checks.refers_to import refers_to
from trimtab.data.checks.units import units
from trimtab.data.checks.volume import volume

__all__ = ["freshness", "refers_to", "units", "volume"]
