"""Where in the user's files something was declared."""

from __future__ import annotations

import sys
from pathlib import Path


def caller(depth: int = 2) -> str:
    """File and line of the declaration, as an editor opens it: `system.py:12`.

    Args:
        depth: frames above this function; 2 is whoever called the function that calls `caller`.
    """
    frame = sys._getframe(depth)
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
