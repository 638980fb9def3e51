"""What the suites share."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "sample: of a suite, what stands for it where time is short (emulated boards)"
    )
