"""The models of bus devices as instruments of a bench: their keys in bench.toml, their channels.

They sit on buses of an emulated Pico under test. Digital channels carry levels, analogue ones the
quantity itself, in the unit that the table in docs/bench-instruments.md gives: a signal's `range`
and `volts` then are the same two numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from hil_tests.device import Device, Point
from hil_tests.instruments.models.adc import Ads1115, Mcp3208
from hil_tests.instruments.models.can_bus import CanBus, CanStation
from hil_tests.instruments.models.expander import Mcp23017, Pcf8574
from hil_tests.instruments.models.mcp2515 import Mcp2515
from hil_tests.instruments.models.modbus_slave import ModbusSlave, Quantity, Registers
from hil_tests.instruments.models.temperature import Lm75
from hil_tests.recording import Value
from host_tools.failure import USAGE, Failure
from host_tools.pico import EmulatedPico, PicoError
from host_tools.wiring.schema import Any_, Field, Number, Text, Whole

_PIN = Text(pattern=r"GP\d+", form='a pin of the board, as "GP6"')
_BUS = Field("bus", Whole(0, 1), "number of the board's I2C or SPI", default=0)


def _address(default: int) -> Field:
    return Field("address", Whole(0x08, 0x77), "on the bus", default=default)


def _pin(name: str, doc: str) -> Field:
    return Field(name, _PIN, doc)


PCF8574 = (_BUS, _address(0x20), _pin("interrupt", "where INT goes"))
MCP23017 = (
    _BUS,
    _address(0x20),
    _pin("interrupt_a", "where INTA goes"),
    _pin("interrupt_b", "where INTB goes"),
)
ADS1115 = (_BUS, _address(0x48), _pin("alert", "where ALERT/RDY goes"))
MCP3208 = (
    _BUS,
    Field("chip_select", _PIN, "where CS comes from", required=True),
    Field("reference", Number(0.25, 5.5, "V"), "voltage at VREF", default=3.3),
)
LM75 = (_BUS, _address(0x48), _pin("os", "where OS goes"))
MCP2515 = (
    _BUS,
    Field("chip_select", _PIN, "where CS comes from", required=True),
    _pin("interrupt", "where INT goes"),
    Field("crystal", Number(1e6, 40e6, "Hz"), "of the oscillator", default=16e6),
    Field("bit_rate", Whole(5000, 1_000_000, "bit/s"), "of the other station", default=500_000),
)
MODBUS_SLAVE = (
    Field("uart", Whole(0, 1), "number of the board's UART", default=0),
    Field("unit", Whole(1, 247), "its address", default=1),
    Field("coils", Whole(0, 1000), "how many, from address 0 on", default=0),
    Field("discrete_inputs", Whole(0, 1000), "how many, from address 0 on", default=0),
    Field("quantities", Any_(), "name = { table, address, scale, offset, words, signed }"),
)


class _OnPico(Protocol):
    """A device that is an emulated Pico."""

    pico: EmulatedPico
    time_ns: int


def _number(pin: str | None) -> int | None:
    return None if pin is None else int(pin[2:])


def _attached(attach: Callable[[], None], name: str) -> None:
    try:
        attach()
    except PicoError as error:
        raise Failure(f"the instrument '{name}': {error}", "", USAGE) from None


class _Channels:
    """A model with its channels: for each, how it is written and how it is watched."""

    def __init__(self, model: Any, device: _OnPico) -> None:
        self.model = model
        self.channels: tuple[str, ...] = ()
        self._device = device
        self._write: dict[str, Callable[[Value], None]] = {}
        self._watch: dict[str, Callable[[Callable[[Value], None]], None]] = {}

    def add(
        self,
        name: str,
        write: Callable[[Value], None] | None = None,
        watch: Callable[[Callable[[Value], None]], None] | None = None,
    ) -> None:
        self.channels = (*self.channels, name)
        if write is not None:
            self._write[name] = write
        if watch is not None:
            self._watch[name] = watch

    def write(self, point: Point, value: Value) -> None:
        if point.pin not in self._write:
            raise Failure(
                f"the channel '{point.pin}' cannot be set: the device gives it",
                'say direction = "out" for its signal',
                USAGE,
            )
        self._write[point.pin](value)

    def watch(self, point: Point, callback: Callable[[int, Value], None]) -> None:
        if point.pin not in self._watch:
            raise Failure(
                f"the channel '{point.pin}' gives nothing: it is set for the device",
                'say direction = "in" for its signal',
                USAGE,
            )
        self._watch[point.pin](lambda value: callback(self._device.time_ns, value))

    def close(self) -> None: ...


def expander_channels(options: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"P{n}" for n in range(8))


def ports_channels(options: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"GP{port}{n}" for port in "AB" for n in range(8))


def _pins_of(model: Pcf8574 | Mcp23017, names: tuple[str, ...], device: _OnPico) -> _Channels:
    made = _Channels(model, device)
    for number, name in enumerate(names):

        def write(value: Value, number: int = number) -> None:
            model.set(number, None if value is None else bool(value))

        def watch(tell: Callable[[Value], None], number: int = number) -> None:
            tell(model.level(number))
            model.watch(lambda pin, level: tell(level) if pin == number else None)

        made.add(name, write, watch)
    return made


def pcf8574(options: dict[str, Any], device: Device) -> _Channels:
    model, board = Pcf8574(), cast(_OnPico, device)
    interrupt = _number(options["interrupt"])
    _attached(
        lambda: model.attach(board.pico, options["bus"], options["address"], interrupt), "pcf8574"
    )
    return _pins_of(model, expander_channels(options), board)


def mcp23017(options: dict[str, Any], device: Device) -> _Channels:
    model, board = Mcp23017(), cast(_OnPico, device)
    interrupts = _number(options["interrupt_a"]), _number(options["interrupt_b"])
    _attached(
        lambda: model.attach(board.pico, options["bus"], options["address"], *interrupts),
        "mcp23017",
    )
    return _pins_of(model, ports_channels(options), board)


def ads1115_channels(options: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"AIN{n}" for n in range(4))


def mcp3208_channels(options: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"CH{n}" for n in range(8))


def _volts_of(model: Ads1115 | Mcp3208, names: tuple[str, ...], device: _OnPico) -> _Channels:
    made = _Channels(model, device)
    for number, name in enumerate(names):

        def write(value: Value, number: int = number) -> None:
            model.volts[number] = float(value or 0.0)

        made.add(name, write)
    return made


def ads1115(options: dict[str, Any], device: Device) -> _Channels:
    model, board = Ads1115(), cast(_OnPico, device)
    alert = _number(options["alert"])
    _attached(
        lambda: model.attach(board.pico, options["bus"], options["address"], alert), "ads1115"
    )
    return _volts_of(model, ads1115_channels(options), board)


def mcp3208(options: dict[str, Any], device: Device) -> _Channels:
    model, board = Mcp3208(options["reference"]), cast(_OnPico, device)
    chip_select = int(options["chip_select"][2:])
    _attached(lambda: model.attach(board.pico, options["bus"], chip_select), "mcp3208")
    return _volts_of(model, mcp3208_channels(options), board)


def lm75_channels(options: dict[str, Any]) -> tuple[str, ...]:
    return ("temperature", "overtemperature")


def lm75(options: dict[str, Any], device: Device) -> _Channels:
    model, board = Lm75(), cast(_OnPico, device)
    os = _number(options["os"])
    _attached(lambda: model.attach(board.pico, options["bus"], options["address"], os), "lm75")
    made = _Channels(model, board)

    def write(value: Value) -> None:
        model.temperature_c = float(value or 0.0)

    def watch(tell: Callable[[Value], None]) -> None:
        tell(model.overtemperature)
        model.watch(tell)

    made.add("temperature", write)
    made.add("overtemperature", None, watch)
    return made


def no_channels(options: dict[str, Any]) -> tuple[str, ...]:
    return ()


class CanInstrument(_Channels):
    """`model` is the controller, `bus` its CAN bus, `station` the other one on it."""

    def __init__(self, model: Mcp2515, bus: CanBus, station: CanStation, device: _OnPico) -> None:
        super().__init__(model, device)
        self.bus = bus
        self.station = station


def can(options: dict[str, Any], device: Device) -> CanInstrument:
    board = cast(_OnPico, device)
    bus = CanBus.on_clock_of(board.pico)
    model = Mcp2515(bus, round(options["crystal"]))
    chip_select = int(options["chip_select"][2:])
    interrupt = _number(options["interrupt"])
    _attached(lambda: model.attach(board.pico, options["bus"], chip_select, interrupt), "mcp2515")
    return CanInstrument(model, bus, CanStation(bus, options["bit_rate"]), board)


def slave_channels(options: dict[str, Any]) -> tuple[str, ...]:
    coils = [f"coil{n}" for n in range(options["coils"])]
    inputs = [f"input{n}" for n in range(options["discrete_inputs"])]
    return (*_quantities(options["quantities"]), *coils, *inputs)


def modbus_slave(options: dict[str, Any], device: Device) -> _Channels:
    board = cast(_OnPico, device)
    registers = Registers(
        coils=dict.fromkeys(range(options["coils"]), False),
        discrete_inputs=dict.fromkeys(range(options["discrete_inputs"]), False),
    )
    model = ModbusSlave(options["unit"], registers, _quantities(options["quantities"]))
    model.attach(board.pico, options["uart"])
    made = _Channels(model, board)
    watchers: dict[tuple[str, int], list[Callable[[], None]]] = {}

    def written(table: str, address: int, _value: int) -> None:
        for changed in watchers.get((table, address), ()):
            changed()

    model.on_write = written
    for name, quantity in model.quantities.items():

        def write(value: Value, name: str = name) -> None:
            model.set(name, float(value or 0.0))

        def watch(
            tell: Callable[[Value], None], name: str = name, quantity: Quantity = quantity
        ) -> None:
            tell(model.value(name))
            last = quantity.address + quantity.words - 1
            changed = watchers.setdefault((quantity.table, last), [])
            changed.append(lambda: tell(model.value(name)))

        made.add(name, write, watch)
    for table, prefix in ((registers.coils, "coil"), (registers.discrete_inputs, "input")):
        for address in table:

            def set_bit(
                value: Value, table: dict[int, bool] = table, address: int = address
            ) -> None:
                table[address] = bool(value)

            def watch_bit(
                tell: Callable[[Value], None],
                table: dict[int, bool] = table,
                address: int = address,
            ) -> None:
                tell(table[address])
                watchers.setdefault(("coils", address), []).append(lambda: tell(table[address]))

            made.add(f"{prefix}{address}", set_bit, watch_bit if prefix == "coil" else None)
    return made


def _quantities(table: Any) -> dict[str, Quantity]:
    """Raises Failure."""
    found = {}
    if not isinstance(table or {}, dict):
        raise Failure("'quantities' of a modbus-slave must be a table", _FORM, USAGE)
    for name, keys in (table or {}).items():
        try:
            quantity = Quantity(**keys)
        except TypeError as error:
            raise Failure(f"the quantity '{name}': {error}", _FORM, USAGE) from None
        if quantity.table not in ("holding", "inputs"):
            raise Failure(f"the quantity '{name}' is in no table '{quantity.table}'", _FORM, USAGE)
        found[name] = quantity
    return found


_FORM = 'as { table = "inputs", address = 10, scale = 0.1 }; table: holding or inputs'
