"""Every mistake in takt.toml is told with its code, its place and what to do."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.compiler.codes import CODES
from host_tools.compiler.diagnostics import Diagnostic, Reporter
from host_tools.compiler.source import Source
from host_tools.wiring.boards import all_boards, board_names
from host_tools.wiring.channels import FIELDS as IO_FIELDS
from host_tools.wiring.file import PROJECT, TASK, Wiring, read_wiring
from host_tools.wiring.modbus_map import FIELDS as MAP_FIELDS
from host_tools.wiring.servers import MODBUS_RTU, MODBUS_TCP

HEAD = '[project]\nname = "tank"\nboard = "pico"\n'


def wiring(text: str) -> tuple[Wiring | None, list[Diagnostic]]:
    reporter = Reporter()
    return read_wiring(Source("takt.toml", text), reporter), reporter.diagnostics


RTU = '[server.modbus-rtu]\nuart = 0\ntx = "GP0"\nrx = "GP1"\nunit = 1\n'

# What follows HEAD, with the place of the message between «»; code, and a part of the help.
MISTAKES = [
    ("«x» = 1\n", "E0601", "known are: name, board"),
    ("«enginee» = 1\n", "E0601", "'engine'"),
    ('version = «""»\n', "E0604", ""),
    ('engine = "auto«\n', "E0600", ""),
    ("«engine» = 1\nengine = 2\n", "E0600", ""),
    ("[«bus».field]\n", "E0606", "take this section out"),
    ("[«servers».modbus-tcp]\n", "E0601", "'server'"),
    ('engine = «"pyton"»\n', "E0604", "'python'"),
    ('sources = «"*.st"»\n', "E0603", '["*.st"]'),
    ("sources = «[]»\n", "E0604", ""),
    ("sources = [«1»]\n", "E0603", '"1"'),
    ('[io]\n«"%IX0.8"» = { pin = "GP2" }\n', "E0607", "%IX1.0"),
    ('[io]\n«"%IW0.1"» = { adc = "GP26" }\n', "E0607", "%IX0.1"),
    ('[io]\n«"%IW9999"» = { adc = "GP26" }\n', "E0607", "4095"),
    ('[io]\n«"%MX0.0"» = { pin = "GP2" }\n', "E0608", ""),
    ('[io]\n«"%IW0"» = { pin = "GP2" }\n', "E0608", "%IX0.0"),
    ('[io]\n«"%IX0.0"» = { adc = "GP26" }\n', "E0608", "%IW0"),
    ('[io]\n"%QW0" = { «adc» = "GP26" }\n', "E0608", "pwm"),
    ('[io]\n"%IW0" = { «pwm» = "GP15" }\n', "E0608", "adc"),
    ('[io]\n"%IX0.0" = { pin = "GP2", «safe» = true }\n', "E0608", "outputs"),
    ('[io]\n"%QX0.0" = { pin = "GP2", «pull» = "up" }\n', "E0608", "digital inputs"),
    ('[io]\n"%IX0.0" = { pin = "GP2", «adc» = "GP26" }\n', "E0608", "own address"),
    ('[io]\n«"%IX0.0"» = { }\n', "E0602", 'pin = "GP2"'),
    ('[io]\n"%IX0.0" = { «pim» = "GP2" }\n', "E0601", "'pin'"),
    ('[io]\n"%IX0.0" = «"GP2"»\n', "E0603", '{ pin = "GP2" }'),
    ('[io]\n"%IX0.0" = { pin = «2» }\n', "E0603", '"GP2"'),
    ('[io]\n"%IX0.0" = { pin = «"GP 2"» }\n', "E0609", "'GP2'"),
    ('[io]\n"%IX0.0" = { pin = «"GP23"» }\n', "E0610", ""),
    ('[io]\n"%QX0.0" = { pin = «"GP24"» }\n', "E0610", ""),
    ('[io]\n"%IX0.0" = { pin = "GP24", pull = «"up"» }\n', "E0610", "external"),
    ('[io]\n"%IW0" = { adc = «"GP2"» }\n', "E0610", "GP26, GP27, GP28"),
    ('[io]\n"%IX0.0" = { pin = "GP2", invert = «"yes"» }\n', "E0603", "write true"),
    ('[io]\n"%IX0.0" = { pin = "GP2", filter_ms = «"5 ms"» }\n', "E0603", "write 5"),
    ('[io]\n"%IX0.0" = { pin = "GP2", filter_ms = «5.0» }\n', "E0603", "write 5"),
    ('[io]\n"%IX0.0" = { pin = "GP2", filter_ms = «-1» }\n', "E0604", ""),
    ('[io]\n"%IW0" = { adc = "GP26", scale = «[5, 5]» }\n', "E0604", ""),
    ('[io]\n"%IW0" = { adc = "GP26", scale = «[5]» }\n', "E0604", ""),
    ('[io]\n"%IW0" = { adc = "GP26", scale = [0, «1.5»] }\n', "E0603", ""),
    ('[io]\n"%QW0" = { pwm = "GP15", scale = [0, 9], safe = «10» }\n', "E0604", ""),
    ('[io]\n"%QX0.0" = { pin = "GP2" }\n"%QX0.1" = { pin = «"GP2"» }\n', "E0611", ""),
    (
        '[io]\n"%QW0" = { pwm = "GP0" }\n"%QW1" = { pwm = «"GP16"» }\n',
        "E0611",
        "same signal",
    ),
    (
        '[io]\n"%QW0" = { pwm = "GP0" }\n"%QW1" = «{ pwm = "GP1", freq = 50 }»\n',
        "E0611",
        "another slice",
    ),
    ('[io]\n"%QX0.0" = { pin = "GP2" }\n«"%qx0.0"» = { pin = "GP3" }\n', "E0612", ""),
    ('[io]\n«start» = { pin = "GP2" }\n', "E0602", 'direction = "in"'),
    ('[io]\nstart = { pin = "GP2", direction = «"input"» }\n', "E0604", '"in"'),
    ('[io]\n«"a b"» = { pin = "GP2" }\n', "E0607", ""),
    ("[server.«modbus»]\n", "E0601", "'modbus-tcp'"),
    ("[server.modbus-tcp]\nport = «0»\n", "E0604", ""),
    ('[server.modbus-tcp]\nport = «"502"»\n', "E0603", "write 502"),
    ("[server.modbus-tcp]\n«prot» = 502\n", "E0601", "'port'"),
    ("[server.modbus-tcp]\nmax_clients = «99»\n", "E0604", ""),
    ("[server.modbus-tcp]\nidle_s = «0»\n", "E0604", ""),
    ("[server.modbus-tcp]\nholding = «3»\n", "E0603", "%MW0"),
    ("[server.modbus-tcp]\nholding = { 0 = «3» }\n", "E0603", ":rw"),
    ('[server.modbus-tcp]\nholding = { «"9..2"» = "%MW0" }\n', "E0615", ""),
    ('[server.modbus-tcp]\nholding = { «400001» = "%MW0" }\n', "E0615", "address 0 of 'holding'"),
    ('[server.modbus-tcp]\nholding = { «x» = "%MW0" }\n', "E0615", "0..9"),
    ('[server.modbus-tcp]\nholding = { «"0..2"» = "%MD0" }\n', "E0615", "2 registers"),
    ('[server.modbus-tcp]\nholding = { 0 = «"%MX0.0"» }\n', "E0616", "%MW0"),
    ('[server.modbus-tcp]\ncoils = { 0 = «"%MW0"» }\n', "E0616", "%MX0.0"),
    ('[server.modbus-tcp]\nholding = { 0 = «"%MW0:wr"» }\n', "E0604", ":rw"),
    ('[server.modbus-tcp]\nholding = { 0 = «"%IW0:rw"» }\n', "E0618", ""),
    ('[server.modbus-tcp]\ninput = { 0 = «"%IW0:rw"» }\n', "E0618", "'holding'"),
    ('[server.modbus-tcp]\nholding = { 0 = «""» }\n', "E0604", ""),
    ('[server.modbus-tcp]\nholding = { "0..99" = «"%MW4090"» }\n', "E0607", "4095"),
    ("[task]\nfast = «1»\n", "E0603", ""),
    ('[task.fast]\non_overrun = «"stop"»\n', "E0604", ""),
    ("[task.fast]\nwatchdog_ms = «0»\n", "E0604", ""),
    ("[task.fast]\n«watchdog» = 5\n", "E0601", "'watchdog_ms'"),
    ("[task.fast]\n[task.«FAST»]\n", "E0614", ""),
    ("[server.«modbus-rtu»]\n", "E0602", "number of the UART"),
    (RTU + "«port» = 502\n", "E0601", "known are: uart"),
    (RTU.replace("= 0", "= «7»"), "E0604", "it has UART 0 and UART 1"),
    (RTU.replace('"GP0"', '«"GP4"»'), "E0610", "these can: GP0, GP12, GP16, GP28"),
    (RTU.replace('"GP1"', '«"GP0"»'), "E0610", "these can: GP1, GP13, GP17"),
    (RTU.replace('"GP1"', '«"GP29"»'), "E0610", ""),
    (RTU + 'de = «"GP24"»\n', "E0610", ""),
    (RTU + 'de = «"GP1"»\n', "E0611", "choose another pin"),
    (RTU + "de = «5»\n", "E0603", '"GP5"'),
    (RTU.replace('"GP0"', '«"GP0"»') + '[io]\n"%QX0.0" = { pin = "GP0" }\n', "E0611", "choose"),
    (RTU.replace("unit = 1", "unit = «0»"), "E0604", "1 to 247"),
    (RTU + 'parity = «"evn"»\n', "E0604", "'even'"),
    (RTU + "baud = «110»\n", "E0604", "300 to 1000000"),
    (RTU + "stop = «3»\n", "E0604", "1 to 2"),
    (RTU + 'holding = { «"0..2"» = "%MD0" }\n', "E0615", "2 registers"),
]


@pytest.mark.parametrize(("text", "code", "help"), MISTAKES)
def test_a_mistake_is_told_where_it_is(text: str, code: str, help: str) -> None:
    marked = HEAD + text
    start = marked.index("«")
    plain = marked.replace("«", "").replace("»", "")
    end = marked.index("»") - 1 if "»" in marked else None
    _, diagnostics = wiring(plain)
    assert [d.code for d in diagnostics] == [code], [d.message for d in diagnostics]
    (diagnostic,) = diagnostics
    if code == "E0600":
        assert diagnostic.span.line == plain.count("\n")  # the last line, where it was noticed
    else:
        assert (diagnostic.span.start, diagnostic.span.end) == (start, end)
    assert help in diagnostic.help


def test_a_table_in_braces_over_two_lines_gets_advice() -> None:
    _, (diagnostic,) = wiring(HEAD + '[io]\n"%IX0.0" = { pin = "GP2",\n pull = "up" }\n')
    assert diagnostic.code == "E0600"
    assert "[a.b]" in diagnostic.help


def test_two_places_are_cited() -> None:
    _, (diagnostic,) = wiring(
        HEAD + '[io]\n"%QX0.0" = { pin = "GP2" }\n"%QX0.1" = { pin = "GP2" }\n'
    )
    assert diagnostic.span.line == 6
    assert diagnostic.others[0].span.line == 5


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E0602"),
        ("[io]\n", "E0602"),
        ('project = "x"\n', "E0603"),
        ("[project]\n", "E0602"),
        ('[project]\nname = "9"\nboard = "pico"\n', "E0604"),
        ('[project]\nname = "a"\nboard = "picco"\n', "E0605"),
        ('[project]\nname = "\ufffd"\nboard = "pico"\n', "E0600"),
        ("a = " + "[" * 3000 + "]" * 3000, "E0600"),
        ("a = " + "1" * 5000, "E0600"),
    ],
)
def test_the_file_as_a_whole(text: str, code: str) -> None:
    _, diagnostics = wiring(text)
    assert code in [d.code for d in diagnostics]


def test_nesting_is_limited_whatever_python_allows() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        _, diagnostics = wiring("a = " + "[" * 3000 + "]" * 3000)
    finally:
        sys.setrecursionlimit(limit)
    assert [d.code for d in diagnostics] == ["E0600"]


def test_pins_of_a_board_without_pins() -> None:
    _, diagnostics = wiring(HEAD.replace("pico", "host") + '[io]\n"%IX0.0" = { pin = "GP2" }\n')
    assert [d.code for d in diagnostics] == ["E0609"]


GOOD = (
    HEAD
    + """version = "1.2.0"
engine = "python"

[io]
"%IX0.0" = { pin = "GP2", pull = "up", invert = true, filter_ms = 5 }
"%ix0.1" = { pin = "GP3" }
"%QX0.0" = { pin = "GP16", safe = true }
"%QX9.7" = { safe = true }
"%IW0" = { adc = "GP26", scale = [0, 27648] }
"%QW1" = { pwm = "GP15", freq = 50, scale = [-100, 100] }
"%QW2" = { pwm = "GP14", freq = 50, scale = [10, 20] }
main.start = { pin = "GP5", direction = "in" }
"lamps[2]" = { pin = "GP6", direction = "out" }

[server.modbus-tcp]
port = 5020
coils = { "0..15" = "%QX0.4:rw" }
holding = { 0 = "main.level", "4..7" = "%MD3:rw", 10 = "%ML1" }

[task.fast]
on_overrun = "fault"
watchdog_ms = 50
"""
)


def test_a_good_file() -> None:
    read, diagnostics = wiring(GOOD)
    assert diagnostics == []
    assert read is not None
    assert read.board is not None
    assert read.board.chip == "RP2040"
    roles = {str(c.target): (c.role, c.pin.name if c.pin else None) for c in read.channels}
    assert roles == {
        "%IX0.0": ("digital input", "GP2"),
        "%IX0.1": ("digital input", "GP3"),
        "%QX0.0": ("digital output", "GP16"),
        "%QX9.7": ("output without a wire", None),
        "%IW0": ("analogue input", "GP26"),
        "%QW1": ("analogue output", "GP15"),
        "%QW2": ("analogue output", "GP14"),
        "main.start": ("digital input", "GP5"),
        "lamps[2]": ("digital output", "GP6"),
    }
    safe = {str(c.target): c.options.get("safe") for c in read.channels if c.is_output}
    assert safe == {"%QX0.0": True, "%QX9.7": True, "%QW1": 0, "%QW2": 10, "lamps[2]": False}
    assert read.areas() == {
        "IX": 1, "QX": 10, "IW": 2, "QW": 6, "MD": 20, "ML": 16
    }  # fmt: skip
    (server,) = read.servers
    assert server.map.automatic == ()
    assert [(e.first, e.count, e.writable) for e in server.map.entries] == [
        (0, 16, True),
        (0, None, False),
        (4, 4, True),
        (10, None, False),
    ]


def test_an_empty_server_section_maps_automatically() -> None:
    read, _ = wiring(HEAD + "[server.modbus-tcp]\n")
    assert read is not None
    (server,) = read.servers
    assert server.map.automatic == ("coils", "discrete", "input", "holding")
    assert server.options["port"] == 502


@pytest.mark.parametrize(
    ("more", "parity", "stop"),
    [
        ("", "even", 1),
        ('parity = "none"\n', "none", 2),
        ('parity = "none"\nstop = 1\n', "none", 1),
    ],
)
def test_a_server_on_a_serial_line(more: str, parity: str, stop: int) -> None:
    read, diagnostics = wiring(HEAD + RTU + more + 'de = "GP2"\nholding = { 0 = "%MW0:rw" }\n')
    assert diagnostics == []
    assert read is not None
    (server,) = read.servers
    assert server.kind == "modbus-rtu"
    assert server.options == {
        "uart": 0, "tx": "GP0", "rx": "GP1", "de": "GP2", "unit": 1,
        "baud": 19200, "parity": parity, "stop": stop,
    }  # fmt: skip
    assert [str(entry.target) for entry in server.map.entries] == ["%MW0"]


def test_any_pin_of_an_esp32_can_be_of_a_uart() -> None:
    pins = RTU.replace("uart = 0", "uart = 2").replace("GP0", "GPIO17").replace("GP1", "GPIO34")
    head = HEAD.replace("pico", "esp32")
    assert wiring(head + pins)[1] == []
    _, (diagnostic,) = wiring(head + pins.replace("GPIO17", "GPIO34"))
    assert (diagnostic.code, "output" in diagnostic.message) == ("E0610", True)


def test_a_computer_has_no_uart() -> None:
    _, diagnostics = wiring(HEAD.replace("pico", "host") + RTU)
    assert {diagnostic.code for diagnostic in diagnostics} == {"E0609"}


@settings(derandomize=True, max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(GOOD)),
            st.integers(0, 12),
            st.sampled_from(
                ["", "=", "[", "]", "{", '"', ".", "1", "x", "\n", "\r", "é", "\t", "-"]
            )
            | st.sampled_from(['"%IX0.0"', "true", "[io]", "1e400", "GP2", "inf", "[[io]]", "''"]),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_damaged_file_is_never_more_than_a_diagnostic(
    damage: list[tuple[int, int, str]],
) -> None:
    text = GOOD
    for at, length, new in damage:
        text = text[:at] + new + text[at + length :]
    _, diagnostics = wiring(text)
    for diagnostic in diagnostics:
        assert diagnostic.code in CODES
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        assert diagnostic.span.line >= 1


# --- boards ----------------------------------------------------------------------------------


def test_boards_are_complete() -> None:
    assert board_names() == ["esp32", "host", "pico", "pico2", "pico_w"]
    for board in all_boards():
        assert board.floats in ("single", "double")
        assert board.led == "" or board.led in board.pins
        for pin in board.pins.values():
            assert set(pin.pulls) <= {"up", "down"}
            if isinstance(pin.pwm, str):
                assert re.fullmatch(r"\d+[AB]", pin.pwm)


def test_uart_pins_of_the_rp2040() -> None:
    """RP2040 data sheet, table 2, function F2; the RP2350 (table 8) has more with F11."""
    for name in ("pico", "pico_w"):
        board = next(b for b in all_boards() if b.name == name)
        assert board.uarts == (0, 1)
        found = {pin.name: pin.uart for pin in board.pins.values() if pin.uart}
        tx = {"GP0": "0TX", "GP12": "0TX", "GP16": "0TX", "GP28": "0TX"}
        tx |= {"GP4": "1TX", "GP8": "1TX", "GP20": "1TX"}
        rx = {f"GP{int(pin[2:]) + 1}": f"{uart[0]}RX" for pin, uart in tx.items()}
        expected = {**tx, **rx}
        expected = {pin: uart for pin, uart in expected.items() if pin in board.pins}
        free = {pin: uart for pin, uart in found.items() if pin != "GP25"}
        assert free == {p: u for p, u in expected.items() if not board.pins[p].taken}


def test_pwm_channels_of_the_rp2040() -> None:
    """RP2040 data sheet, table 516: GPIO n has slice n/2 mod 8, even pins channel A."""
    for name in ("pico", "pico_w", "pico2"):
        board = next(b for b in all_boards() if b.name == name)
        for pin in board.pins.values():
            if pin.pwm:
                n = int(pin.name[2:])
                assert pin.pwm == f"{n // 2 % 8}{'AB'[n % 2]}"


# --- documentation ---------------------------------------------------------------------------


def test_every_key_and_board_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "wiring.md").read_text(encoding="utf-8")
    servers = [*MODBUS_TCP, *MODBUS_RTU, *MAP_FIELDS]
    fields = [*PROJECT, *TASK, *servers, *(f for row in IO_FIELDS.values() for f in row)]
    for field in fields:
        assert f"`{field.name}`" in text or f"`{field.name} =" in text, field.name
    for name in board_names():
        assert f"| `{name}` |" in text
