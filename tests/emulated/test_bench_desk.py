"""The pump pit on a desk: a board and an instrument on serial ports, their pins wired together.

Two emulated Picos stand for them. Everything goes the way it goes with real boards: the program is
deployed over the one port, its pins are worked through the other one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests.bench import Bench, program_of
from hil_tests.bench_file import read_bench
from hil_tests.devices.pico import flash_with
from hil_tests.devices.serial import serial_device
from hil_tests.expect import expect
from hil_tests.instruments import pico as instrument
from hil_tests.instruments.desk import Desk
from hil_tests.instruments.pico import program_files
from hil_tests.instruments.wire import WiredBoards
from host_tools import deployment
from host_tools.pico import EmulatedPico
from tests.unit.bench_story import FOLDER as OTHER

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

SUITES = Path(__file__).resolve().parents[2] / "hil_tests" / "suites"
INPUTS = range(2, 10)
OUTPUTS = range(16, 20)
LEVEL, LEVEL_PWM = 26, 14
# What is between the request and the pin, and the fetching of edges, takes real time.
LATE = "150ms"


def test_the_pump_pit_on_serial_ports(
    pico_uf2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An emulated board on a busy machine takes its time to start.
    monkeypatch.setattr(deployment, "_START_S", 300)
    monkeypatch.setattr(instrument, "_TRIES", 60)
    # The runtime is on the board, with another program.
    other = program_of(OTHER, "native", "pico")
    board = EmulatedPico(pico_uf2, flash=flash_with(pico_uf2, other))
    board.boot()
    probe = EmulatedPico(pico_uf2)
    probe.boot()
    probe.put_files(program_files())
    probe.boot()
    probe.run_for(100_000_000)
    wired = WiredBoards([board, probe])
    for pin in INPUTS:
        wired.connect(probe, pin, board, pin)
    for pin in OUTPUTS:
        wired.connect(board, pin, probe, pin)
    wired.connect_low_pass(probe, LEVEL_PWM, board, LEVEL)

    with Desk(wired, [board, probe]) as desk:
        text = (SUITES / "tank" / "bench.toml").read_text("utf-8").split("# A small pit")[0]
        project = SUITES.parent.parent / "examples" / "tank"
        text = text.replace('"../../../examples/tank"', f'"{project}"')
        wires = [f'GP{pin} = "GP{pin}"' for pin in (*INPUTS, *OUTPUTS)]
        wires.append(f'GP{LEVEL} = "GP{LEVEL_PWM}"')
        text += (
            f'[dut.board]\nkind = "serial"\nport = "{desk.paths[0]}"\nedge = "100ms"\n'
            f'[instrument.probe]\nkind = "pico"\nport = "{desk.paths[1]}"\n'
            f"wires = {{ {', '.join(wires)} }}\n"
        )
        path = tmp_path / "bench.toml"
        path.write_text(text, encoding="utf-8")
        file = read_bench(path)
        line = file.dut("board")
        program = program_of(file.project, "native", "serial")
        device = serial_device(line, program, file, desk)
        bench = Bench(file, line, program, device)
        signals, clock = bench.signals, bench.clock
        bench.begin()
        clock.run("200ms")
        assert [signals[n].value for n in ("pump_1", "pump_2", "lamp", "horn")] == [False] * 4
        # By hand, as long as the button is pressed.
        signals.hand_1.set(True)
        expect(signals.pump_1).rises(within=LATE)
        signals.hand_1.set(False)
        expect(signals.pump_1).falls(within=LATE)
        assert 0 < len(device.recording.of("pump_1")) <= 3
        # A motor that trips: lamp and horn.
        signals.protector_1.set(False)
        expect(signals.horn).rises(within="2s")
        assert device.fault() is None
        bench.close()
