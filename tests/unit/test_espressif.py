"""Espressif's gcc: found where its installers put it, refused where it is too old; and code whose
addresses are put right when it is loaded, made by Debian's gcc for the ESP8266 instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.compiler import c_engine, compile_sources
from host_tools.compiler.source import Source
from host_tools.failure import DEVICE, Failure
from host_tools.native import espressif
from host_tools.native.espressif import Compiler
from host_tools.native.module import ENTRY, build_module
from tests.conformance import generate
from tests.conformance.agreement import compiled
from tests.conformance.foreign import lx106_gcc, xtensa_routines

PLACES = {
    "PATH": "bin",
    "IDF_TOOLS_PATH": "idf/tools/xtensa-esp-elf/esp-14.2.0_20241119/xtensa-esp-elf/bin",
    "ESP-IDF": "home/.espressif/tools/xtensa-esp-elf/esp-13.2.0_20240530/xtensa-esp-elf/bin",
    "ESP-IDF 5.0": "home/.espressif/tools/xtensa-esp32-elf/esp-2022r1-11.2.0/xtensa-esp32-elf/bin",
    "PlatformIO": "home/.platformio/packages/toolchain-xtensa-esp-elf/bin",
    "PlatformIO, older": "home/.platformio/packages/toolchain-xtensa-esp32/bin",
    "Arduino": "home/.arduino15/packages/esp32/tools/esp-x32/2405/bin",
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the compiler."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IDF_TOOLS_PATH", str(tmp_path / "idf"))
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    return tmp_path


def install(folder: Path, version: str, name: str = "xtensa-esp32-elf-gcc") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f'#!/bin/sh\n[ "$1" = -dumpfullversion ] && echo {version}\n')
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("place", PLACES)
def test_it_is_found_where_it_is_installed(machine: Path, place: str) -> None:
    file = install(machine / PLACES[place], "13.2.0")
    assert espressif.find() == Compiler(file, (), "13.2.0")


def test_without_the_wrapper_for_the_chip_it_is_told_the_chip(machine: Path) -> None:
    file = install(machine / "bin", "14.2.0", "xtensa-esp-elf-gcc")
    assert espressif.find() == Compiler(file, ("-mdynconfig=xtensa_esp32.so",), "14.2.0")


def test_the_newest_of_an_installation_is_taken_and_an_old_one_in_path_is_not(
    machine: Path,
) -> None:
    install(machine / "bin", "8.4.0")
    tools = machine / "home/.espressif/tools/xtensa-esp-elf"
    for version in ("12.2.0", "14.2.0", "13.2.0"):
        install(tools / f"esp-{version}_20240530/xtensa-esp-elf/bin", version)
    assert espressif.find().version == "14.2.0"


def test_an_old_one_is_named_with_its_version(machine: Path) -> None:
    file = install(machine / "bin", "8.4.0")
    with pytest.raises(Failure) as failure:
        espressif.find()
    assert failure.value.message == (
        f"the C compiler for ESP32 is too old: {file} is version 8.4.0, needed is 11.2"
    )
    assert "--engine python" in failure.value.help


def test_what_is_no_compiler_is_not_taken_for_one(machine: Path) -> None:
    install(machine / "bin", "").write_text("#!/nowhere\n")
    with pytest.raises(Failure, match="is version unknown, needed is 11"):
        espressif.find()


def test_without_one_it_is_said_what_to_install(machine: Path) -> None:
    program = compile_sources([Source("main.st", "PROGRAM main\nEND_PROGRAM\n")]).program
    assert program is not None
    with pytest.raises(Failure, match="needs Espressif's C compiler") as failure:
        build_module(program, ["main.st"], "xtensawin")
    assert failure.value.exit_code == DEVICE
    for word in ("ESP-IDF 5", "PlatformIO", "Arduino", "--engine python"):
        assert word in failure.value.help


def test_addresses_in_the_code_are_found(tmp_path: Path) -> None:
    """`relocated` compares what it found with a link to a further place."""
    gcc = lx106_gcc()
    for n, p in enumerate(generate.collect(4, lreal=True)):
        text = c_engine.emit(compiled(f"generated{n}", p.text, tmp_path).ir)
        code = espressif.machine_code(text + xtensa_routines() + ENTRY, Compiler(gcc, (), ""))
        assert any(of == 0 for _, _, of in code.addresses)
        if code.rodata:
            assert any(of == 1 for _, _, of in code.addresses)
