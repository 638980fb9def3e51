"""Dates and times: put together, taken apart, added, subtracted and as text, against datetime."""

from __future__ import annotations

import datetime
import random
from typing import Any

import pytest

from tests.conformance.library_support import Running

EPOCH = datetime.datetime(1970, 1, 1)
SECOND = 1_000_000_000
DAY = 86_400 * SECOND


def evaluate(declarations: str, statements: str, *outputs: tuple[str, str]) -> list[Any]:
    running = Running(f"PROGRAM p VAR {declarations} END_VAR {statements} END_PROGRAM")
    running.scan(0)
    return [
        running.text(f"p.{name}") if code == "s" else running.get(f"p.{name}", code)
        for name, code in outputs
    ]


def ns(moment: datetime.datetime) -> int:
    return (moment - EPOCH) // datetime.timedelta(microseconds=1) * 1000


_days = random.Random(3)
MOMENTS = [
    datetime.datetime(1970, 1, 1),
    datetime.datetime(1969, 12, 31, 23, 59, 59, 999000),
    datetime.datetime(2000, 2, 29, 12, 0, 1),
    datetime.datetime(1900, 2, 28),
    datetime.datetime(1900, 3, 1),
    datetime.datetime(2100, 12, 31, 23, 59, 59, 1000),
    datetime.datetime(2024, 2, 29, 0, 0, 0, 500000),
    datetime.datetime(1678, 1, 1),
    datetime.datetime(2262, 4, 1),
] + [
    EPOCH + datetime.timedelta(milliseconds=_days.randrange(-(9 * 10**12), 9 * 10**12))
    for _ in range(60)
]


@pytest.fixture(scope="module")
def parts() -> Running:
    return Running("""
        PROGRAM p
        VAR
            x : DT; d : DATE; t : TOD; x2 : DT; x3 : LDT; d2 : DATE; t2 : TOD; x4 : DT;
            y, mo, da, h, mi, s, ms, y2, mo2, da2, h2, mi2, s2, ms2, w : INT;
            text, date_text, tod_text : STRING;
        END_VAR
            d := DT_TO_DATE(x);
            t := DT_TO_TOD(x);
            SPLIT_DT(x, YEAR => y, MONTH => mo, DAY => da, HOUR => h, MINUTE => mi, SECOND => s,
                MILLISECOND => ms);
            SPLIT_DATE(d, YEAR => y2, MONTH => mo2, DAY => da2);
            SPLIT_TOD(t, HOUR => h2, MINUTE => mi2, SECOND => s2, MILLISECOND => ms2);
            x2 := CONCAT_DT(y, mo, da, h, mi, s, ms);
            x3 := CONCAT_LDT(YEAR := y, MONTH := mo, DAY := da, HOUR := h, MINUTE := mi,
                SECOND := s, MILLISECOND := ms);
            d2 := CONCAT_DATE(y, mo, da);
            t2 := CONCAT_TOD(h, mi, s, ms);
            x4 := CONCAT_DATE_TOD(d, t);
            w := DAY_OF_WEEK(d);
            text := DT_TO_STRING(x);
            date_text := DATE_TO_STRING(d);
            tod_text := TOD_TO_STRING(t);
        END_PROGRAM""")


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_there_and_back(parts: Running, moment: datetime.datetime) -> None:
    parts.put("p.x", "q", ns(moment))
    parts.scan(0)
    date = [moment.year, moment.month, moment.day]
    clock = [moment.hour, moment.minute, moment.second, moment.microsecond // 1000]
    assert [
        parts.get(f"p.{n}", "h") for n in ("y", "mo", "da", "h", "mi", "s", "ms")
    ] == date + clock
    assert [parts.get(f"p.{n}", "h") for n in ("y2", "mo2", "da2")] == date
    assert [parts.get(f"p.{n}", "h") for n in ("h2", "mi2", "s2", "ms2")] == clock
    assert {parts.get(f"p.{n}", "q") for n in ("x2", "x3", "x4")} == {ns(moment)}
    assert parts.get("p.d2", "q") == parts.get("p.d", "q") == ns(moment) // DAY * DAY
    assert parts.get("p.t2", "q") == parts.get("p.t", "q") == ns(moment) % DAY
    assert parts.get("p.w", "h") == moment.isoweekday() % 7
    fraction = f".{moment.microsecond:06}".rstrip("0").rstrip(".")
    assert parts.text("p.date_text") == f"D#{moment:%Y-%m-%d}"
    assert parts.text("p.tod_text") == f"TOD#{moment:%H:%M:%S}{fraction}"
    assert parts.text("p.text") == f"DT#{moment:%Y-%m-%d-%H:%M:%S}{fraction}"


def test_numbers_out_of_range_are_carried_over() -> None:
    got = evaluate(
        "a, b, c : DATE; t : TOD; x : DT; l : LTOD;",
        """
        a := CONCAT_DATE(2023, 13, 1);
        b := CONCAT_DATE(2024, 3, 0);
        c := CONCAT_DATE(2024, 0, 31);
        t := CONCAT_TOD(23, 59, 60, 1500);
        x := CONCAT_DT(2023, 12, 31, 24, 0, 0, 0);
        l := CONCAT_LTOD(1, 2, 3, 4);
        """,
        *[(n, "q") for n in ("a", "b", "c", "t", "x", "l")],
    )
    assert got == [
        ns(datetime.datetime(2024, 1, 1)),
        ns(datetime.datetime(2024, 2, 29)),
        ns(datetime.datetime(2023, 12, 31)),
        1_500_000_000,
        ns(datetime.datetime(2024, 1, 1)),
        3_723_004_000_000,
    ]


def test_every_kind_of_argument() -> None:
    got = evaluate(
        "a : DATE; y : UINT := 2024; m : SINT := 2; d : UDINT := 29; w : INT; x : LDT; c : LDT;",
        """
        a := CONCAT_DATE(YEAR := y, MONTH := m, DAY := d);
        w := DAY_OF_WEEK(D#2024-02-29);
        x := CONCAT_DATE_LTOD(a, LTOD#12:00:00.000000001);
        SPLIT_LDT(x, YEAR => w);
        """,
        ("a", "q"), ("w", "h"), ("x", "q"),
    )  # fmt: skip
    day = ns(datetime.datetime(2024, 2, 29))
    assert got == [day, 2024, day + DAY // 2 + 1]


def test_typed_arithmetic() -> None:
    got = evaluate(
        "a, b, c, d, e, f, g, h, i : LINT;",
        """
        a := LTIME_TO_LINT(ADD_TIME(T#1s, T#500ms));
        b := LTIME_TO_LINT(SUB_TIME(T#1s, T#1500ms));
        c := LTOD_TO_LINT(ADD_TOD_TIME(TOD#10:00:00, T#90m));
        d := LDT_TO_LINT(ADD_DT_TIME(DT#1970-01-02-00:00:00, T#1h));
        e := LTIME_TO_LINT(SUB_DATE_DATE(D#2024-03-01, D#2024-02-28));
        f := LTIME_TO_LINT(SUB_TOD_TOD(TOD#10:00:00, TOD#10:30:00));
        g := LTIME_TO_LINT(SUB_DT_DT(DT#1970-01-02-00:00:00, DT#1970-01-01-00:00:00));
        h := LTOD_TO_LINT(SUB_TOD_TIME(TOD#10:00:00, T#1h));
        i := LTIME_TO_LINT(ADD_LTIME(LTIME#1ns, SUB_LDT_LDT(LDT#1970-01-01-00:00:01,
            SUB_LDT_LTIME(LDT#1970-01-01-00:00:01, LTIME#2ns))));
        """,
        *[(n, "q") for n in "abcdefghi"],
    )
    assert got == [
        1_500_000_000, -500_000_000, 41_400 * SECOND, DAY + 3600 * SECOND, 2 * DAY,
        -1800 * SECOND, DAY, 9 * 3600 * SECOND, 3,
    ]  # fmt: skip


def test_times_are_scaled_by_any_number() -> None:
    got = evaluate(
        "a, b, c, d : TIME; e : LTIME; n : INT := 3; x : REAL := 0.5;",
        """
        a := MULTIME(T#2s, n);
        b := DIVTIME(T#3s, n);
        c := MUL_TIME(T#2s, x);
        d := DIV_TIME(T#2s, x);
        e := DIV_LTIME(MUL_LTIME(LTIME#10ns, 7), 3);
        """,
        *[(n, "q") for n in "abcde"],
    )
    assert got == [6 * SECOND, SECOND, SECOND, 4 * SECOND, 23]
