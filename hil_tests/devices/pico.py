"""The device `pico`: real firmware on an emulated Pico, the program deployed in its flash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller import image as im
from hil_tests.device import Point, pin_number
from hil_tests.devices.beat import Beat
from hil_tests.devices.deployed import deployed_files
from hil_tests.devices.pico_memory import Found, Memory
from hil_tests.devices.stepped import FULL_SCALE_V
from hil_tests.recording import Recording, Release, Value
from host_tools.build import Program
from host_tools.failure import DEVICE, Failure
from host_tools.pico import Edge, EmulatedPico, PicoError
from host_tools.pico.flash import with_files
from host_tools.remote import read_message
from host_tools.simulation import fault_of
from host_tools.variables import Variables

LEAD_NS = 10_000
"""How long before the first release time is 0, so that what is due at the time of a release comes
before it."""

_LOOK_NS = 500_000  # a kernel begins 1 ms after its start
_BOOT_NS = 10_000_000_000
_PWM = 0x40050000  # RP2040 data sheet 4.5.3
_SLICE, _CC, _TOP = 0x14, 0x0C, 0x10
_SHORTEST_LOOK_NS = 1_000_000


_flashes: list[tuple[Path, Program, bytes]] = []
_FLASHES_KEPT = 4


def flash_with(uf2: Path, program: Program) -> bytes:
    """A flash image that holds firmware, runtime and the program. Raises Failure."""
    for kept_uf2, kept_program, flash in _flashes:
        if kept_uf2 == uf2 and kept_program is program:
            return flash
    files = deployed_files(program.bundle("armv6m"))
    try:
        made = with_files(EmulatedPico(uf2).flash_image(), files)
    except PicoError as error:
        raise Failure(f"the emulated Pico: {error}", "", DEVICE) from None
    _flashes.append((uf2, program, made))
    del _flashes[:-_FLASHES_KEPT]
    return made


class PicoDevice:
    """A `Device` (hil_tests/device.py). `pico` is the board, for instruments and faults that have
    to do with it. Its memory is looked at as a debugger does: nothing is asked of the program."""

    kind = "pico"
    capabilities = frozenset(
        {"virtual-time", "edges", "power", "uart", "i2c", "spi", "flash", "variables", "latency"}
    )

    def __init__(self, program: Program, uf2: Path) -> None:
        self.recording = Recording()
        self.program = program
        self.uf2 = uf2
        self.pico = EmulatedPico(uf2, flash=flash_with(uf2, program))
        self.pico.take_console(self._heard)
        self._manifest = program.manifest()
        self._without_pull = {
            row["pin"]
            for row in self._manifest["io"]["inputs"]
            if "pin" in row and not row.get("pull")
        }
        self._by_kernel = program.engine == "native"
        self._variables = Variables(program.layout)
        layout = bytes.fromhex(self._manifest["layout"])
        tasks = len(self._manifest["tasks"])
        self._memory = Memory(self.pico, layout, program.ir.image_size, tasks)
        self._found: Found | None = None
        self._beat = Beat()
        self._zero_ns = 0
        self._stopped = False
        self._started = False
        self._on = True
        self._watchers: dict[str, list[Callable[[int, Value], None]]] = {}
        self._analogue: dict[str, tuple[Point, Value]] = {}
        self._applied: dict[str, tuple[Point, Value]] = {}
        self._posts: list[tuple[int, bytes, int | None]] = []
        self._scans: list[int] = []
        self._first_ns = LEAD_NS
        self._line = b""

    # --- time ----------------------------------------------------------------------------------

    @property
    def time_ns(self) -> int:
        return self.pico.time_ns - self._zero_ns if self._started else 0

    def start(self) -> None:
        """Power the board up, and let time be 0 just before its first scan. Raises Failure."""
        found = self._wait_for_program()
        self._started = True
        self._zero_ns = self.pico.time_ns
        if found.start_us is not None:
            self._zero_ns = self._instant_ns(found.start_us) - LEAD_NS
            self.pico.run_for(self._zero_ns - self.pico.time_ns)
            self._zero_ns = self.pico.time_ns
        for pin in self._watchers:
            self._tell(0, pin, self._level(pin))
        self._look_at_analogue(0)
        periods = [t["interval_ns"] for t in self._manifest["tasks"] if t["interval_ns"]]
        if periods:
            self._beat.add(max(_SHORTEST_LOOK_NS, min(periods)), self._look_at_tasks, 1)

    def _wait_for_program(self) -> Found:
        end_ns = self.pico.time_ns + _BOOT_NS
        while self.pico.time_ns < end_ns:
            self._emulate(_LOOK_NS)
            found = self._memory.find(self._by_kernel)
            if found is not None:
                self._found = found
                return found
        raise Failure(
            "the program on the emulated Pico does not begin to scan",
            "; ".join(text for _, text in self.recording.notes[-3:]),
            DEVICE,
        )

    def _instant_ns(self, tick_us: int) -> int:
        """The time of the emulator at a tick of the board's timer."""
        before = self._memory.timer_us()
        while self._memory.timer_us() == before:
            self.pico.run_for(50)
        return self.pico.time_ns + self._memory.ahead_us(tick_us) * 1000

    def _emulate(self, duration_ns: int) -> None:
        try:
            self.pico.run_for(duration_ns)
        except PicoError as error:
            raise Failure(f"the emulated Pico: {error}", "", DEVICE) from None

    def run_for(self, duration_ns: int) -> None:
        end_ns = self.time_ns + duration_ns
        self._stopped = False
        beat = self._beat
        while self.time_ns < end_ns and not self._stopped:
            if beat.next_ns <= self.time_ns:
                beat.serve(self.time_ns)
                continue
            until_ns = min(end_ns, beat.next_ns)
            if self._posts:
                self._post()
                until_ns = min(until_ns, self.time_ns + 100_000)
            if self._on:
                self._run_to(until_ns)
            else:
                # Nothing runs without power, but time goes on.
                self._zero_ns -= until_ns - self.time_ns
        self.recording.end_ns = max(self.recording.end_ns, self.time_ns)

    def _run_to(self, until_ns: int) -> None:
        left_ns = until_ns - self.time_ns
        try:
            self.pico.run_until(lambda: self._stopped, left_ns / 1e9, step_ns=left_ns)
        except PicoError as error:
            raise Failure(f"the emulated Pico: {error}", "", DEVICE) from None

    def stop_run(self) -> None:
        self._stopped = True
        self.pico.wake()

    def every(self, period_ns: int, step: Callable[[int], None]) -> None:
        self._beat.add(period_ns, step, self.time_ns)

    def at(self, time_ns: int, call: Callable[[int], None]) -> None:
        self._beat.once(time_ns, call)

    # --- pins ----------------------------------------------------------------------------------

    def write(self, point: Point, value: Value) -> None:
        self._applied[point.pin] = (point, value)
        if self._on:
            self._apply(point, value)

    def _apply(self, point: Point, value: Value) -> None:
        pin = pin_number(point.pin)
        if point.analogue:
            volts = min(max(float(value or 0.0), 0.0), FULL_SCALE_V)
            self.pico.set_adc(pin, int(volts / FULL_SCALE_V * 4095 + 0.5))
        elif value is None and point.pin in self._without_pull:
            # Floating: low, as on the other devices.
            self.pico.drive(pin, False)
        else:
            self.pico.drive(pin, None if value is None else bool(value))

    def read(self, point: Point) -> Value:
        if not self._on:
            return None
        return self._volts(point.pin) if point.analogue else self._level(point.pin)

    def _level(self, pin: str) -> Value:
        return self.pico.level(pin_number(pin))

    def _volts(self, pin: str) -> Value:
        """The mean of a PWM output."""
        number = pin_number(pin)
        at = _PWM + _SLICE * (number >> 1 & 7)
        mcu = self.pico.mcu
        if not mcu.read_uint32(at) & 1:
            return None
        high = mcu.read_uint32(at + _CC) >> 16 * (number & 1) & 0xFFFF
        share: float = high / ((mcu.read_uint32(at + _TOP) & 0xFFFF) + 1)
        return min(1.0, share) * FULL_SCALE_V

    def watch(self, point: Point, callback: Callable[[int, Value], None]) -> None:
        new = point.pin not in self._watchers
        self._watchers.setdefault(point.pin, []).append(callback)
        if point.analogue:
            if not self._analogue:
                self._follow_pwm()
            self._analogue.setdefault(point.pin, (point, None))
        elif new:
            self.pico.watch(pin_number(point.pin), lambda edge: self._edge(point.pin, edge))
        if self._started:
            callback(self.time_ns, self.read(point))

    def _edge(self, pin: str, edge: Edge) -> None:
        if self._started and self._on:
            self._tell(edge.time_ns - self._zero_ns, pin, edge.level)

    def _tell(self, time_ns: int, pin: str, value: Value) -> None:
        for callback in self._watchers.get(pin, ()):
            callback(time_ns, value)

    def _follow_pwm(self) -> None:
        """Look at the analogue outputs whenever a register of the PWM block is written."""
        block: Any = self.pico.mcu.find_peripheral(_PWM)
        write = block.write_uint32

        def written(offset: int, value: int) -> None:
            write(offset, value)
            if self._started and self._on:
                self._look_at_analogue(self.time_ns)

        block.write_uint32 = written

    def _look_at_analogue(self, now_ns: int) -> None:
        for pin, (point, last) in self._analogue.items():
            value = self._volts(pin)
            if value != last:
                self._analogue[pin] = (point, value)
                self._tell(now_ns, pin, value)

    # --- the program ---------------------------------------------------------------------------

    def _program(self) -> Found:
        """Where it is in memory. Raises RuntimeError while it does not run."""
        if self._found is None and self._on:
            self._found = self._memory.find(self._by_kernel)
            if self._found is not None and self._found.start_us is not None:
                self._first_ns = self.time_ns + self._memory.ahead_us(self._found.start_us) * 1000
        if self._found is None:
            raise RuntimeError("the program does not run: the board has no power, or boots still")
        return self._found

    def variable(self, path: str) -> object:
        return self._variables.read(self._memory.image(self._program()), path)

    def set_variable(self, path: str, value: object) -> None:
        self._program()
        offset, data, bit = self._variables.encode(path, value)
        mask = None if bit is None else 1 << bit
        self.recording.acted_ns = self.time_ns
        self._posts.append((offset, data if bit is None else bytes((data[0] << bit,)), mask))

    def _post(self) -> None:
        if self._memory.store(self._program(), *self._posts[0]):
            del self._posts[0]

    def fault(self) -> dict[str, object] | None:
        if not self._on:
            return None
        return fault_of(im.read_fault(self._memory.image(self._program())), self._manifest, None)

    def _look_at_tasks(self, now_ns: int) -> None:
        """Note the scans since the last look, of each task the latest."""
        try:
            found = self._program()
        except RuntimeError:
            return
        tasks = self._manifest["tasks"]
        rows = self._memory.tasks(found, len(tasks))
        for n, (task, row) in enumerate(zip(tasks, rows, strict=True)):
            if row["scans"] != (self._scans[n] if self._scans else 0):
                self.recording.releases.append(
                    Release(
                        row["release"] + self._first_ns,
                        task["name"],
                        row["latency_us"] * 1000,
                        row["exec_us"] * 1000,
                    )
                )
        self._scans = [row["scans"] for row in rows]

    def _heard(self, data: bytes) -> None:
        """The console: messages of the runtime become notes."""
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            message: dict[str, Any] = read_message(line.decode(errors="replace").strip("\r\n "))
            text = str(message.get("text") or "") or str(message["is"])
            if text.strip():
                self.recording.notes.append((self.time_ns, text))

    # --- power ---------------------------------------------------------------------------------

    def power_cut(self) -> None:
        self._on = False
        self.recording.acted_ns = self.time_ns
        self._found = None
        self._posts.clear()
        self._scans = []
        for pin in self._watchers:
            self._tell(self.time_ns, pin, None)
        for pin, (point, _) in self._analogue.items():
            self._analogue[pin] = (point, None)

    def power_on(self) -> None:
        """The RAM is empty, as after a long time without power."""
        self.pico.mcu.sram[:] = bytes(len(self.pico.mcu.sram))
        self.pico.reset()
        self._on = True
        self.recording.acted_ns = self.time_ns
        for point, value in self._applied.values():
            self._apply(point, value)
        for pin in self._watchers:
            if pin not in self._analogue:
                self._tell(self.time_ns, pin, self._level(pin))

    def close(self) -> None:
        """The emulation ends with its last reference."""
        self.pico.take_console(None)


def pico_device(program: Program, firmware: str | None, folder: Path) -> PicoDevice:
    """The program deployed on an emulated Pico with Takt's own firmware, or the UF2 image
    `firmware`, a path from `folder`. Raises Failure."""
    from host_tools import firmware as images

    try:
        uf2 = (folder / firmware).resolve() if firmware else images.ensure("pico")
        return PicoDevice(program, uf2)
    except (PicoError, images.FirmwareError) as error:
        raise Failure(str(error), "", DEVICE) from None
