"""Rollout policies: one file each."""

from trimtab.deployment.policies.blue_green import BlueGreen, blue_green

__all__ = ["BlueGreen", "blue_green"]
