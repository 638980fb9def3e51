"""The page of a run: what was tested on what, the failures with their timelines first."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from hil_tests.report.matrix import Matrix, matrix_html
from hil_tests.report.quantities import time_text
from hil_tests.report.results import OUTCOMES, CaseResult, RunResults
from host_tools.failure import USAGE, Failure

_STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #18202b; --soft: #586474;
  --line: #dfe4ea; --link: #0a63c9; --pass: #1b7f4d; --pass-back: #dcf2e5; --fail: #c4262e;
  --fail-back: #fde4e4; --skip: #a85a00; --skip-back: #ffedd1; }
@media (prefers-color-scheme: dark) { :root { --page: #0d1218; --card: #131a22; --ink: #e3e9f0;
  --soft: #93a1b2; --line: #28323e; --link: #5aa9ff; --pass: #48c78a; --pass-back: #123524;
  --fail: #ff7a75; --fail-back: #45191c; --skip: #f2a64d; --skip-back: #402b0f; } }
@media print { * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
body { margin: 0 auto; max-width: 78rem; padding: 1.4rem; color: var(--ink);
  background: var(--page); font: 14px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.3rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.02rem; margin: 1.6rem 0 .5rem; } a { color: var(--link); }
.bar { display: flex; height: .7rem; border-radius: .35rem; overflow: hidden;
  background: var(--line); margin: .5rem 0; }
.bar .passed { background: var(--pass); } .bar .failed, .bar .error { background: var(--fail); }
.bar .skipped { background: var(--skip); }
.counts { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: 0; padding: 0;
  list-style: none; color: var(--soft); } .counts b { color: var(--ink); }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem 1rem;
  margin: .8rem 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; } code { font: .9em ui-monospace, monospace; }
article { background: var(--card); border: 1px solid var(--line); border-left: 4px solid
  var(--fail); border-radius: 6px; padding: .6rem .9rem; margin-bottom: .7rem; }
article h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
article p { margin: .2rem 0; overflow-wrap: anywhere; } .words { color: var(--soft); }
.files a { margin-right: 1rem; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem; border-top: 1px solid var(--line);
  font-variant-numeric: tabular-nums; vertical-align: top; } thead th { border-top: 0;
  color: var(--soft); font-weight: 600; } td.number { text-align: right; white-space: nowrap; }
td:first-child { overflow-wrap: anywhere; } .pill { border-radius: 1rem; padding: .05rem .6rem;
  font-weight: 600; font-size: .86rem; white-space: nowrap; }
.pill.passed { color: var(--pass); background: var(--pass-back); }
.pill.failed, .pill.error { color: var(--fail); background: var(--fail-back); }
.pill.skipped { color: var(--skip); background: var(--skip-back); }
.matrix { width: auto; } .matrix tbody th { min-width: 11rem; }
.matrix td { white-space: nowrap; border-left: 1px solid var(--line); }
.matrix thead th { max-width: 12rem; vertical-align: bottom; font-size: .86rem; }
.many thead th { padding: .3rem .2rem; } .many td { padding: .3rem .5rem; }
.many thead th span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 19rem;
  font-weight: 400; line-height: 1.15; } .many thead th:first-child { padding: .3rem .8rem; }
.many tbody th { font-weight: 400; min-width: 19rem; }
.matrix .good { color: var(--pass); background: var(--pass-back); }
.matrix .bad { color: var(--fail); background: var(--fail-back); font-weight: 600; }
.matrix .none { color: var(--soft); } .matrix td a { color: inherit; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_SIGNS = {"passed": "✓", "failed": "✗", "error": "✗", "skipped": "–"}
_FILES = (
    ("timeline.html", "timeline"),
    ("trace.vcd", "VCD"),
    ("bus.txt", "bus log"),
    ("failure.json", "JSON"),
)


def run_page(run: RunResults, files: dict[str, list[str]]) -> str:
    """The page as text. `files`: folder of a failure -> the names of its files."""
    broken = [case for case in run.tests if case.outcome in ("failed", "error")]
    parts = [f"<h1>{escape(run.name)}</h1>", _summary(run), _about(run)]
    if broken:
        parts.append("<h2>Failures</h2>")
        parts += [_failure(case, files.get(case.folder, [])) for case in broken]
    parts += [matrix_html(matrix) for matrix in run.matrices]
    if run.tests:
        parts.append(_table(run))
    return _page(run.name, parts)


def matrix_page(title: str, matrices: Sequence[Matrix]) -> str:
    """A page for tables by themselves, such as those of a campaign."""
    return _page(title, [f"<h1>{escape(title)}</h1>", *map(matrix_html, matrices)])


def write_matrix_page(path: Path, title: str, matrices: Sequence[Matrix]) -> None:
    """Write that page. Raises Failure."""
    try:
        path.write_text(matrix_page(title, matrices), encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write '{path}': {error.strerror}", exit_code=USAGE) from None


def _page(title: str, parts: list[str]) -> str:
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _summary(run: RunResults) -> str:
    counts = [(outcome, run.count(outcome)) for outcome in OUTCOMES]
    bar = "".join(f'<i class="{o}" style="flex:{n}"></i>' for o, n in counts if n)
    items = "".join(f"<li><b>{n}</b> {o}</li>" for o, n in counts if n or o == "passed")
    seconds = sum(case.seconds for case in run.tests)
    virtual = sum(case.virtual_ns for case in run.tests)
    items += f"<li><b>{seconds:.1f} s</b> of wall time</li>"
    if virtual:
        items += f"<li><b>{virtual / 1e9:.1f} s</b> of the device's time</li>"
    return f'<div class="bar">{bar}</div><ul class="counts">{items}</ul>'


def _about(run: RunResults) -> str:
    rows = [("device", run.device), ("bench", run.bench), ("started", run.started)]
    rows += list(run.about.items())
    rows += [(name, str(value)) for name, value in run.figures.items()]
    shown = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows if value
    )
    for name, value in run.hashes.items():
        shown += f"<dt>SHA-256 of {escape(name)}</dt><dd><code>{escape(value)}</code></dd>"
    return f"<dl>{shown}</dl>"


def _failure(case: CaseResult, files: list[str]) -> str:
    device = f" on {escape(case.device)}" if case.device else ""
    where = f"{case.file}:{case.line}" if case.line else case.file
    links = "".join(
        f'<a href="{quote(case.folder)}/{name}">{text}</a>'
        for name, text in _FILES
        if name in files
    )
    words = f'<p class="words">{escape(case.words)}</p>' if case.words else ""
    return (
        f"<article><h3>✗ {escape(case.name)}{device}</h3><p>{escape(case.message)} "
        f'<span class="words">{escape(where)}</span></p>{words}'
        f'<p class="files">{links}</p></article>'
    )


def _table(run: RunResults) -> str:
    rows = ""
    for case in run.tests:
        passed = sum(check.passed for check in case.checks)
        figures = "<br>".join(escape(f"{k} = {v}") for k, v in case.figures.items())
        why = escape(case.message) if case.outcome == "skipped" else figures
        rows += (
            f"<tr><td>{escape(case.name)}</td><td>{escape(case.device)}</td>"
            f'<td><span class="pill {case.outcome}">{_SIGNS[case.outcome]} {case.outcome}</span>'
            f'</td><td class="number">{passed}/{len(case.checks)}</td>'
            f'<td class="number">{time_text(case.virtual_ns)}</td>'
            f'<td class="number">{case.seconds:.2f} s</td><td>{why}</td></tr>\n'
        )
    return (
        '<h2>Tests</h2><div class="wide"><table><thead><tr><th>test</th><th>device</th>'
        "<th>outcome</th><th>checks</th><th>its time</th><th>wall time</th><th></th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )
