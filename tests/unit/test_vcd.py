"""A VCD, read back with pyvcd's parser, has every change of the recording with its time."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from recordings import MS, S, recordings, tank
from vcd.reader import TokenKind, tokenize

from hil_tests.recording import Recording, SignalInfo
from hil_tests.report.vcd import dump, identifiers, plain, write_vcd
from host_tools.failure import Failure

Read = dict[tuple[str, ...], list[tuple[int, object]]]


def read_back(data: bytes) -> Read:
    """(scopes, name) -> (time, value) of each change after the initial values."""
    scopes: list[str] = []
    names: dict[str, tuple[str, ...]] = {}
    found: Read = {}
    time_ns, initial = 0, False
    for token in tokenize(io.BytesIO(data)):
        kind = token.kind
        if kind is TokenKind.TIMESCALE:
            assert (token.timescale.magnitude.value, token.timescale.unit.value) == (1, "ns")
        elif kind is TokenKind.SCOPE:
            scopes.append(token.scope.ident)
        elif kind is TokenKind.UPSCOPE:
            scopes.pop()
        elif kind is TokenKind.VAR:
            names[token.var.id_code] = (*scopes, token.var.reference)
            found[(*scopes, token.var.reference)] = []
        elif kind is TokenKind.CHANGE_TIME:
            assert token.time_change >= time_ns
            time_ns = token.time_change
        elif kind in (TokenKind.DUMPVARS, TokenKind.END):
            initial = kind is TokenKind.DUMPVARS
        elif kind.name.startswith("CHANGE_") and not initial:
            found[names[token.data.id_code]].append((time_ns, token.data.value))
    found[("end",)] = [(time_ns, None)]
    return found


def written(recording: Recording, title: str = "") -> Read:
    file = io.StringIO()
    dump(recording, file, title)
    return read_back(file.getvalue().encode("ascii"))


def test_the_tank() -> None:
    found = written(tank(), "horn µ $end ≥")
    assert found["signals", "selector"] == [(0, "0"), (500 * MS, "1")]
    assert found["signals", "pump_2"] == [
        (0, "0"), (16 * S, "1"), (18 * S, "z"), (18 * S + 200 * MS, "1"),
    ]  # fmt: skip
    assert len(found["tasks", "main", "release"]) == 201
    assert found["tasks", "main", "release"][:2] == [(0, "1"), (100 * MS, "1")]
    assert found["tasks", "main", "runs"][:3] == [(3_000, "1"), (213_000, "0"), (100_003_010, "1")]
    assert found["faults", "active"] == [
        (15 * S, "level:\\x20stuck\\x20at\\x2077.6\\x20%"),
        (18 * S, "level:\\x20stuck\\x20at\\x2077.6\\x20%\\x20+\\x20pump_2:\\x20open\\x20wire"),
        (18 * S + 200 * MS, "level:\\x20stuck\\x20at\\x2077.6\\x20%"),
        (19 * S, ""),
    ]
    assert found["checks", "failed"] == [(16 * S + 900 * MS, "1")]
    assert found["checks", "passed"] == [(520 * MS, "1")]
    assert str(found["checks", "result"][-1][1]).startswith("FAILED:\\x20horn\\x20rises")
    assert len(found["buses", "field", "frame"]) == 16
    assert found["buses", "field", "content"][0] == (
        7 * MS, "unit 5, read holding registers 0-1".replace(" ", "\\x20"),
    )  # fmt: skip
    assert found["notes", "note"] == [(12 * S, "operator\\x20at\\x20the\\x20panel")]
    assert found["end",] == [(20 * S + 500 * MS, None)]


@settings(derandomize=True, max_examples=150, deadline=None)
@given(recording=recordings())
def test_every_change_comes_back_with_its_time(recording: Recording) -> None:
    found = written(recording)
    for name, called in identifiers(recording.signals).items():
        digital = recording.signals[name].kind == "digital"
        expected = [(c.time_ns, c.value) for c in recording.of(name)]
        got = found["signals", called]
        if digital:
            assert got == [(t, "z" if v is None else "01"[bool(v)]) for t, v in expected]
            continue
        if expected and expected[0][1] is None and len(got) < len(expected):
            expected.pop(0)  # no value at all is what the file begins with
        assert [t for t, _ in got] == [t for t, _ in expected]
        for (_, number), (_, value) in zip(got, expected, strict=True):
            assert isinstance(number, float)
            assert (
                math.isnan(number) if value is None else number == pytest.approx(value, rel=1e-15)
            )
    for task in {r.task for r in recording.releases}:
        times = [r.time_ns for r in recording.releases if r.task == task]
        assert [t for t, _ in found["tasks", task, "release"]] == times


def test_names_are_what_viewers_can_read() -> None:
    assert identifiers(["a b", "a_b", "ä[1]", "", "tank.level"]) == {
        "a b": "a_b", "a_b": "a_b_2", "ä[1]": "__1_", "": "_", "tank.level": "tank.level",
    }  # fmt: skip
    assert plain("20 µs ≥ 3 °C ☃") == "20 us >= 3 deg C \\u2603"


def test_two_changes_at_the_start_are_both_there() -> None:
    r = Recording()
    r.add_signal(SignalInfo("x", "digital"))
    r.change(0, "x", True)
    r.change(0, "x", False)
    assert written(r)["signals", "x"] == [(0, "1"), (0, "0")]


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="cannot write"):
        write_vcd(tank(), tmp_path / "no" / "trace.vcd")


def test_a_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vcd", None)
    with pytest.raises(Failure, match="pyvcd") as told:
        write_vcd(tank(), tmp_path / "trace.vcd")
    assert "takt-plc[bench]" in told.value.help
    assert not (tmp_path / "trace.vcd").exists()
