"""Where in a test something was asked for."""

from __future__ import annotations

import os
import sys
from types import FrameType

_OWN = frozenset(
    os.path.join(os.path.dirname(__file__), name)
    for name in ("expect.py", "durations.py", "clock.py", "traces.py", "where.py")
)


def calling_line() -> str:
    """File and line of the nearest caller outside of what asserts, "test_tank.py:42"."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename in _OWN:
        frame = frame.f_back
    if frame is None:
        return ""
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
