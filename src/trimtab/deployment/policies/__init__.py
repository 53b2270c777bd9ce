"""Rollout policies: one file each."""

from trimtab.deployment.policies.blue_green import BlueGreen, blue_green
from trimtab.deployment.policies.canary import CanaryPolicy, canary
from trimtab.deployment.policies.policy import RolloutPolicy

__all__ = ["BlueGreen", "CanaryPolicy", "RolloutPolicy", "blue_green", "canary"]
