"""Projects are found, wiring is joined with the program, and what does not fit is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tools.build import Rejected, check, compile
from host_tools.compiler.codes import CODES
from host_tools.failure import USAGE, Failure
from host_tools.project import load

PAGES = Path(__file__).parents[2] / "docs" / "errors"

PROGRAM = """\
TYPE
    Colour : (red, green);
    Pair : STRUCT a : INT; b : REAL; END_STRUCT;
END_TYPE
VAR_GLOBAL
    total : DINT;
END_VAR
PROGRAM main
    VAR
        start AT %IX0.0 : BOOL;
        level AT %IW0 : INT;
        motor AT %QX0.0 : BOOL;
        valve AT %QW1 : INT;
        flags : ARRAY[0..9] OF BOOL;
        counts : ARRAY[1..4] OF UDINT;
        name : STRING[8];
        pair : Pair;
        colour : Colour;
        delay : TON;
        lamp : BOOL;
        speed : UINT;
        far : LINT;
    END_VAR
    motor := start AND level > 10;
    valve := level;
    delay(IN := start, PT := T#1s);
    lamp := delay.Q;
    total := total + 1;
END_PROGRAM
CONFIGURATION plant
    TASK fast(INTERVAL := T#10ms, PRIORITY := 1);
    PROGRAM main WITH fast : main;
END_CONFIGURATION
"""
HEAD = '[project]\nname = "tank"\nboard = "pico"\n'


@pytest.fixture
def project(tmp_path: Path) -> Any:
    def make(wiring: str, program: str = PROGRAM) -> Path:
        (tmp_path / "takt.toml").write_text(HEAD + wiring, encoding="utf-8")
        (tmp_path / "tank.st").write_text(program, encoding="utf-8")
        return tmp_path

    return make


def rows(folder: Path) -> Any:
    program = compile(load(folder))
    return program.rows, program.layout


# --- finding ---------------------------------------------------------------------------------


def test_a_project_is_found_from_below(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project("")
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    found = load()
    assert found.name == "tank"
    assert found.names == ("tank.st",)
    monkeypatch.chdir(folder)
    assert load(folder / "takt.toml").sources[0].name == "tank.st"


def test_source_files_make_a_program_without_wiring(tmp_path: Path) -> None:
    file = tmp_path / "1 two.st"
    file.write_text(PROGRAM, encoding="utf-8")
    found = load(file)
    assert found.name == "program"
    assert found.wiring.board is not None
    assert found.wiring.board.name == "host"
    assert check(found).ok


@pytest.mark.parametrize(
    ("paths", "text"),
    [
        (["nowhere"], "no file or folder"),
        (["."], "no takt.toml"),
        (["a.st", "takt.tom"], "no file or folder"),
    ],
)
def test_what_cannot_be_found(
    paths: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Failure, match=text) as failed:
        load(*paths)
    assert failed.value.exit_code == USAGE


@pytest.mark.parametrize("pattern", ["x.st", "../tank.st", "/tank.st", "**/*.txt", "\\u0000"])
def test_sources_that_match_nothing(project: Any, pattern: str) -> None:
    found = load(project(f'sources = ["tank.st", "{pattern}"]\n'))
    assert [d.code for d in found.diagnostics] == ["E0619"]
    assert pattern in found.diagnostics[0].span.text


def test_sources_are_taken_once_and_in_order(project: Any) -> None:
    folder = project('sources = ["b.st", "*.st"]\n')
    for name in ("b.st", "a.st"):
        (folder / name).write_text("", encoding="utf-8")
    assert load(folder).names == ("b.st", "a.st", "tank.st")


# --- wiring and program ----------------------------------------------------------------------


def test_channels_become_rows(project: Any) -> None:
    made, layout = rows(
        project(
            """
[io]
"%IX0.0" = { pin = "GP2", pull = "up", invert = true, filter_ms = 5 }
"%QX0.0" = { pin = "GP16", safe = true }
"%IW0" = { adc = "GP26", scale = [-100, 27648] }
"%QW1" = { pwm = "GP15", freq = 50, scale = [0, 1000], safe = 500 }
main.lamp = { pin = "GP17", direction = "out" }
total = { safe = 7 }
"""
        )
    )
    areas, variables = layout["areas"], {v["path"]: v["offset"] for v in layout["vars"]}
    assert made.inputs == [
        {
            "address": "%IX0.0",
            "offset": areas["IX"][0],
            "bit": 0,
            "pin": "GP2",
            "pull": "up",
            "invert": True,
            "filter_ms": 5,
        },
        {
            "address": "%IW0",
            "offset": areas["IW"][0],
            "kind": "i16",
            "adc": "GP26",
            "scale": [-100, 27648],
        },
    ]
    assert made.outputs == [
        {
            "address": "%QX0.0",
            "offset": areas["QX"][0],
            "bit": 0,
            "pin": "GP16",
            "invert": False,
            "safe": True,
        },
        {
            "address": "%QW1",
            "offset": areas["QW"][0] + 2,
            "kind": "i16",
            "pwm": "GP15",
            "freq": 50,
            "scale": [0, 1000],
            "safe": 500,
        },
        {
            "address": "main.lamp",
            "offset": variables["main.lamp"],
            "bit": None,
            "pin": "GP17",
            "invert": False,
            "safe": False,
        },
    ]
    assert made.safe == [
        [areas["QX"][0], 0, "u8", 1],
        [areas["QW"][0] + 2, None, "i16", 500],
        [variables["total"], None, "i32", 7],
    ]


def test_what_is_wired_exists_even_if_the_program_does_not_use_it(project: Any) -> None:
    folder = project('[io]\n"%IX9.7" = { pin = "GP2" }\n"%QD3" = { pwm = "GP15" }\n')
    made, layout = rows(folder)
    assert layout["areas"]["IX"][1] == 10
    assert layout["areas"]["QD"][1] == 16
    assert made.outputs[0]["kind"] == "u32"
    warnings = check(load(folder)).diagnostics
    assert [d.code for d in warnings] == ["W0601", "W0601"]


TABLES = """
[server.modbus-tcp]
port = 5020
unit = 3
coils = { 0 = "main.flags", 20 = "%QX0.0:rw", 30 = "main.lamp", 40 = "main.motor" }
discrete = { "0..7" = "%IX0.0" }
input = { 0 = "%IW0", 1 = "main.lamp" }
[server.modbus-tcp.holding]
0 = "main.counts:rw"
"8..9" = "main.counts"
10 = "main.pair.b"
12 = "main.colour"
13 = "main.delay.ET"
17 = "main.flags"
"30..31" = "%MW2:rw"
40 = "main.far"
"""


@pytest.mark.parametrize("low_first", [False, True])
def test_modbus_tables_become_rows(project: Any, low_first: bool) -> None:
    order = 'word_order = "low-first"' if low_first else ""
    made, layout = rows(project(TABLES.replace("unit = 3", f"unit = 3\n{order}")))
    at = {v["path"]: v["offset"] for v in layout["vars"]}
    areas = {name: row[0] for name, row in layout["areas"].items()}
    server = made.servers["modbus-tcp"]
    table = server.pop("map")
    assert server == {
        "port": 5020,
        "host": "0.0.0.0",
        "unit": 3,
        "max_clients": 4,
        "idle_s": 60,
    }
    assert table == [
        ["coil", 0, 10, at["main.flags"], 0, 8, False],
        ["coil", 20, 1, areas["QX"], 0, 1, True],
        ["coil", 30, 1, at["main.lamp"], 0, 8, False],
        ["coil", 40, 1, areas["QX"], 0, 1, False],
        ["discrete", 0, 8, areas["IX"], 0, 1, False],
        ["input", 0, 1, areas["IW"], "u16", False, low_first],
        ["input", 1, 1, at["main.lamp"], "bool", False, low_first],
        ["holding", 0, 8, at["main.counts"], "u32", True, low_first],
        ["holding", 8, 2, at["main.counts"], "u32", False, low_first],
        ["holding", 10, 2, at["main.pair"] + 4, "f32", False, low_first],
        ["holding", 12, 1, at["main.colour"], "i16", False, low_first],
        ["holding", 13, 4, at["main.delay"] + 24, "i64", False, low_first],
        ["holding", 17, 10, at["main.flags"], "bool", False, low_first],
        ["holding", 30, 2, areas["MW"] + 4, "u16", True, low_first],
        ["holding", 40, 4, at["main.far"], "i64", False, low_first],
    ]


def test_the_rows_are_what_the_server_takes(project: Any) -> None:
    from bus.modbus.map import RegisterMap
    from bus.modbus.pdu import HOLDING_REGISTERS
    from host_tools.simulation import Simulation

    sim = Simulation(compile(load(project(TABLES))))
    table = sim.program.rows.servers["modbus-tcp"]["map"]
    store = RegisterMap(table, sim.image.data, sim.mailbox)
    sim["main.counts[1]"] = 0x12345678
    out = bytearray(4)
    assert store.read_words(HOLDING_REGISTERS, 0, 2, out, 0) == 0
    assert out.hex() == "12345678"


def test_the_automatic_map_is_the_one_of_openplc(project: Any) -> None:
    program = PROGRAM.replace(
        "speed : UINT;", "a AT %MW3 : INT; b AT %MD1 : DINT; c AT %ML0 : LINT;"
    )
    folder = project("[server.modbus-tcp]\n")
    (folder / "tank.st").write_text(program, encoding="utf-8")
    made, layout = rows(folder)
    areas = {name: row[0] for name, row in layout["areas"].items()}
    assert made.servers["modbus-tcp"]["map"] == [
        ["coil", 0, 8, areas["QX"], 0, 1, True],
        ["discrete", 0, 8, areas["IX"], 0, 1, False],
        ["input", 0, 1, areas["IW"], "u16", False, False],
        ["holding", 0, 2, areas["QW"], "u16", True, False],
        ["holding", 1024, 4, areas["MW"], "u16", True, False],
        ["holding", 2048, 4, areas["MD"], "u32", True, False],
        ["holding", 4096, 4, areas["ML"], "u64", True, False],
    ]


MODBUS = "[server.modbus-tcp]\n"
MISTAKES = [
    ('[io]\n«main.lampp» = { pin = "GP2", direction = "out" }\n', "E0613", "main.lamp"),
    ('[io]\n«main.level» = { pin = "GP2", direction = "out" }\n', "E0613", ""),
    ('[io]\n«main.lamp» = { pwm = "GP2" }\n', "E0613", ""),
    ('[io]\n«main.far» = { pwm = "GP2" }\n', "E0613", ""),
    ('[io]\n«main.pair» = { adc = "GP26" }\n', "E0613", ""),
    ('[io]\n«"main.counts[5]"» = { adc = "GP26" }\n', "E0613", ""),
    ('[io]\nmain.speed = { adc = "GP26", scale = «[-1, 1]» }\n', "E0604", ""),
    ('[io]\n"%IW0" = { adc = "GP26", scale = «[0, 40000]» }\n', "E0604", ""),
    (
        '[io]\n"%IX0.0" = { pin = "GP2" }\n«main.start» = { pin = "GP3", direction = "in" }\n',
        "E0612",
        "",
    ),
    ("[task.«fats»]\n", "E0614", "fast"),
    (MODBUS + 'holding = { 0 = «"main.leve"» }\n', "E0613", "main.level"),
    (MODBUS + 'holding = { 0 = «"main.name"» }\n', "E0616", ""),
    (MODBUS + 'holding = { 0 = «"main.pair"» }\n', "E0616", "elements"),
    (MODBUS + 'holding = { 0 = «"main.motor"» }\n', "E0616", "coils"),
    (MODBUS + 'coils = { 0 = «"main.level"» }\n', "E0616", "holding"),
    (MODBUS + 'holding = { 0 = «"main.level:rw"» }\n', "E0618", ""),
    (MODBUS + 'holding = { «"0..2"» = "main.counts" }\n', "E0615", "0..7"),
    (MODBUS + 'holding = { «"0..9"» = "main.counts" }\n', "E0615", "0..7"),
    (MODBUS + 'holding = { «65535» = "main.total" }\n'.replace("main.", ""), "E0615", ""),
    (MODBUS + 'holding = { 0 = "total", «1» = "main.level" }\n', "E0617", "0 to 1"),
    (MODBUS + 'holding = { 1 = "main.level", «0» = "total" }\n', "E0617", "0 to 1"),
]


@pytest.mark.parametrize(("wiring", "code", "help"), MISTAKES)
def test_a_mistake_is_told_where_it_is(project: Any, wiring: str, code: str, help: str) -> None:
    start = (HEAD + wiring).index("«")
    end = (HEAD + wiring).index("»") - 1
    checked = check(load(project(wiring.replace("«", "").replace("»", ""))))
    assert [d.code for d in checked.diagnostics] == [code], [
        d.message for d in checked.diagnostics
    ]
    (diagnostic,) = checked.diagnostics
    spot = (diagnostic.span.start, diagnostic.span.end)
    if code in ("E0613", "E0612") and (HEAD + wiring)[start + 1 : start + 6] == "main.":
        # `main.lamp = …` is a dotted key: its last part is the one that stands for it.
        assert start <= spot[0] < spot[1] <= end
    else:
        assert spot == (start, end)
    assert help in diagnostic.help
    assert not checked.ok
    with pytest.raises(Rejected, match=code):
        compile(load(checked.project.folder))


def test_lreal_is_refused_on_boards_with_single_precision(project: Any) -> None:
    program = "PROGRAM main\nVAR sum : LREAL; END_VAR\nsum := sum + 0.5;\nEND_PROGRAM\n"
    folder = project("", program)
    # The board with the scan kernel has the native engine by itself.
    assert check(load(folder)).ok
    (folder / "takt.toml").write_text(HEAD.replace("pico", "pico2"), encoding="utf-8")
    (diagnostic,) = check(load(folder)).diagnostics
    assert diagnostic.code == "E0620"
    assert diagnostic.span.line == 2
    assert "native engine" in diagnostic.message
    (folder / "takt.toml").write_text(HEAD.replace("pico", "host"), encoding="utf-8")
    assert check(load(folder)).ok


# --- pages -----------------------------------------------------------------------------------


def sections(page: Path) -> dict[str, str]:
    text = page.read_text(encoding="utf-8")
    return {
        name: re.sub(r"\A```\w+\n|```\Z", "", body.strip())
        for name, body in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.S | re.M)
    }


WIRING_CODES = sorted(code for code in CODES if code[1:3] == "06")


def test_every_code_has_a_page() -> None:
    assert sorted(p.stem for p in PAGES.glob("?06*.md")) == WIRING_CODES


@pytest.mark.parametrize("code", WIRING_CODES)
def test_pages_show_what_they_say(code: str, tmp_path: Path) -> None:
    page = PAGES / f"{code}.md"
    assert page.read_text(encoding="utf-8").startswith(f"# {code}: {CODES[code]}\n")
    parts = sections(page)
    program = parts.get(
        "Program", "PROGRAM main\nVAR n : INT; END_VAR\nn := n + 1;\nEND_PROGRAM\n"
    )
    (tmp_path / "tank.st").write_text(program, encoding="utf-8")
    for name, expected in (("Fails", {code}), ("Passes", set())):
        (tmp_path / "takt.toml").write_text(parts[name], encoding="utf-8")
        found = {d.code for d in check(load(tmp_path)).diagnostics}
        assert found - {"W0601"} == expected - {"W0601"}, name
        assert ("W0601" in found) >= ("W0601" in expected), name


GOOD = """
[io]
"%IX0.0" = { pin = "GP2", pull = "up" }
"%IW0" = { adc = "GP26", scale = [0, 27648] }
"%QW1" = { pwm = "GP15", scale = [0, 1000], safe = 500 }
main.lamp = { pin = "GP17", direction = "out" }

[server.modbus-tcp]
port = 5020

[server.modbus-tcp.coils]
"0..3" = "main.flags"
20 = "%QX0.0:rw"

[server.modbus-tcp.holding]
0 = "main.counts:rw"
"30..31" = "%MW2:rw"

[task.fast]
watchdog_ms = 50
"""


@settings(
    derandomize=True,
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.integers(0, len(GOOD)),
    st.integers(0, 8),
    st.sampled_from(["", "9", "-", "[", '"', "main.", "[1]", "%X3", ".", "\n", "Q", "%MD0", "x"]),
)
def test_a_damaged_file_is_never_more_than_a_diagnostic(
    project: Any, at: int, length: int, new: str
) -> None:
    checked = check(load(project(GOOD[:at] + new + GOOD[at + length :])))
    for diagnostic in checked.diagnostics:
        assert diagnostic.code in CODES
        assert diagnostic.span.line >= 1
    if checked.ok:
        compile(checked.project).manifest()
