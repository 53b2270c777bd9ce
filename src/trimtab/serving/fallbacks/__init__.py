"""Fallbacks: one file each. A fallback answers when a release, or what its features stand on, cannot."""

from trimtab.serving.fallbacks.constant import Constant, constant
from trimtab.serving.fallbacks.declared import DeclaredFallback
from trimtab.serving.fallbacks.previous_release import PreviousRelease, previous_release
from trimtab.serving.fallbacks.rule import Rule, rule

__all__ = ["Constant", "DeclaredFallback", "PreviousRelease", "Rule", "constant", "previous_release", "rule"]
