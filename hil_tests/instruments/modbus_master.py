"""A Modbus RTU master at the UART of an emulated Pico under test; its frames are recorded.

    master = ModbusMaster(dut, uart=1, unit=17)
    master.write(0, 1200)
    assert master.read(0) == [1200]

The device's time passes while an answer is waited for, so plants and faults go on. Check sums and
meanings are those of the bench's own log of frames, not those of the server that is tested.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from hil_tests.clock import Duration, nanoseconds
from hil_tests.devices.pico import PicoDevice
from hil_tests.recording import Frame
from hil_tests.report.modbus_frames import EXCEPTIONS, FUNCTIONS, crc16, is_rtu
from host_tools.failure import DEVICE, Failure

__tracebackhide__ = True

_SILENCE = 3.5
_FAST_BAUD, _FAST_NS = 19200, 1_750_000  # MODBUS over Serial Line V1.02, 2.5.1.1


class ModbusRefusal(AssertionError):
    """The server answered with an exception; `code` is its number (AP 7)."""

    def __init__(self, function: int, code: int) -> None:
        what = EXCEPTIONS.get(code, "no code of the standard")
        super().__init__(f"{FUNCTIONS.get(function, function)}: exception {code}, {what}")
        self.code = code


class ModbusMaster:
    """`timeout` is for the first byte of an answer. `spoil`, where it is set, is given each
    request frame and gives what is put on the line instead: for cut, corrupted, doubled frames."""

    def __init__(
        self,
        dut: PicoDevice,
        uart: int,
        unit: int,
        *,
        timeout: Duration = "500ms",
        bus: str = "modbus",
    ) -> None:
        self.unit = unit
        self.bus = bus
        self.spoil: Callable[[bytes], bytes] | None = None
        self._dut = dut
        self._timeout_ns = nanoseconds(timeout)
        self._line = dut.pico.uart(uart)
        self._number = uart
        self._heard = bytearray()
        self._began_ns = 0
        self._silence_ns = 0
        self._silent = True
        self._line.on_byte = self._byte
        self._alarm = dut.pico.mcu.clock.create_alarm(self._end)

    # --- frames ---------------------------------------------------------------------------------

    def _byte(self, value: int, time_ns: int) -> None:
        if not self._heard:
            self._began_ns = self._dut.time_ns - self._line.character_ns
        self._heard.append(value)
        self._silent = False
        self._alarm.cancel()
        self._alarm.schedule(self._silence_ns or _FAST_NS)

    def _end(self) -> None:
        self._silent = True
        self._dut.stop_run()

    def _pass(self, duration_ns: int, until: Callable[[], bool]) -> None:
        end_ns = self._dut.time_ns + duration_ns
        while not until() and self._dut.time_ns < end_ns:
            self._dut.run_for(end_ns - self._dut.time_ns)

    def exchange(self, data: bytes) -> bytes:
        """Put bytes on the line, and give what comes until the line is quiet again; b"" where
        nothing begins within the timeout. Raises Failure while the board has no UART set up."""
        if not self._line.baud:
            raise Failure(
                f"the board has not set up UART {self._number}",
                "does takt.toml of its program have [server.modbus-rtu] with this uart?",
                DEVICE,
            )
        fast = self._line.baud > _FAST_BAUD + _FAST_BAUD // 50
        self._silence_ns = _FAST_NS if fast else round(_SILENCE * self._line.character_ns)
        self._pass(self._silence_ns, lambda: False)
        self._heard.clear()
        self._record(self._dut.time_ns, data, True)
        if data:
            self._line.send(data)
            self._pass(len(data) * self._line.character_ns, lambda: False)
        self._pass(self._timeout_ns, lambda: bool(self._heard) and self._silent)
        if self._heard and not self._silent:
            self._pass(300 * self._line.character_ns, lambda: self._silent)
        answer = bytes(self._heard)
        self._heard.clear()
        if answer:
            self._record(self._began_ns, answer, False)
        return answer

    def _record(self, time_ns: int, data: bytes, to_device: bool) -> None:
        frame = Frame(time_ns, self.bus, to_device, data, good=is_rtu(data))
        self._dut.recording.frames.append(frame)

    def ask(self, pdu: bytes, unit: int | None = None) -> bytes:
        """The PDU of the answer. Raises ModbusRefusal for an exception, AssertionError where none
        comes, and for one that is no frame of this unit and function."""
        unit = self.unit if unit is None else unit
        body = bytes((unit,)) + pdu
        request = body + crc16(body).to_bytes(2, "little")
        answer = self.exchange(self.spoil(request) if self.spoil else request)
        what = FUNCTIONS.get(pdu[0], f"function {pdu[0]}")
        if not answer:
            raise AssertionError(f"{what}: no answer of unit {unit}")
        if not is_rtu(answer) or answer[0] != unit or answer[1] & 0x7F != pdu[0]:
            raise AssertionError(f"{what}: '{answer.hex(' ')}' is no answer of unit {unit}")
        if answer[1] & 0x80:
            raise ModbusRefusal(pdu[0], answer[2])
        return answer[1:-2]

    # --- what is asked --------------------------------------------------------------------------

    def read(self, address: int, count: int = 1, *, inputs: bool = False) -> list[int]:
        """Holding registers, or input registers."""
        pdu = self.ask(struct.pack(">BHH", 4 if inputs else 3, address, count))
        if len(pdu) != 2 + 2 * count or pdu[1] != 2 * count:
            raise AssertionError(f"{count} registers were asked for, the answer is {pdu.hex(' ')}")
        return list(struct.unpack_from(f">{count}H", pdu, 2))

    def read_bits(self, address: int, count: int = 1, *, inputs: bool = False) -> list[bool]:
        """Coils, or discrete inputs."""
        pdu = self.ask(struct.pack(">BHH", 2 if inputs else 1, address, count))
        if len(pdu) != 2 + (count + 7) // 8:
            raise AssertionError(f"{count} bits were asked for, the answer is {pdu.hex(' ')}")
        return [bool(pdu[2 + k // 8] >> k % 8 & 1) for k in range(count)]

    def write(self, address: int, *values: int) -> None:
        """Holding registers, 0 to 65535 each; one by function 6, several by function 16."""
        if len(values) == 1:
            self._confirmed(struct.pack(">BHH", 6, address, values[0]))
        else:
            head = struct.pack(">BHHB", 16, address, len(values), 2 * len(values))
            self._confirmed(head + struct.pack(f">{len(values)}H", *values))

    def write_coil(self, address: int, value: bool) -> None:
        """One coil."""
        self._confirmed(struct.pack(">BHH", 5, address, 0xFF00 if value else 0))

    def _confirmed(self, pdu: bytes) -> None:
        answer = self.ask(pdu)
        if answer != pdu[:5]:
            raise AssertionError(f"{pdu.hex(' ')} was confirmed by {answer.hex(' ')}")
