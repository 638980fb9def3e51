"""The timeline in a browser: its script draws the first view as the package has drawn it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pages import Page
from recordings import tank

from hil_tests.report.timeline.page import write_timeline

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


def opened(page: Path, script: str = "") -> Page:
    """The page as it is after its script, and then `script`, has run."""
    text = page.read_text("utf-8")
    if script:
        script += " draw();"  # now, and not with the next frame, for which the dump does not wait
        text = text.replace("\ndraw();\n})()", f"\ndraw();\n{script}\n}})()")
        assert script in text
        page.write_text(text, "utf-8")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", f"--user-data-dir={page.parent / 'profile'}", "--window-size=1200,900",
        "--virtual-time-budget=3000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, timeout=120, check=True)
    # The serializer of HTML does not close the elements of SVG as XML does.
    return Page(re.sub(r"<path([^>]*)></path>", r"<path\1/>", run.stdout.decode()))


def drawn(page: Page) -> list[str]:
    """What the script draws: paths, and where spans are; numbers in tenths, cut."""
    found = []
    for tag, attributes in page.elements:
        names = attributes.get("class", "").split()
        if tag == "path" and "limit" not in names:
            found.append(f"{attributes['class']} {attributes['d']}")
        elif "span" in names or "hurt" in names or "band" in names:
            style = re.findall(r"(left|width|top):\s*(-?[\d.]+)", attributes["style"])
            found.append(f"{attributes['class']} {sorted(style)}")
    return found


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def test_the_script_draws_the_same_first_view(tmp_path: Path) -> None:
    path = tmp_path / "tank.html"
    write_timeline(tank(), path, "test_x")
    still, live = Page(path.read_text("utf-8")), opened(path)
    assert "live" in [a.get("class") for tag, a in live.elements if tag == "body"]
    ours, theirs = drawn(still), drawn(live)
    assert len(ours) == len(theirs) > 20
    for one, other in zip(sorted(ours), sorted(theirs), strict=True):
        assert re.sub(r"[\d.]+", "0", one) == re.sub(r"[\d.]+", "0", other)
        assert numbers(one) == pytest.approx(numbers(other), abs=0.11)
    for said in (
        "77.133 %",
        "16.900 s",
        "10.557 l/min",
        "✗ horn rises within 1 s after level > 80 %",
    ):
        assert any(said in text for text in live.texts)


def test_the_view_moves_and_the_cursor_goes_to_edges(tmp_path: Path) -> None:
    path = tmp_path / "tank.html"
    write_timeline(tank(), path, "test_x")
    live = opened(path, "actions.all(); actions.before(); actions.mark(); actions.after();")
    assert "16.000 s" not in [t for t in live.texts if t == "16.900 s"]
    text = " ".join(live.texts)
    assert "18.000 s: pump_2 open" in text
    assert "2 s after 16.000 s" in text
    assert "0 s" in live.texts
    bodies = [a["style"] for _, a in live.elements if a.get("id") == "cursor"]
    assert bodies[0].startswith("left: 87.8")
