"""Processes of this machine."""

from __future__ import annotations

import os


def lives(pid: int) -> bool:
    """Whether a process has this id now."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
