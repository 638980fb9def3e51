"""The report of the bench as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from host_tools.bench.report import bars_of, phases, remarks, report_text, speed_table

_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2733; max-width: 62rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; } p.note { color: #5b6875; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem; text-align: right; }
th { border-bottom: 1px solid #9aa7b4; } td:first-child, th:first-child { text-align: left; }
tr.missed td { background: #fdeceb; } td.word { text-align: left; }
svg text { font: 12px system-ui, sans-serif; fill: #1c2733; } svg rect { fill: #2f6f9f; }
svg rect.slow { fill: #c4553b; } svg line { stroke: #9aa7b4; }
details pre { background: #f3f5f7; padding: 1rem; overflow-x: auto; }
"""


def page(report: dict[str, Any]) -> str:
    """The page's text."""
    target = escape(report["target"])
    body = [f"<h1>takt bench on {target}</h1>"]
    if report["emulated"]:
        body.append(
            '<p class="note">An emulated RP2040 at 125 MHz: cycles and ratios, no figures of '
            f"silicon. {report['seconds']:g} virtual seconds a run.</p>"
        )
    if report["bars"]:
        body += ["<h2>What it has to reach</h2>", _bars(report["bars"])]
    if report.get("speed"):
        body += ["<h2>Speed</h2>", *_speed(report["speed"])]
    if report.get("determinism"):
        body += ["<h2>Latency of releases</h2>", *_determinism(report["determinism"])]
    if report["not_measured"]:
        rows = "".join(f"<li>{escape(text)}</li>" for text in report["not_measured"])
        body += ["<h2>Not measured</h2>", f"<ul>{rows}</ul>"]
    body.append(
        f"<details><summary>As text</summary><pre>{escape(report_text(report))}</pre></details>"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>takt bench on {target}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _table(heads: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    text = "<table><tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"
    for kind, cells in rows:
        text += f'<tr class="{kind}">' + "".join(f"<td>{escape(c)}</td>" for c in cells) + "</tr>"
    return text + "</table>"


def _number(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _bars(rows: Sequence[dict[str, Any]]) -> str:
    shown = []
    for row in rows:
        limit = f"≤ {row['most']:,}" if "most" in row else f"≥ {row['least']:,}"
        cells = (row["what"], _number(row["value"]), limit, "met" if row["met"] else "missed")
        shown.append(("" if row["met"] else "missed", cells))
    return _table(("", "measured", "bar", ""), shown)


def _speed(part: dict[str, Any]) -> list[str]:
    heads, rows = speed_table(part)
    found = [_table(heads, [("", [_number(value) for value in row]) for row in rows])]
    ratios = [(row["name"], row["ratio"]) for row in part["programs"] if row.get("ratio")]
    if ratios:
        found.append("<h3>Cycles of a scan, plain C = 1</h3>")
        found.append(_ratios([*ratios, ("geometric mean", part["geomean_ratio_to_c"])]))
        found.append(f'<p class="note">{escape(str(part["compiler"]))}</p>')
    return found


def _ratios(rows: Sequence[tuple[str, float]]) -> str:
    left, width, step = 120, 420, 22
    most = max(1.0, *(ratio for _, ratio in rows))
    height = step * len(rows) + 6
    one = left + width / most
    text = f'<svg width="{left + width + 60}" height="{height}" role="img">'
    for n, (name, ratio) in enumerate(rows):
        y = n * step + 4
        kind = ' class="slow"' if ratio > 1 else ""
        text += (
            f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>'
            f'<rect{kind} x="{left}" y="{y}" width="{width * ratio / most:.1f}" height="15"/>'
            f'<text x="{left + width * ratio / most + 6:.1f}" y="{y + 12}">{ratio}</text>'
        )
    return text + f'<line x1="{one:.1f}" x2="{one:.1f}" y1="0" y2="{height}"/></svg>'


def _determinism(part: dict[str, Any]) -> list[str]:
    found = []
    for title, phase in phases(part):
        found.append(f"<h3>{escape(title.capitalize())}</h3>")
        found.append(
            f"<p>{phase['releases']:,} releases, {phase['overruns']} overruns, "
            f"{phase['skipped']} skipped; 99.99 % within {phase['p9999_us']} µs, longest "
            f"{phase['max_us']} µs.</p>"
        )
        found.append(histogram(bars_of(phase)))
        rows = "".join(f"<li>{escape(text)}</li>" for text in remarks(phase))
        found.append(f"<ul>{rows}</ul>")
    if "stall" in part:
        stall = part["stall"]
        found.append(f"<p>Longest stall {stall['us']} µs: {escape(stall['cause'])}.</p>")
    return found


def histogram(rows: Sequence[tuple[str, int]]) -> str:
    """Columns, µs below, counts above; heights go by the root, or one in 10,000 would not show."""
    if not rows:
        return ""
    step, top = max(26, min(64, 640 // len(rows))), 120
    most = max(count for _, count in rows)
    width = step * len(rows) + 40
    text = f'<svg width="{width}" height="{top + 58}" role="img">'
    for n, (label, count) in enumerate(rows):
        tall = top * (count / most) ** 0.5 if most else 0
        x, y = 4 + n * step, top + 18 - tall
        middle = x + (step - 6) / 2
        text += (
            f'<rect x="{x}" y="{y:.1f}" width="{step - 6}" height="{tall:.1f}"/>'
            f'<text x="{middle}" y="{y - 4:.1f}" text-anchor="middle">{count}</text>'
            f'<text x="{middle}" y="{top + 33}" text-anchor="middle">{escape(label)}</text>'
        )
    text += f'<line x1="0" x2="{width}" y1="{top + 18}" y2="{top + 18}"/>'
    return text + f'<text x="4" y="{top + 52}">µs, heights by the square root</text></svg>'
