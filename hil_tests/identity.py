"""What exactly was tested: SHA-256 of firmware, bundle, wiring and bench file."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from host_tools.build import Program
from host_tools.failure import Failure

if TYPE_CHECKING:
    from hil_tests.bench import Bench

_bundles: list[tuple[Program, str, bytes]] = []


def packed_bundle(program: Program, kind: str) -> bytes:
    """The bundle as the device gets it; made once for each program. Raises Failure."""
    for kept, of, pack in _bundles:
        if kept is program and of == kind:
            return pack
    from host_tools.runs import architecture

    # The host runs the program without a bundle; this is the one that MicroPython would get.
    target = "micropython" if kind == "host" else kind
    pack = program.bundle("armv6m" if kind == "pico" else architecture(target, program)).pack()
    _bundles.append((program, kind, pack))
    del _bundles[:-4]
    return pack


def hashes(bench: Bench) -> dict[str, str]:
    """ "firmware" (of what runs the program, where it is a file), "bundle", "wiring", "bench"."""
    found = {}
    image = bench.firmware
    if image is not None:
        found["firmware"] = _digest(image.read_bytes())
    with suppress(Failure):  # the compiler for a bundle may be missing where the host runs it
        found["bundle"] = _digest(packed_bundle(bench.program, bench.dut_line.kind))
    found["wiring"] = _digest(bench.program.project.wiring.source.text.encode())
    found["bench"] = _digest(bench.file.source.text.encode())
    return found


def about(bench: Bench) -> dict[str, str]:
    """For people: names and versions."""
    from host_tools.version import version

    wiring = bench.program.project.wiring
    found = {
        "takt": version(),
        "program": f"{wiring.name} {wiring.version}",
        "engine": bench.program.engine,
        "device": bench.dut_line.name,
    }
    if bench.firmware is not None:
        found["firmware"] = bench.firmware.name
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
