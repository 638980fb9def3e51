"""The report of the bench as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from host_tools.bench.figures import bucket_rows

_WIDTH = 40


def report_text(report: dict[str, Any]) -> str:
    """All of it; parts that were not measured are left out."""
    lines = [f"takt bench on {report['target']}", *(f"  {text}" for text in _about(report))]
    for part, make in _PARTS.items():
        if report.get(part):
            lines += ["", *make(report[part])]
    if report["bars"]:
        lines += ["", "What it has to reach"]
        for row in report["bars"]:
            limit = f"at most {row['most']}" if "most" in row else f"at least {row['least']}"
            verdict = "met" if row["met"] else "MISSED"
            lines.append(f"  {verdict:7}{row['what']}: {row['value']} ({limit})")
    if report["not_measured"]:
        lines += ["", "Not measured", *(f"  {text}" for text in report["not_measured"])]
    return "\n".join(lines)


def _about(report: dict[str, Any]) -> list[str]:
    if report["emulated"]:
        return [
            "an emulated RP2040 at 125 MHz: cycles and ratios, no figures of silicon",
            f"{report['seconds']:g} virtual seconds a run",
        ]
    return []


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Lines of a table; the first column is text, the others numbers; None is a dash."""
    shown = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *shown, strict=True)]
    lines = []
    for cells in ([*heads], *shown):
        first, *rest = zip(cells, widths, strict=True)
        lines.append(
            "  " + f"{first[0]:{first[1]}}" + "".join(f"  {text:>{width}}" for text, width in rest)
        )
    return lines


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)


SPEED_COLUMNS = {
    "name": "program",
    "cycles_c": "plain C",
    "cycles_native": "native",
    "cycles_python": "python",
    "ratio": "ratio to C",
    "code_c": "code C",
    "code_native": "code native",
    "data_c": "data C",
    "data_native": "data native",
    "ns_native": "native, ns",
    "ns_python": "python, ns",
    "us_native": "native, µs",
    "us_python": "python, µs",
}


def speed_table(part: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Heads and rows of the columns that are there."""
    columns = [key for key in SPEED_COLUMNS if key in part["programs"][0]]
    rows = [[row.get(key) for key in columns] for row in part["programs"]]
    return [SPEED_COLUMNS[key] for key in columns], rows


def _speed(part: dict[str, Any]) -> list[str]:
    unit = "cycles" if "cycles_native" in part["programs"][0] else "time"
    lines = [f"Speed: {unit} of a scan, mean of {part['scans']} scans; the engines agree"]
    lines += table(*speed_table(part))
    if part["geomean_ratio_to_c"] is not None:
        lines.append(
            f"  geometric mean {part['geomean_ratio_to_c']}, "
            f"worst {part['worst_ratio']} ({part['worst']}); {part['compiler']}"
        )
    return lines


def _release(part: dict[str, Any]) -> list[str]:
    return [
        "Release of an empty task, latch and statistics included",
        f"  {part['cycles']} cycles, at most {part['max_cycles']}, of {part['releases']} releases",
        f"  a look at Python's heartbeat without a release: {part['check_cycles']} cycles",
    ]


def phases(part: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The runs of the part "determinism" with their titles."""
    titles = {"idle": "idle", "load": "under load", "writes": "under load, with files written"}
    return [(title, part[key]) for key, title in titles.items() if part.get(key)]


def bars_of(phase: dict[str, Any]) -> list[tuple[str, int]]:
    """The histogram of a run: exact µs where they are known, else buckets."""
    if "counts" in phase:
        return [(str(value), count) for value, count in phase["counts"].items()]
    return bucket_rows(phase["histogram"])


def remarks(phase: dict[str, Any]) -> list[str]:
    """What else is to be said of a run."""
    found = []
    if "flash" in phase and phase["flash"]["operations"]:
        flash = phase["flash"]
        found.append(
            f"{flash['operations']} flash operations, {flash['releases']} releases due in one, "
            f"longest {flash['max_us']} µs"
        )
    if "edges" in phase:
        edges = phase["edges"]
        found.append(
            f"{edges['edges']} edges seen from outside, {edges['min_us']} to {edges['max_us']} µs "
            f"after their release; start of scan to edge agrees within {edges['spread_us']} µs"
        )
    if "load" in phase:
        load = phase["load"]
        found.append(f"beside: {load['rounds']} collections, {load['files']} files written")
    if "modbus" in phase:
        modbus = phase["modbus"]
        found.append(
            f"Modbus RTU: {modbus['requests']} requests, {modbus['writes']} of them writes, "
            f"{modbus['timeouts']} without an answer, {modbus['wrong']} wrong ones, "
            f"longest wait {modbus['longest_ms']} ms"
        )
    return found


def _determinism(part: dict[str, Any]) -> list[str]:
    lines = ["Determinism: latency of the fastest task's releases, µs"]
    for title, phase in phases(part):
        lines.append(
            f"  {title}: {phase['releases']} releases, {phase['overruns']} overruns, "
            f"{phase['skipped']} skipped, 99.99 % within {phase['p9999_us']} µs, "
            f"longest {phase['max_us']} µs"
        )
        rows = bars_of(phase)
        most = max((count for _, count in rows), default=1)
        for label, count in rows:
            bar = "█" * max(1, round(_WIDTH * count / most))
            lines.append(f"    {label:>7} {bar} {count}")
        lines += [f"    {text}" for text in remarks(phase)]
    if "stall" in part:
        lines.append(f"  longest stall {part['stall']['us']} µs: {part['stall']['cause']}")
    return lines


def _ten_khz(part: dict[str, Any]) -> list[str]:
    return [
        f"A task every {part['interval_us']} µs, {part['points']} digital points",
        f"  {part['scans']} scans, {part['overruns']} overruns, {part['skipped']} skipped, "
        f"longest scan {part['exec_max']} µs, longest latency {part['latency_max']} µs",
    ]


def _size(part: dict[str, Any]) -> list[str]:
    lines = [f"Size: {part['program']}, native engine"]
    lines.append(f"  bundle {part['bundle']:,} bytes, image {part['image']:,} bytes")
    if part["heap_used"] is not None:
        lines.append(
            f"  heap {part['heap_used']:,} bytes used, {part['heap_free']:,} free "
            f"({part['heap_before']:,} used before it was loaded)"
        )
    return lines


def _turnaround(part: dict[str, Any]) -> list[str]:
    lines = [f"Turn-around: one line changed, compiled in {part['compile_s']} s"]
    if part["deploy_s"] is not None:
        wall = part.get("deploy_wall_s")
        clock = f" of the board's time ({wall} s here)" if wall else ""
        lines.append(f"  deployed and scanning after {part['deploy_s']} s more{clock}")
    return lines


_PARTS = {
    "speed": _speed,
    "release": _release,
    "determinism": _determinism,
    "ten_khz": _ten_khz,
    "size": _size,
    "turnaround": _turnaround,
}
