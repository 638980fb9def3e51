"""Percentiles, periods, latencies, widths and duty of captured edges."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil_tests.capture import duty, edges, latencies, percentile, periods, summary, widths
from hil_tests.recording import Recording, SignalInfo, Value


def recording(*changes: tuple[int, Value]) -> Recording:
    made = Recording()
    made.add_signal(SignalInfo("x", "digital"))
    for time_ns, value in changes:
        made.change(time_ns, "x", value)
    return made


def test_percentiles_are_by_nearest_rank() -> None:
    values = list(range(1, 1001))
    assert [percentile(values, p) for p in (0, 0.1, 50, 99, 99.9, 99.95, 100)] == [
        1, 1, 500, 990, 999, 1000, 1000,
    ]  # fmt: skip
    assert percentile([15, 20, 35, 40, 50], 30) == 20
    assert percentile([7], 50) == 7
    for values, percent in (([], 50), ([1], 101), ([1], -1)):
        with pytest.raises(ValueError, match=r"percentile|within"):
            percentile(values, percent)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    values=st.lists(st.integers(0, 50), min_size=1, max_size=60),
    tenths=st.integers(1, 1000),
)
def test_a_percentile_is_the_least_value_that_enough_do_not_exceed(
    values: list[int], tenths: int
) -> None:
    found = percentile(values, tenths / 10)
    assert found in values
    assert 1000 * sum(v <= found for v in values) >= tenths * len(values)
    assert 1000 * sum(v < found for v in values) < tenths * len(values)


def test_edges_need_a_level_before() -> None:
    made = recording((0, True), (10, False), (20, True), (30, None), (40, True), (50, False))
    assert edges(made, "x") == [20]
    assert edges(made, "x", rising=False) == [10, 50]
    assert edges(made, "x", rising=False, begin_ns=11, end_ns=50) == []
    assert periods([5, 8, 20]) == [3, 12]


def test_latencies_pair_each_cause_with_its_effect() -> None:
    assert latencies([10, 20, 30, 40], [12, 31, 32, 50]) == ([2, 1, 10], [20])
    assert latencies([10], []) == ([], [10])
    assert latencies([10, 20], [20]) == ([0], [10])


def test_widths_are_those_of_whole_pulses() -> None:
    made = recording((0, True), (10, False), (20, True), (25, False), (30, True), (31, None),
                     (40, False), (50, True))  # fmt: skip
    assert widths(made, "x") == [5]
    assert widths(made, "x", level=False) == [10, 5]
    assert widths(made, "x", level=False, begin_ns=11) == [5]


def test_duty_is_exact_and_of_the_time_with_a_level() -> None:
    made = recording((0, True), (30, False), (60, None), (90, True))
    assert duty(made, "x", 0, 60) == Fraction(1, 2)
    assert duty(made, "x", 15, 100) == Fraction(25, 55)
    with pytest.raises(ValueError, match="no level"):
        duty(made, "x", 60, 90)


def test_a_summary_says_what_was_captured() -> None:
    made = summary([1000 * k for k in range(1, 101)], (50, 99))
    assert str(made) == "100 values, 1 µs to 100 µs, mean 50.5 µs, p50 50 µs, p99 99 µs"
    assert made.figures("latency") == {
        "latency_min_us": 1, "latency_max_us": 100, "latency_p50_us": 50, "latency_p99_us": 99,
    }  # fmt: skip
