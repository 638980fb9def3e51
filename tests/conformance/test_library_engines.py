"""The whole library: every POU compiles, and gives the same image on CPython and MicroPython."""

from __future__ import annotations

import random
import struct
import subprocess
import types
from pathlib import Path

import pytest

from host_tools.compiler import library_index, tree
from tests.conformance import device_library
from tests.conformance.library_support import Running
from tests.conformance.test_engine_ops import ROOT, executable

EXAMPLES = {
    "BOOL": "TRUE", "STRING": "'-12.75E2 kg'", "DATE": "D#2024-02-29", "TOD": "TOD#12:34:56.7",
    "DT": "DT#2024-02-29-12:34:56", "TIME": "T#25ms", "LDATE": "LDATE#2024-02-29",
    "LTOD": "LTOD#12:34:56.7", "LDT": "LDT#2024-02-29-12:34:56", "LTIME": "LTIME#25ms",
    "DATE_AND_TIME": "DT#2024-02-29-12:34:56", "REAL": "0.625", "LREAL": "0.625",
}  # fmt: skip
# Where an ordinary value is none for this parameter.
PARTICULAR = {"__TURNS_REAL": {"x": "1.0E+20"}, "__TURNS_LREAL": {"x": "1.0E+200"},
              "__REAL_TEXT": {"m": "12345", "e": "-3", "least": "6", "most": "9", "plain": "7"},
              "__DECIMAL": {"precision": "24", "lowest": "-149"}}  # fmt: skip


PARAMETERS = ("VAR_INPUT", "VAR_OUTPUT", "VAR_IN_OUT")


def type_name(spec: tree.TypeSpec) -> str:
    if isinstance(spec, tree.StringSpec):
        return "STRING"
    assert isinstance(spec, tree.NamedType)
    return spec.name.upper()


def everything() -> str:
    """A program that calls every POU of the library."""
    names: list[str] = []
    statements: list[str] = []
    for entry in library_index.index().values():
        pou = library_index.parse_entry(entry, 0)
        arguments = []
        for block in pou.blocks:
            for decl in block.decls if block.kind in PARAMETERS else ():
                if isinstance(decl.type, tree.ArraySpec):
                    continue
                kind = type_name(decl.type)
                for ident in decl.names:
                    if block.kind == "VAR_OUTPUT":
                        names.append(f"v{len(names)} : {kind};")
                        arguments.append(f"{ident.name} => v{len(names) - 1}")
                    elif block.kind == "VAR_IN_OUT":
                        names.append(f"v{len(names)} : {kind} := {EXAMPLES.get(kind, '1')};")
                        arguments.append(f"{ident.name} := v{len(names) - 1}")
                    else:
                        value = PARTICULAR.get(entry.name, {}).get(ident.name)
                        arguments.append(f"{ident.name} := {value or EXAMPLES.get(kind, '7')}")
        call = f"({', '.join(arguments)});"
        if pou.kind == "FUNCTION_BLOCK":
            names.append(f"v{len(names)} : {entry.name};")
            statements.append(f"v{len(names) - 1}{call}")
        elif pou.result is None:
            statements.append(entry.name + call)
        else:
            names.append(f"v{len(names)} : {type_name(pou.result)};")
            statements.append(f"v{len(names) - 1} := {entry.name}{call}")
    newline = "\n    "
    return f"PROGRAM p VAR {newline.join(names)} END_VAR {newline.join(statements)} END_PROGRAM"


def mathematics(kind: str) -> str:
    functions = ("SIN", "COS", "TAN", "ASIN", "ACOS", "ATAN", "EXP", "LN", "LOG")
    arrays = "".join(f"{f.lower()}_ : ARRAY[0..199] OF {kind};" for f in functions)
    calls = "".join(f"{f.lower()}_[i] := {f}(x[i]);" for f in functions)
    return f"""
        PROGRAM p
        VAR x, y, expt_, atan2_, back : ARRAY[0..199] OF {kind}; {arrays} i : DINT;
            s : ARRAY[0..199] OF STRING[32]; END_VAR
        FOR i := 0 TO 199 DO
            {calls}
            expt_[i] := x[i] ** y[i];
            atan2_[i] := ATAN2(y[i], x[i]);
            s[i] := {kind}_TO_STRING(x[i]);
            back[i] := STRING_TO_{kind}(s[i]);
        END_FOR;
        END_PROGRAM"""


def prepare(name: str, folder: Path, scans: int) -> tuple[Running, bytes]:
    """The program with its inputs set, written to `folder`, and its images on CPython."""
    rng = random.Random(name)
    running = Running(everything() if name == "all" else mathematics(name.upper()))
    if name != "all":
        code, size = ("f", 4) if name == "real" else ("d", 8)
        for i in range(400):
            bits = rng.getrandbits(size * 8)
            if i % 4:  # most of them of ordinary size
                bits = struct.unpack(
                    "<I" if size == 4 else "<Q",
                    struct.pack("<" + code, rng.uniform(-1, 1) * 4.0 ** rng.randrange(-6, 7)),
                )[0]
            path = "p.x" if i < 200 else "p.y"
            at = running.at(path) + i % 200 * size
            running.image[at : at + size] = bits.to_bytes(size, "little")
    (folder / f"{name}.py").write_text(running.source, encoding="utf-8")
    (folder / f"{name}.image").write_bytes(running.image)
    module = types.ModuleType(name)
    exec(compile(running.source, name, "exec"), module.__dict__)
    return running, bytes(device_library.scan_images(module, bytearray(running.image), scans))


@pytest.mark.parametrize("name", ["all", "real", "lreal"])
def test_same_image_on_micropython(name: str, tmp_path: Path) -> None:
    scans = 10 if name == "all" else 1
    running, expected = prepare(name, tmp_path, scans)
    driver = ROOT / "tests/conformance/device_library.py"
    command = [executable("micropython"), driver, ROOT, tmp_path, str(scans), name]
    subprocess.run(command, check=True, timeout=120)
    result = (tmp_path / f"{name}.result").read_bytes()
    size = len(running.image)
    wrong = {i % size for i in range(len(expected)) if result[i] != expected[i]}
    assert len(result) == len(expected)
    assert not wrong, sorted(wrong)[:10]
