"""The cut sweep on MicroPython firmware on the emulated Pico, with the program of the scan kernel;
tests/unit/test_cut_sweep.py has all of its cuts on a MicroPython process."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from hil_tests.devices.deployed import deployed_files
from hil_tests.faults.cut_deploy import outcome_of, recorded_on_pico, sweep_over, versions
from hil_tests.faults.cut_sweep import PicoBoots
from hil_tests.faults.flash import Flash, torn
from hil_tests.faults.process_board import ProcessBoard
from host_tools.deployment import deploy
from host_tools.device_files import ROOT
from host_tools.failure import Failure
from host_tools.pico import EmulatedPico
from host_tools.pico.flash import FILE_SYSTEM_START, files_in, with_files

pytestmark = pytest.mark.emulated

TANK = ROOT / "examples" / "tank"


def test_the_operation_that_makes_the_new_program_active_is_torn(pico_uf2: Path) -> None:
    old, new = versions(TANK, "auto", "pico")
    flash = with_files(EmulatedPico(pico_uf2).flash_image(), deployed_files(old))
    firmware, first = flash[:FILE_SYSTEM_START], flash[FILE_SYSTEM_START:]
    # A process does the same to the flash, but it cannot run a Pico's machine code.
    with ProcessBoard(first) as board, contextlib.suppress(Failure):
        deploy(board, new, None, lambda text: None)
    operations = board.operations
    content = Flash(first)
    for operation in operations:
        before = bytes(content.content)
        content.apply(operation)
        if files_in(firmware + bytes(content.content)).get("/takt/active") == b"b":
            break
    at = slice(operation.address, operation.address + operation.size)
    left = bytearray(before)
    left[at] = torn(operation, before[at], "weak", 1)
    boots = PicoBoots(pico_uf2, firmware)
    assert outcome_of(boots(bytes(left))) == "old"
    assert outcome_of(boots(bytes(content.content))) == "new"


@pytest.mark.slow
def test_after_any_cut_in_a_deployment_the_old_or_the_new_program_scans(pico_uf2: Path) -> None:
    old, new = versions(TANK, "auto", "pico")
    sweep = sweep_over(recorded_on_pico(old, new, pico_uf2), 1, print)
    print(sweep.table())
    assert set(sweep.outcomes()) == {"old", "new"}
    assert len(sweep.operations) > 140
    assert not any(row.found.error for row in sweep.rows)
