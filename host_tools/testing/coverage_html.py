"""Coverage as pages: one for each file with its source, and an index; no other files needed."""

from __future__ import annotations

from html import escape
from pathlib import Path

from host_tools.compiler.coverage import Point
from host_tools.failure import USAGE, Failure
from host_tools.testing.coverage import Coverage, FileCoverage, percent

_STYLE = """
:root { --ink: #1f2328; --soft: #656d76; --line: #d8dee4; --page: #fff; --hit: #2da44e;
  --miss: #cf222e; --miss-back: #ffebe9; --part: #bf8700; --part-back: #fff8c5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #8d96a0; --line: #30363d;
  --page: #0d1117; --hit: #3fb950; --miss: #f85149; --miss-back: #3a1518; --part: #d29922;
  --part-back: #332a0c; } }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: var(--ink);
  background: var(--page); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.3rem; margin: 0 0 .3rem; } a { color: inherit; }
p { color: var(--soft); margin: .2rem 0 1rem; }
table.files { border-collapse: collapse; width: 100%; }
.files th, .files td { border-bottom: 1px solid var(--line); padding: .35rem .6rem;
  text-align: right; }
.files th:first-child, .files td:first-child { text-align: left; }
.files tr:last-child td { font-weight: 600; }
.bar { display: inline-block; width: 7rem; height: .6rem; background: var(--miss);
  border-radius: .3rem; overflow: hidden; vertical-align: middle; }
.bar i { display: block; height: 100%; background: var(--hit); }
.key span { padding: 0 .5rem; margin-right: .6rem; border-left: 4px solid; }
table.source { border-collapse: collapse; width: 100%; font: 13px/1.45 ui-monospace, monospace; }
.source td { padding: 0 .6rem; white-space: pre; vertical-align: top; }
.source td:first-child { color: var(--soft); text-align: right; width: 1%;
  border-right: 4px solid transparent; user-select: none; }
.source td:last-child { white-space: normal; color: var(--part); width: 1%; }
.hit td:first-child, .key .hit { border-color: var(--hit); }
.miss { background: var(--miss-back); } .part { background: var(--part-back); }
.miss td:first-child, .key .miss { border-color: var(--miss); }
.part td:first-child, .key .part { border-color: var(--part); }
"""
_KEY = (
    '<p class="key"><span class="hit">reached</span><span class="part">reached, but not every way '
    'was taken</span><span class="miss">not reached</span></p>'
)


def page_name(file: FileCoverage) -> str:
    """The file name of a source's page."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in file.path) + ".html"


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n"
        "</body></html>\n"
    )


def index_page(coverage: Coverage, name: str = "") -> str:
    """The table of all files."""
    rows = [
        _row(f'<a href="{page_name(f)}">{escape(f.path)}</a>', f.count(False), f.count(True))
        for f in coverage.files
    ]
    rows.append(_row("total", coverage.count(False), coverage.count(True)))
    head = "<tr><th>file</th><th>statements</th><th></th><th></th><th>branches</th><th></th></tr>"
    table = f'<table class="files">{head}{"".join(rows)}</table>'
    title = f"Coverage of {name}" if name else "Coverage"
    return _page(title, f"<h1>{escape(title)}</h1>\n{table}")


def _row(name: str, statements: tuple[int, int], branches: tuple[int, int]) -> str:
    share = 100 * statements[0] / statements[1] if statements[1] else 100
    bar = f'<span class="bar"><i style="width:{share:.1f}%"></i></span>'
    cells = [
        name,
        f"{statements[0]}/{statements[1]}",
        percent(*statements),
        bar,
        f"{branches[0]}/{branches[1]}",
        percent(*branches),
    ]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"


def file_page(file: FileCoverage) -> str:
    """The source with a mark on every line that has statements."""
    states = _states(file)
    branches: dict[int, list[Point]] = {}
    for point in file.missed_branches:
        branches.setdefault(point.span.line, []).append(point)
    rows = []
    for number, line in enumerate(file.source.text.splitlines(), 1):
        missed = ", ".join(f"never {p.branch}" for p in branches.get(number, ()))
        rows.append(
            f'<tr class="{states.get(number, "")}" id="L{number}"><td>{number}</td>'
            f"<td>{escape(line)}</td><td>{escape(missed)}</td></tr>\n"
        )
    statements, ways = file.count(False), file.count(True)
    told = (
        f"statements {statements[0]}/{statements[1]} ({percent(*statements)}), "
        f"branches {ways[0]}/{ways[1]} ({percent(*ways)})"
    )
    head = f'<h1>{escape(file.path)}</h1>\n<p>{told}, <a href="index.html">all files</a></p>{_KEY}'
    return _page(file.path, f'{head}\n<table class="source">{"".join(rows)}</table>')


def _states(file: FileCoverage) -> dict[int, str]:
    """Line -> class. A statement of several lines marks them all."""
    states: dict[int, str] = {}
    for points, state in ((file.hit, "hit"), (file.missed, "miss")):
        for point in points:
            if point.branch:
                continue
            last = point.span.source.line_col(max(point.span.end - 1, point.span.start))[0]
            for line in range(point.span.line, last + 1):
                states[line] = state
    for point in file.missed_branches:
        if states.get(point.span.line) != "miss":
            states[point.span.line] = "part"
    return states


def write_pages(coverage: Coverage, folder: Path, name: str = "") -> None:
    """Write the pages into a folder, which is made. Raises Failure."""
    pages = {page_name(f): file_page(f) for f in coverage.files}
    pages["index.html"] = index_page(coverage, name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for page, text in pages.items():
            (folder / page).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write '{folder}': {error.strerror}", exit_code=USAGE) from None
