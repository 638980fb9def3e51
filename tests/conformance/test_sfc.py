"""Random Sequential Function Charts do what a model written from the standard says."""

from __future__ import annotations

import random

import pytest

from tests.conformance.sfc_model import difference, random_chart

SCANS = 40


@pytest.mark.parametrize("seed", range(120))
def test_a_random_chart(seed: int) -> None:
    chart = random_chart(random.Random(seed), SCANS)
    assert difference(chart, SCANS) is None


@pytest.mark.slow
@pytest.mark.parametrize("block", range(40))
def test_many_random_charts(block: int) -> None:
    for seed in range(1000 + block * 100, 1100 + block * 100):
        chart = random_chart(random.Random(seed), SCANS)
        assert difference(chart, SCANS) is None, seed
