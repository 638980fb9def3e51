"""The arithmetic of the bench: percentiles, means of ratios, histograms."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` per cent of all do not exceed (nearest rank). Raises
    ValueError for no values."""
    if not values:
        raise ValueError("no values have no percentile")
    rank = math.ceil(round(percent / 100 * len(values), 9))
    return sorted(values)[min(max(rank, 1), len(values)) - 1]


def bucket_percentile(histogram: Sequence[int], percent: float, highest: int) -> int:
    """The same of a task record's histogram (docs/image.md), from above: the last whole µs of the
    bucket, or `highest`, the record's maximum, where that is less."""
    count = sum(histogram)
    if not count:
        raise ValueError("no values have no percentile")
    rank = max(1, math.ceil(round(percent / 100 * count, 9)))
    for n, found in enumerate(histogram):
        rank -= found
        if rank <= 0:
            return min(highest, (1 << n) - 1) if n < len(histogram) - 1 else highest
    return highest


def geometric_mean(ratios: Sequence[float]) -> float:
    """Of positive numbers. Raises ValueError for none, and for others."""
    if not ratios or min(ratios) <= 0:
        raise ValueError("a geometric mean is of positive numbers")
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios))


def counted(values: Sequence[int]) -> dict[int, int]:
    """Value -> how often, in the order of the values."""
    found: dict[int, int] = {}
    for value in sorted(values):
        found[value] = found.get(value, 0) + 1
    return found


def bucket_rows(histogram: Sequence[int]) -> list[tuple[str, int]]:
    """(range in µs, count) of a task record's histogram, without the empty ends."""
    used = [n for n, count in enumerate(histogram) if count]
    if not used:
        return []
    return [(_bucket(n), histogram[n]) for n in range(used[0], used[-1] + 1)]


def _bucket(n: int) -> str:
    low, high = (1 << n) >> 1, (1 << n) - 1
    return str(low) if low >= high else f"{low}-{high}"
