"""Gates: one file each. A gate judges a challenger on held-out rows."""

from trimtab.validation.gates.floor import floor
from trimtab.validation.gates.gain import gain
from trimtab.validation.gates.not_worse import not_worse
from trimtab.validation.gates.slice_floor import slice_floor

__all__ = ["floor", "gain", "not_worse", "slice_floor"]
