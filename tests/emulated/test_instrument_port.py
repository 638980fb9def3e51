"""The instrument on a serial port: its program is put on a board, which then answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests.instruments.link import SerialLink
from hil_tests.instruments.pico import PicoInstrument, main
from host_tools.failure import Failure
from host_tools.pico import EmulatedPico, SerialConsole

pytestmark = pytest.mark.emulated


@pytest.mark.slow  # the console of the emulated board goes through a pty, by the wall clock
def test_the_program_is_put_on_a_board_at_a_port(
    pico: EmulatedPico, capsys: pytest.CaptureFixture[str]
) -> None:
    with SerialConsole(pico) as console:
        assert main([console.path]) == 0
        told = capsys.readouterr().out
        assert told.startswith(f"instrument 1.0 on {console.path}, id ")
        assert told.endswith("resolution 64 ns\n")
        instrument = PicoInstrument(SerialLink(console.path), tries=60)
        instrument.set(3, True)
        instrument.stimulus(10, [(True, 10_000), (False, 20_000)])
        instrument.capture([10])
        instrument.start()
        assert instrument.read(3)
        edges = [(edge.time_ns, edge.level) for edge in instrument.edges()]
        assert edges[0] == (0, True)
        assert edges[1][1] is False
        assert abs(edges[1][0] - 10_000) <= 128
        instrument.close()
    assert pico.level(3) is True


def test_what_is_wrong_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([]) == 2
    assert "which port?" in capsys.readouterr().err
    assert main([str(tmp_path / "tty")]) == 3
    assert "there is no port" in capsys.readouterr().err
    with pytest.raises(Failure, match="cannot open the port"):
        SerialLink(str(tmp_path / "tty"))
