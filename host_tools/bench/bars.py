"""What the figures of a report have to reach, and whether they do."""

from __future__ import annotations

from typing import Any

# (place in the report, highest or lowest value, what it is)
_MOST = (
    ("speed.geomean_ratio_to_c", 1.0, "cycles of a scan against plain C, geometric mean"),
    ("speed.worst_ratio", 1.3, "cycles of a scan against plain C, worst program"),
    ("release.cycles", 400, "cycles of the release of an empty task"),
    ("determinism.overruns", 0, "overruns under load"),
    ("determinism.skipped", 0, "skipped releases under load"),
    ("determinism.p9999_us", 8, "99.99th percentile of the latency under load, µs"),
    ("determinism.max_us", 15, "longest latency under load outside of flash operations, µs"),
    ("determinism.load.modbus.timeouts", 0, "Modbus requests without an answer under load"),
    ("determinism.load.modbus.wrong", 0, "wrong answers of the Modbus server under load"),
    ("ten_khz.overruns", 0, "overruns of the 100 µs task"),
    ("ten_khz.skipped", 0, "skipped releases of the 100 µs task"),
    ("size.heap_used", 48 * 1024, "bytes of heap with the tank loaded"),
    ("size.bundle", 16 * 1024, "bytes of the tank's bundle"),
    ("turnaround.compile_s", 1.0, "seconds to compile a change"),
    ("turnaround.total_s", 3.0, "seconds from a change to a scan"),
)
_LEAST = (("size.heap_free", 150 * 1000, "bytes of free heap with the tank loaded"),)


def bars(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The part "bars" of the report: a row for every figure that is there."""
    rows = []
    for table, sign in ((_MOST, 1), (_LEAST, -1)):
        for place, limit, what in table:
            value: Any = report
            for name in place.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            if value is not None:
                met = sign * value <= sign * limit
                kind = "most" if sign > 0 else "least"
                rows.append(
                    {"figure": place, "what": what, "value": value, kind: limit, "met": met}
                )
    return rows
