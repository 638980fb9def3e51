"""Machine code in a .mpy whose addresses MicroPython puts right when it loads it, as that for
ESP32 needs: in code and in constants, of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools import firmware
from host_tools.mpy import compile_mpy
from host_tools.native.espressif import section
from host_tools.native.mpy import with_machine_code
from host_tools.native.relocated import relocated
from host_tools.native.toolchain import MEANING, zig
from tests.emulated.qemu_m3 import QemuM3

pytestmark = pytest.mark.emulated

CODE = """
typedef unsigned u32;
__attribute__((noinline)) static u32 twice(u32 x) { return 2 * x; }
__attribute__((noinline)) static u32 thrice(u32 x) { return 3 * x; }
static u32 (*const functions[])(u32) = {twice, thrice};
static const char *const names[] = {"abc", "xyz"};

__attribute__((section(".text.entry"), used))
u32 takt_entry(void *self, u32 n_args, u32 n_kw, const u32 *args)
{
    u32 n = args[0] >> 1;
    return functions[n & 1](names[n >> 1 & 1][n & 1]) << 1 | 1;
}
"""
SCRIPT = """
SECTIONS
{{
    .text {text:#x} : {{ *(.text.entry) *(.text .text.*) . = ALIGN(4); }}
    .rodata {rodata:#x} : {{ *(.rodata .rodata.* .data.rel.ro .data.rel.ro.*) . = ALIGN(4); }}
    /DISCARD/ : {{ *(.ARM.*) *(.comment) *(.note*) *(.debug*) }}
}}
"""


def test_micropython_puts_addresses_right(tmp_path: Path) -> None:
    (tmp_path / "program.c").write_text(CODE)
    target = [
        "-target",
        "thumb-freestanding-eabi",
        "-mcpu=cortex_m0plus",
    ]  # loads addresses as words
    zig(["cc", *target, *MEANING, "-c", "program.c", "-o", "program.o"], tmp_path)

    def link(text: int, rodata: int) -> tuple[bytes, bytes]:
        (tmp_path / "place.ld").write_text(SCRIPT.format(text=text, rodata=rodata))
        script = "-Wl,-T,place.ld,-e,takt_entry"
        zig(["cc", *target, "-nostdlib", script, "program.o", "-o", "made.elf"], tmp_path)
        content = (tmp_path / "made.elf").read_bytes()
        return section(content, ".text"), section(content, ".rodata")

    code = relocated(link)
    kinds = {(part, of) for part, _, of in code.addresses}
    assert kinds == {(0, 1), (1, 0), (1, 1)}
    module = compile_mpy("def enter(n):\n    return 0\n", "program.py")
    files = {"lib/program.mpy": with_machine_code(module, 0, code, "armv6m")}
    board = QemuM3(firmware.ensure("qemu-m3", progress=print), tmp_path, "native")
    said = board.console(files, "import program; print([program.enter(n) for n in range(4)])", 30)
    assert str([2 * ord("a"), 3 * ord("b"), 2 * ord("x"), 3 * ord("y")]) in said
