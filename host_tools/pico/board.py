"""An RP2040 board in emulation: real firmware, stepped in virtual time by the caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from host_tools.pico.errors import PicoError
from host_tools.pico.faults import Faults
from host_tools.pico.flash import FLASH_BYTES, files_in, with_files
from host_tools.pico.i2c import I2cBus
from host_tools.pico.pads import read_outputs_back
from host_tools.pico.pio import PioBlocks
from host_tools.pico.repl import RawRepl
from host_tools.pico.spi import SpiBus, SpiDevice
from host_tools.pico.timer import TickAlarm
from host_tools.pico.uart import Uart

if TYPE_CHECKING:
    from rp2040py.gpio_pin import GPIOPinState

PIN_COUNT = 30
"""GPIO0 to GPIO29 (RP2040 data sheet, 1.4.1)."""

ADC_FIRST_PIN = 26
ADC_FULL_SCALE = 4095

# At full speed a 1 ms frame carries at most 19 bulk packets of 64 bytes (USB 2.0, table 5-9).
_USB_PACKET_US = 53
_BOOT_VIRTUAL_S = 10.0
_CYCLE_NS = 8  # 125 MHz
_REASON_TIMER = 1  # WATCHDOG REASON (RP2040 data sheet 4.7.6)


class Edge(NamedTuple):
    """One change of a pin as the outside sees it."""

    time_ns: int
    pin: int
    level: bool | None
    """True high, False low, None when nothing drives or pulls the pin."""


class EmulatedPico:
    """A Raspberry Pi Pico running the given UF2; nothing moves until one of the run calls.

    Time is virtual and counted in nanoseconds since power-on. The same inputs given at the same
    virtual times give the same outputs. Raises `PicoError` when the emulator is not installed,
    when the image is not a UF2 for this chip, and when the firmware dies.
    """

    def __init__(self, uf2: Path, *, flash: bytes | None = None) -> None:
        try:
            from rp2040py.boards import BoardSpec
            from rp2040py.device.base_device import BaseDevice
            from rp2040py.execute_batch import execute_batch
        except ImportError as error:
            raise PicoError(
                "the emulated Pico needs the rp2040py package, which is not installed. "
                "Install it with: pip install 'takt-plc[pico]'"
            ) from error
        _check_uf2(uf2)
        self._device = BaseDevice(board=BoardSpec(image=uf2))
        self._execute_batch = execute_batch
        self.mcu = self._device.mcu
        self._simulator = self._device.simulator
        self._clock = self._simulator.clock
        self._deadline = self._clock.create_alarm(self._on_deadline)
        self._deadline_reached = False
        self._event = False
        self._output = bytearray()
        self._console_sink: Callable[[bytes], None] = self._output.extend
        self._input = bytearray()
        self._armed: tuple[int, int] | None = None
        self._connected = False
        self._connect_usb()
        TickAlarm.attach(self.mcu)
        self._faults = Faults(self.mcu, self._end_batch)
        # It comes in the middle of a batch, which would go on with the registers that it holds.
        self.mcu.watchdog.alarm.callback = self._on_watchdog
        self._timed_out = False
        self._uarts = tuple(Uart.attach(self.mcu, n, self.wake) for n in (0, 1))
        self._i2c = tuple(I2cBus(self.mcu, n) for n in (0, 1))
        self._spi = tuple(SpiBus(self.mcu, n) for n in (0, 1))
        self._pio = PioBlocks(self.mcu)
        read_outputs_back(self.mcu)
        self._external: dict[int, bool] = {}
        if flash is not None:
            self._lay_flash(flash)
        self._device.mcu.leave_reset()

    # -- time ------------------------------------------------------------------------------

    @property
    def time_ns(self) -> int:
        """Virtual time since power-on, in nanoseconds; a reset does not set it back."""
        return int(self._clock.nanos)

    @property
    def cycles(self) -> int:
        """Processor cycles executed so far; sleeping (WFE, WFI) executes none."""
        return int(self.mcu.core.cycles)

    def run_for(self, virtual_ns: int) -> None:
        """Let `virtual_ns` nanoseconds of virtual time pass."""
        end = self._clock.nanos + virtual_ns
        while self._clock.nanos < end:
            self._advance(end - self._clock.nanos)

    def run_until(
        self, predicate: Callable[[], bool], virtual_s: float, *, step_ns: int = 1_000_000
    ) -> bool:
        """Run until `predicate()` holds; False when `virtual_s` of virtual time went by first.

        The predicate is asked after everything the outside can notice (console output, a byte on
        a UART, a change of a watched pin) and at least every `step_ns` of virtual time.
        """
        end = self._clock.nanos + virtual_s * 1e9
        while not predicate():
            left = end - self._clock.nanos
            if left <= 0:
                return False
            self._advance(min(left, step_ns))
        return True

    def run_to_event(self, virtual_ns: float) -> None:
        """Run until the outside can notice something, as for `run_until`; `virtual_ns` at most."""
        if virtual_ns > 0:
            self._advance(virtual_ns)

    @property
    def idle_ns(self) -> float:
        """For how long nothing happens in the board unless the outside does something: 0 while
        the processor executes instructions."""
        return self._clock.nanos_to_next_alarm if self.mcu.core.waiting else 0

    def at(self, time_ns: float, call: Callable[[], None]) -> None:
        """Call at a virtual time; at once when it is past."""
        delay = time_ns - self._clock.nanos
        if delay <= 0:
            call()
        else:
            self._clock.create_alarm(call).schedule(delay)

    def step(self) -> tuple[int, int]:
        """Execute one instruction, or sleep to the next alarm: (number of the exception it belongs
        to, 0 for none, processor cycles). For measuring; slow."""
        core = self.mcu.core
        if core.waiting:
            self._clock.tick(self._clock.nanos_to_next_alarm)
            return 0, 0
        before = core.ipsr
        self._faults.forget()
        cycles = core.execute_instruction()
        self._clock.tick(cycles * _CYCLE_NS)
        if self._faults.pending:
            self._faults.enter()
        self._reset_by_watchdog()
        # An exception is entered before an instruction, and left by one.
        return max(before, core.ipsr) if before == 0 else before, cycles

    def wake(self) -> None:
        """Make the run call that is under way look at its predicate; for callbacks."""
        self._event = True
        self._simulator.stopped = True

    def _advance(self, virtual_ns: float) -> None:
        """Run to the end of `virtual_ns` or to the next event, whichever is first."""
        self._event = False
        self._deadline_reached = False
        self._simulator.stopped = False
        self._faults.forget()
        self._deadline.schedule(virtual_ns)
        try:
            while not self._simulator.stopped:
                self._execute_batch(self._simulator, 1)
                if self._faults.pending and self._faults.enter():
                    self._simulator.stopped = self._deadline_reached or self._event
                if self._reset_by_watchdog():
                    self._simulator.stopped = self._deadline_reached or self._event
        finally:
            self._deadline.cancel()
        if not (self._deadline_reached or self._event):
            raise PicoError(
                f"the firmware on the emulated Pico crashed {self.time_ns} ns after power-on: "
                f"{self._faults.text()}. "
                "Its last console output: " + repr(bytes(self._output[-200:]))
            )

    def _on_deadline(self) -> None:
        self._deadline_reached = True
        self._simulator.stopped = True

    def _on_watchdog(self) -> None:
        self._timed_out = True
        self._end_batch()

    def _reset_by_watchdog(self) -> bool:
        timed_out, self._timed_out = self._timed_out, False
        if timed_out:
            self.mcu.watchdog._reason = _REASON_TIMER
            self.mcu.watchdog.on_watchdog_trigger()
        return timed_out

    def _end_batch(self) -> None:
        self._simulator.stopped = True

    # -- power and flash -------------------------------------------------------------------

    def boot(self, virtual_s: float = _BOOT_VIRTUAL_S) -> None:
        """Run until the firmware has brought its USB console up.

        Raises `PicoError` when that takes longer than `virtual_s`.
        """
        if not self.run_until(lambda: self._connected, virtual_s):
            raise PicoError(
                f"the firmware did not bring its USB console up within {virtual_s} virtual "
                "seconds. Is the image MicroPython for RPI_PICO? Try: takt firmware build pico"
            )

    def reset(self) -> None:
        """Press and release RESET: registers to their reset values, flash kept, boots again."""
        self._device.hard_reset()

    def flash_image(self) -> bytes:
        """The whole flash as it is now, to be given to `EmulatedPico(flash=...)`."""
        return bytes(self.mcu.flash[:FLASH_BYTES])

    def restore_flash(self, image: bytes) -> None:
        """Put a flash image back and reset the board."""
        self._lay_flash(image)
        self.reset()

    def _lay_flash(self, image: bytes) -> None:
        if len(image) != FLASH_BYTES:
            raise PicoError(
                f"a flash image of a Pico has {FLASH_BYTES} bytes, this one {len(image)}. "
                "Use what flash_image() returned."
            )
        self.mcu.flash[:FLASH_BYTES] = image

    # -- console ---------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the firmware's USB console is up."""
        return self._connected

    def write_console(self, data: bytes) -> None:
        """Queue bytes for the console; the firmware takes them as fast as it reads."""
        self._input += data
        self._serve_input()

    def read_console(self) -> bytes:
        """What the console has printed since the last call."""
        data = bytes(self._output)
        self._output.clear()
        return data

    @property
    def unsent(self) -> int:
        """Console bytes queued that the firmware has not taken yet."""
        return len(self._input)

    def take_console(self, sink: Callable[[bytes], None] | None) -> None:
        """Hand console output to `sink` in place of `read_console`; None gives it back."""
        self._console_sink = self._output.extend if sink is None else sink

    def _connect_usb(self) -> None:
        usb = self.mcu.usb_ctrl
        serve_control = usb.on_endpoint_read
        on_reset = usb.on_reset

        # The emulator's own host answers a bulk OUT endpoint with an empty packet when it has
        # nothing to send, every 10 us, so the core never sleeps. A real host sends nothing.
        def serve(endpoint: int, size: int) -> None:
            if endpoint == 0:
                if serve_control is not None:
                    serve_control(endpoint, size)
                return
            self._armed = (endpoint, size)
            self._serve_input()

        def forget() -> None:
            self._armed = None
            self._connected = False
            self._input.clear()
            if on_reset is not None:
                on_reset()

        def connected() -> None:
            self._connected = True
            self.wake()

        def received(data: bytes | bytearray) -> None:
            self._console_sink(bytes(data))
            self.wake()

        usb.on_endpoint_read = serve
        usb.on_reset = forget
        self._device.cdc.on_device_connected = connected
        self._device.cdc.on_serial_data = received

    def _serve_input(self) -> None:
        if self._armed is None or not self._input:
            return
        endpoint, size = self._armed
        self._armed = None
        packet = bytes(self._input[:size])
        del self._input[: len(packet)]
        self.mcu.usb_ctrl.endpoint_read_done(endpoint, packet, _USB_PACKET_US)

    def raw_exec(
        self, source: str | bytes, timeout_virtual_s: float = 10.0
    ) -> tuple[bytes, bytes]:
        """Run Python on the board through the raw REPL; returns what it printed and its traceback.

        What the board was running is interrupted. Raises `PicoError` when the source has not
        ended after `timeout_virtual_s`.
        """
        return RawRepl(self).execute(source, timeout_virtual_s)

    def put_files(self, files: Mapping[str, bytes]) -> None:
        """Write files (path -> content) straight into the flash's file system and reset the board.

        Costs next to nothing; what lies there already stays. `upload_files` goes the way a real
        board needs.
        """
        self.restore_flash(with_files(self.flash_image(), files))

    def files(self) -> dict[str, bytes]:
        """The files in the flash's file system, read without running the board."""
        return files_in(self.flash_image())

    def upload_files(self, files: Mapping[str, bytes], timeout_virtual_s: float = 60.0) -> None:
        """Write files through the raw REPL of the running board, making folders."""
        RawRepl(self).put_files(files, timeout_virtual_s)

    def get_file(self, path: str, timeout_virtual_s: float = 60.0) -> bytes:
        """Read one file from the board; raises `PicoError` when it is not there."""
        return RawRepl(self).get_file(path, timeout_virtual_s)

    # -- pins ------------------------------------------------------------------------------

    def level(self, pin: int) -> bool | None:
        """The level on a pin: True high, False low, None when nothing drives or pulls it."""
        state = self.mcu.gpio[_checked(pin)].value
        return self._level_of(pin, state)

    def drive(self, pin: int, level: bool | None) -> None:
        """Drive a pin from outside; None lets go of it, so that only its pull decides."""
        gpio = self.mcu.gpio[_checked(pin)]
        if level is None:
            self._external.pop(pin, None)
            gpio.release_input()
        else:
            self._external[pin] = level
            gpio.set_input_value(level)
        self._pio.pin_changed(pin)

    def driven(self, pin: int) -> bool | None:
        """The level that the board drives on a pin; None when it does not, pulls aside."""
        return {"HIGH": True, "LOW": False}.get(self.mcu.gpio[_checked(pin)].value.name)

    def pulled(self, pin: int) -> bool | None:
        """The level to which the board pulls a pin; None without a pull."""
        state = self.mcu.gpio[_checked(pin)].value.name
        return {"INPUT_PULL_UP": True, "INPUT_PULL_DOWN": False}.get(state)

    def watch(self, pin: int, callback: Callable[[Edge], None]) -> Callable[[], None]:
        """Call `callback` at every change of what the board drives on `pin`.

        Returns a function that ends the watch.
        """
        last = self.level(pin)

        def changed(state: GPIOPinState, was: GPIOPinState) -> None:
            nonlocal last
            level = self._level_of(pin, state)
            # A reset lets go of a pin without a word: then `last` is of the time before it.
            if level != last or level != self._level_of(pin, was):
                last = level
                callback(Edge(self.time_ns, pin, level))
                self.wake()

        return self.mcu.gpio[_checked(pin)].add_listener(changed)

    def capture(self, *pins: int) -> list[Edge]:
        """A list to which every later edge on these pins is added."""
        edges: list[Edge] = []
        for pin in pins:
            self.watch(pin, edges.append)
        return edges

    def _level_of(self, pin: int, state: GPIOPinState) -> bool | None:
        name = state.name
        if name == "HIGH":
            return True
        if name == "LOW":
            return False
        if pin in self._external:
            return self._external[pin]
        return {"INPUT_PULL_UP": True, "INPUT_PULL_DOWN": False}.get(name)

    # -- analogue inputs and buses ---------------------------------------------------------

    def set_adc(self, pin: int, counts: int) -> None:
        """Set what the 12-bit converter reads on GPIO26 to GPIO29, in counts (0 to 4095)."""
        channel = pin - ADC_FIRST_PIN
        if not 0 <= channel <= 3:
            raise PicoError(f"GP{pin} has no analogue input: a Pico has them on GP26 to GP29")
        if not 0 <= counts <= ADC_FULL_SCALE:
            raise PicoError(f"{counts} is no 12-bit conversion result: use 0 to {ADC_FULL_SCALE}")
        self.mcu.adc.channel_values[channel] = counts

    def uart(self, number: int) -> Uart:
        """The far end of the line on UART 0 or 1."""
        if number not in (0, 1):
            raise PicoError(f"an RP2040 has UART 0 and UART 1, not {number}")
        return self._uarts[number]

    def i2c(self, number: int) -> I2cBus:
        """The far end of the bus on I2C 0 or 1."""
        if number not in (0, 1):
            raise PicoError(f"an RP2040 has I2C 0 and I2C 1, not {number}")
        return self._i2c[number]

    def spi(self, number: int) -> SpiBus:
        """The far end of the bus on SPI 0 or 1; devices join it with `attach_spi`."""
        if number not in (0, 1):
            raise PicoError(f"an RP2040 has SPI 0 and SPI 1, not {number}")
        return self._spi[number]

    def attach_spi(self, number: int, device: SpiDevice, chip_select: int) -> None:
        """Put a device on an SPI bus, its chip select (active low, pulled up) at a pin."""
        bus = self.spi(number)
        self.watch(chip_select, lambda edge: bus.chip_select(device, edge.level is False))
        bus.chip_select(device, self.mcu.gpio[chip_select].value.name == "LOW")


def _checked(pin: int) -> int:
    if not 0 <= pin < PIN_COUNT:
        raise PicoError(f"an RP2040 has GP0 to GP{PIN_COUNT - 1}, not GP{pin}")
    return pin


def _check_uf2(uf2: Path) -> None:
    try:
        with uf2.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise PicoError(
            f"cannot read the firmware image {uf2}: {error.strerror}. "
            "Make one with: takt firmware build pico"
        ) from error
    # Magic numbers and the RP2040 family (UF2 specification, file format).
    magic = head[:8] == b"UF2\n\x57\x51\x5d\x9e" and len(head) == 512
    if not magic or head[28:32] != b"\x56\xff\x8b\xe4":
        raise PicoError(
            f"{uf2} is not a UF2 image for the RP2040. Make one with: takt firmware build pico"
        )
