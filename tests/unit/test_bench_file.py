"""What is reported of bench.toml (bench_errors.txt), and what it comes to where it is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests.bench import Bench, make_plant, open_device, program_of
from hil_tests.bench_file import BenchRejected, find_bench, read_bench
from hil_tests.wires import wires_of
from host_tools.compiler.diagnostics import Diagnostic
from host_tools.failure import Failure
from tests.unit.error_cases import Case, cases, check, names

CASES = cases(Path(__file__).with_name("bench_errors.txt"))
PROJECT = {
    "takt.toml": """\
[project]
name = "pit"
board = "pico"
[io]
"%IX0.0" = { pin = "GP2", pull = "up", invert = true }
"%IW0" = { adc = "GP26", scale = [0, 22000] }
"%QX0.0" = { pin = "GP16", safe = true }
""",
    "pit.st": """\
PROGRAM main
VAR button AT %IX0.0 : BOOL; level AT %IW0 : INT; pump AT %QX0.0 : BOOL; END_VAR
pump := button AND level > 100;
END_PROGRAM
""",
    "basin.py": """\
class Basin:
    step_ns = 10_000_000
    takes = ("pump",)
    gives = ("level",)

    def __init__(self, inflow=1.0):
        if inflow < 0:
            raise ValueError("the inflow is negative")

    def step(self, inputs):
        return {"level": 50.0}
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def diagnose(folder: Path) -> list[Diagnostic]:
    """Read, join with the program and connect the plant, as a test does."""
    try:
        file = read_bench(folder)
        program = program_of(file.project, "python", "host")
        device, _ = open_device(file.dut("host"), program, file)
        bench = Bench(file, file.dut("host"), program, device)
        if file.plant is not None:
            bench.connect_plant()
    except BenchRejected as rejected:
        return rejected.diagnostics
    return []


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_one_mistake_is_one_diagnostic(case: Case, folder: Path) -> None:
    (folder / "bench.toml").write_text(case.text, encoding="utf-8")
    check(case, diagnose(folder))


def test_a_wire_maps_values_to_levels_and_volts(folder: Path) -> None:
    (folder / "bench.toml").write_text(
        """\
[bench]
name = "pit"
[signal]
button = { to = "%IX0.0" }
driven = { to = "%IX0.0", contact = false, invert = false }
pump = { to = "%QX0.0" }
level = { to = "%IW0", unit = "%", range = [0, 100], milliamperes = [4, 20], ohms = 150 }
current = { to = "%IW0", unit = "mA", range = [0, 22], raw = [0, 22000] }
""",
        encoding="utf-8",
    )
    file = read_bench(folder)
    wires = wires_of(file, program_of(file.project, "python", "host"))
    # A contact to ground: closed is low, open is left to the resistor.
    assert [wires["button"].applied(v) for v in (True, False, None)] == [False, None, None]
    assert [wires["driven"].applied(v) for v in (True, False, None)] == [True, False, None]
    assert [wires["pump"].seen(v) for v in (True, False, None)] == [True, False, None]
    level = wires["level"]
    assert level.applied(0) == pytest.approx(0.6)
    assert level.applied(100) == pytest.approx(3.0)
    assert level.seen(1.8) == pytest.approx(50)
    assert wires["current"].applied(11.0) == pytest.approx(1.65)
    assert [wires[name].initial for name in ("button", "pump", "level")] == [False, None, 0]
    assert wires["pump"].info.to_device is False


def test_a_device_without_a_section_is_of_its_kind(folder: Path) -> None:
    (folder / "bench.toml").write_text(
        '[bench]\nname = "pit"\n[dut.pico]\nedge = "2ms"\nlacks = ["power"]\n'
        '[dut.left]\nkind = "serial"\nserial = "E66"\n',
        encoding="utf-8",
    )
    file = read_bench(folder)
    assert (file.dut("pico").edge_ns, file.dut("pico").lacks) == (2_000_000, ("power",))
    assert (file.dut("host").kind, file.dut("host").edge_ns) == ("host", 0)
    assert file.dut("left").edge_ns == 20_000_000
    assert (file.dut("left").kind, file.dut("left").serial) == ("serial", "E66")
    with pytest.raises(Failure, match="no device 'lft'") as raised:
        file.dut("lft")
    assert raised.value.help == "did you mean 'left'?"


def test_bench_toml_is_found_upwards(folder: Path) -> None:
    (folder / "bench.toml").write_text('[bench]\nname = "pit"\n', encoding="utf-8")
    inner = folder / "tests" / "deep"
    inner.mkdir(parents=True)
    assert find_bench(inner) == folder / "bench.toml"
    with pytest.raises(Failure, match=r"cannot read .*nowhere"):
        read_bench(folder / "nowhere.toml")


def test_the_plant_is_made_with_its_parameters(folder: Path) -> None:
    (folder / "bench.toml").write_text(
        '[bench]\nname = "pit"\n[plant]\nmodel = "basin:Basin"\n', encoding="utf-8"
    )
    file = read_bench(folder)
    assert file.plant is not None
    assert make_plant(file.plant, file).step({}) == {"level": 50.0}
