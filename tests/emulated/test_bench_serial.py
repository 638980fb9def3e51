"""A board with an instrument at its pins, as on a desk: two emulated Picos wired to each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests.bench import Bench, program_of
from hil_tests.bench_file import Dut, read_bench
from hil_tests.device import Point
from hil_tests.devices.pico import flash_with
from hil_tests.devices.pico_memory import Memory
from hil_tests.devices.serial import SerialDevice
from hil_tests.expect import expect
from hil_tests.instruments.board_pins import BoardPins
from hil_tests.instruments.link import EmulatedLink
from hil_tests.instruments.pico import PicoInstrument, program_files
from hil_tests.instruments.wire import WiredBoards
from host_tools.failure import Failure
from host_tools.pico import EmulatedPico
from tests.unit.bench_story import FOLDER, MS

pytestmark = pytest.mark.emulated

SIGNALS = {"button": "%IX0.0", "sensor": "%IX0.1", "lamp": "%QX0.0", "valve": "%QX0.1"}
WIRES = {"GP2": "GP10", "GP3": "GP11", "GP16": "GP2", "GP17": "GP3"}


class WiredTime:
    """Both boards' virtual time stands for the wall clock's."""

    def __init__(self, boards: WiredBoards) -> None:
        self._boards = boards

    def now_ns(self) -> int:
        return self._boards.time_ns

    def pass_ns(self, duration_ns: int) -> None:
        self._boards.run_for(duration_ns)


@pytest.fixture(scope="module")
def bench(pico_uf2: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    program = program_of(FOLDER, "native", "pico")
    board = EmulatedPico(pico_uf2, flash=flash_with(pico_uf2, program))
    layout = bytes.fromhex(program.manifest()["layout"])
    memory = Memory(board, layout, program.ir.image_size, 1)
    assert board.run_until(lambda: memory.find(True) is not None, 3.0)
    probe = EmulatedPico(pico_uf2)
    probe.boot()
    probe.put_files(program_files())
    probe.boot()
    link = EmulatedLink(probe, "the probe")
    instrument = PicoInstrument(link)
    boards = WiredBoards([board, probe])
    for pin, to in WIRES.items():
        at, there = int(pin[2:]), int(to[2:])
        if pin in ("GP2", "GP3"):
            boards.connect(probe, there, board, at)
        else:
            boards.connect(board, at, probe, there)
    link.join(boards)
    pins = BoardPins(instrument, WIRES, "probe")
    device = SerialDevice(pins, WiredTime(boards), lambda: None)
    line = Dut("board", "serial", edge_ns=10 * MS)
    # On this desk the converter and the analogue output have no wires.
    text = f'[bench]\nname = "desk"\nproject = "{FOLDER}"\n[signal]\n' + "".join(
        f'{name} = {{ to = "{to}" }}\n' for name, to in SIGNALS.items()
    )
    file = tmp_path_factory.mktemp("desk") / "bench.toml"
    file.write_text(text, encoding="utf-8")
    return Bench(read_bench(file), line, program, device)


def test_it_behaves_as_the_emulated_board_itself(bench: Bench) -> None:
    signals, clock = bench.signals, bench.clock
    bench.begin()
    with pytest.raises(Failure, match="pin GP26 of the board is not wired to the instrument"):
        bench.dut.write(Point("%IW0", "GP26", True, True), 1.0)
    clock.run("5ms")
    assert signals.lamp.value is False
    assert signals.valve.value is False
    signals.button.set(True)
    delay_ns = expect(signals.lamp).rises(within="145ms", not_before="120ms")
    # The stamp is the instrument's: when it happened, not when it was fetched.
    assert clock.now > bench.dut.recording.of("lamp")[-1].time_ns
    assert 120 * MS <= delay_ns <= 155 * MS
    width_ns = expect(signals.lamp).pulses(width="120ms", tolerance="1ms")
    assert abs(width_ns - 120 * MS) < 20_000
    signals.button.set(False)
    expect(signals.lamp).is_(False, within="45ms")


def test_what_it_cannot_do_is_said(bench: Bench) -> None:
    assert bench.capabilities == {"edges"}
    with pytest.raises(Failure, match="no 'variables' for a test") as raised:
        bench.dut.variable("main.scans")
    assert raised.value.help == 'mark the test: @pytest.mark.needs("variables")'
    with pytest.raises(Failure, match="no 'power'"):
        bench.dut.power_cut()
