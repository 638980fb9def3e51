"""A bench that is set up: a device with its program, signals on wires, clock and plant."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from hil_tests.bench_file import BenchFile, Dut, PlantLine, refuse
from hil_tests.clock import Clock
from hil_tests.device import Device, Plant
from hil_tests.expect import Judge
from hil_tests.instruments.kinds import KINDS, Instrument
from hil_tests.signals import Signal, Signals
from hil_tests.wires import Wire, wires_of
from host_tools.build import Program
from host_tools.compiler.diagnostics import Reporter, did_you_mean
from host_tools.failure import USAGE, Failure
from host_tools.record import replace


@lru_cache(maxsize=16)
def program_of(project: Path, engine: str, target: str) -> Program:
    """The compiled program of a project for a kind of device. Raises Failure."""
    from host_tools.build import chosen_engine, compile
    from host_tools.project import load

    loaded = load(project, engine=None if engine == "auto" else engine)
    chosen = chosen_engine(loaded, target)[0]
    return compile(replace(loaded, wiring=replace(loaded.wiring, engine=chosen)))


def open_device(dut: Dut, program: Program, file: BenchFile) -> tuple[Device, Path | None]:
    """The device with the program on it, before its start, and the file with what runs it.
    Raises Failure."""
    if dut.kind == "host":
        from hil_tests.devices.host import host_device

        return host_device(program), None
    if dut.kind == "micropython":
        from hil_tests.devices.micropython import micropython_device
        from host_tools.remote import find_micropython

        return micropython_device(program), Path(find_micropython())
    if dut.kind == "pico":
        from hil_tests.devices.pico import pico_device

        device = pico_device(program, dut.firmware, file.path.parent)
        return device, device.uf2
    from hil_tests.devices.serial import serial_device

    return serial_device(dut, program, file), None


class Bench:
    """`signals`, `clock`, `judge` and the device `dut`; `begin` starts it. `plant` is None until
    `connect_plant`."""

    def __init__(
        self,
        file: BenchFile,
        dut: Dut,
        program: Program,
        device: Device,
        firmware: Path | None = None,
    ) -> None:
        self.file = file
        self.dut_line = dut
        self.program = program
        self.dut = device
        self.firmware = firmware
        self.clock = Clock(device)
        self.judge = Judge(device.recording, self.clock, dut.edge_ns, dut.analogue)
        wires = wires_of(file, program)
        self.instruments: dict[str, Instrument] = {}
        missing = self._attach_instruments()
        self.signals = Signals(
            {n: self._signal(wire) for n, wire in wires.items() if wire.instrument not in missing},
            {n: missing[w.instrument] for n, w in wires.items() if w.instrument in missing},
        )
        self.plant: Plant | None = None
        self.started = False

    def _attach_instruments(self) -> dict[str, str]:
        """Those that the device can have; of the others, by name, why not."""
        missing = {}
        for line in self.file.instruments.values():
            kind = KINDS[line.kind]
            if kind.make is None:
                continue
            lacking = sorted(kind.needs - self.capabilities)
            if lacking:
                missing[line.name] = (
                    f"the instrument '{line.name}' needs {', '.join(lacking)}, which device "
                    f"'{self.dut_line.name}' has not"
                )
            else:
                self.instruments[line.name] = kind.make(line.options, self.dut)
        return missing

    def _signal(self, wire: Wire) -> Signal:
        place = self.instruments[wire.instrument] if wire.instrument else self.dut
        signal = Signal(wire, self.dut, place)
        signal.judge = self.judge
        return signal

    @property
    def capabilities(self) -> frozenset[str]:
        """What tests can ask for with `needs`."""
        line = self.dut_line
        return (self.dut.capabilities | frozenset(line.has)) - frozenset(line.lacks)

    def connect_plant(self) -> Plant:
        """Make the plant of bench.toml and let it step on the device's time. Raises Failure."""
        line = self.file.plant
        if line is None:
            raise Failure(
                "the bench has no plant",
                f'add [plant] with model = "module:Class" to {self.file.source.name}',
                USAGE,
            )
        plant = make_plant(line, self.file)
        names = {name: line.connect.get(name, name) for name in (*plant.takes, *plant.gives)}
        self._check_connections(line, plant, names)
        takes = {name: self.signals[names[name]] for name in plant.takes}
        gives = {name: self.signals[names[name]] for name in plant.gives}
        for signal in gives.values():
            signal.owner = "the plant"

        def step(now_ns: int) -> None:
            given = plant.step({name: signal.value for name, signal in takes.items()})
            for name, value in given.items():
                gives[name].drive(value)

        self.dut.every(plant.step_ns, step)
        self.plant = plant
        return plant

    def _check_connections(self, line: PlantLine, plant: Plant, names: dict[str, str]) -> None:
        reporter = Reporter()
        connect = line.values.node.get("connect")
        model = line.values.span("model")
        known = [signal.name for signal in self.signals]
        for name in line.connect:
            if name not in names:
                entry = connect.get(name) if connect else None
                reporter.report(
                    "E0702",
                    f"{line.model} takes and gives no '{name}'",
                    entry.key if entry else model,
                    help=did_you_mean(name, list(names)) or f"it has: {', '.join(names)}",
                )
        for name, to in names.items():
            entry = connect.get(name) if connect else None
            if to not in known:
                reporter.report(
                    "E0702",
                    f"the bench has no signal '{to}' for the plant",
                    entry.span if entry else model,
                    help=did_you_mean(to, known)
                    or f'connect = {{ {name} = "…" }} names the signal, one of: '
                    + ", ".join(known),
                )
            elif name in plant.gives and not self.signals[to].info.to_device:
                reporter.report(
                    "E0702",
                    f"the plant gives '{name}', but '{to}' is an output of the device",
                    entry.span if entry else model,
                    help="connect it to an input",
                )
        refuse(self.file.source, reporter)

    def begin(self) -> None:
        """Apply the initial values and start the device."""
        for signal in self.signals:
            if signal.info.to_device and not signal.driven:
                signal.drive(signal.wire.initial)
        self.started = True
        self.dut.start()

    def close(self) -> None:
        for instrument in self.instruments.values():
            instrument.close()
        self.dut.close()


def open_bench(file: BenchFile, name: str) -> Bench:
    """The bench with its device `name`, before the start. Raises Failure."""
    line = file.dut(name)
    program = program_of(file.project, line.engine, line.kind)
    device, firmware = open_device(line, program, file)
    return Bench(file, line, program, device, firmware)


def make_plant(line: PlantLine, file: BenchFile) -> Plant:
    """The model of [plant], with its parameters. Raises Failure."""
    reporter = Reporter()
    model, parameters = line.values.span("model"), line.values.node.get("parameters")
    module_name, colon, class_name = line.model.partition(":")
    made: Any = None
    try:
        module = _module(module_name, file.path.parent)
    except ImportError as error:
        reporter.report(
            "E0702",
            f"cannot import the plant: {error}",
            model,
            help="the module is a file beside bench.toml, or a module that Python finds",
        )
        refuse(file.source, reporter)
        raise AssertionError("unreachable") from None
    made = getattr(module, class_name, None)
    if not colon or made is None:
        known = [n for n, v in vars(module).items() if inspect.isclass(v) and hasattr(v, "step")]
        reporter.report(
            "E0702",
            f"'{module_name}' has no class '{class_name}'",
            model,
            help=did_you_mean(class_name, known) or f"it has: {', '.join(known)}",
        )
        refuse(file.source, reporter)
    accepted = list(inspect.signature(made).parameters)
    for name in line.parameters:
        if name not in accepted:
            entry = parameters.get(name) if parameters else None
            reporter.report(
                "E0702",
                f"{line.model} has no parameter '{name}'",
                entry.key if entry else model,
                help=did_you_mean(name, accepted) or f"it has: {', '.join(accepted)}",
            )
    refuse(file.source, reporter)
    try:
        plant: Plant = made(**line.parameters)
    except (TypeError, ValueError) as error:
        reporter.report(
            "E0702",
            f"{line.model} cannot be made: {error}",
            model,
            help="change the parameters",
        )
        refuse(file.source, reporter)
        raise
    return plant


def _module(name: str, folder: Path) -> ModuleType:
    """A file NAME.py beside bench.toml, or else a module that Python finds."""
    path = folder / f"{name}.py"
    if not path.is_file():
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(f"bench_{abs(hash(path))}_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
