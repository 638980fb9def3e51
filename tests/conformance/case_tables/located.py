"""Located variables: each area, size and type that fits, and those that do not (6.5.5)."""

from __future__ import annotations

import struct

from tests.conformance.case_tables.model import CaseFile, row

AREAS = (("I", "16.1", "inputs"), ("Q", "16.2", "outputs"), ("M", "16.3", "memory"))
SIZES = {
    "B": ("16.5", 8, ("BYTE", "SINT", "USINT", "CHAR")),
    "W": ("16.6", 16, ("WORD", "INT", "UINT", "WCHAR")),
    "D": ("16.7", 32, ("DWORD", "DINT", "UDINT", "REAL")),
    "L": ("16.8", 64, ("LWORD", "LINT", "ULINT", "LREAL", "TIME", "LTIME", "DATE", "TOD", "DT")),
}
WHOLE = {8: "BYTE", 16: "WORD", 32: "DWORD", 64: "LWORD"}


def bits_of(name: str, size: int) -> tuple[str, int]:
    """A value of a type as it is written, and the same bits as an unsigned number."""
    if name == "REAL":
        return "-1.5", struct.unpack("<I", struct.pack("<f", -1.5))[0]
    if name == "LREAL":
        return "0.1", struct.unpack("<Q", struct.pack("<d", 0.1))[0]
    if name == "CHAR":
        return "'A'", 0x41
    if name == "WCHAR":
        return '"A"', 0x41
    if name in ("TIME", "LTIME"):
        return "T#-1ns", (1 << 64) - 1
    if name in ("DATE", "TOD", "DT"):
        text = {"DATE": "D#1970-01-02", "TOD": "TOD#00:00:01", "DT": "DT#1970-01-01-00:01:00"}[
            name
        ]
        return text, {"DATE": 86_400, "TOD": 1, "DT": 60}[name] * 1_000_000_000
    if name in ("SINT", "INT", "DINT", "LINT"):
        return "-2", (1 << size) - 2
    return str((1 << size) - 1), (1 << size) - 1


def files() -> list[CaseFile]:
    f = CaseFile("6_5_5_located", "located", "Located variables and direct addresses (6.5.5).")
    for area, tag, word in AREAS:
        for x, feature in (("X", "16.4a"), ("", "16.4b")):
            f.program(
                f"%{area}{x}: a bit of the {word}",
                f"{tag}, {feature}, 16.10, 10.1",
                f"b AT %{area}{x}3.5 : BOOL; n : BYTE;",
                f"b := TRUE; n := %{area}B3;" if area != "I" else f"n := %{area}B3;",
                "// expect main.n = 32",
                before=f"// set %{area}X3.5 = TRUE",
            )
        for letter, (feature, size, kinds) in SIZES.items():
            for name in kinds:
                written, bits = bits_of(name, size)
                if area == "I":
                    f.program(
                        f"%I{letter}: {name}",
                        f"{tag}, {feature}, 16.9",
                        f"v AT %I{letter}4 : {name}; x : {name}; same : BOOL;",
                        row(f"x := v; same := x = {written};", "main.same", True),
                        before=f"// set %I{letter}4 = {written}",
                    )
                else:
                    f.program(
                        f"%{area}{letter}: {name}",
                        f"{tag}, {feature}, 16.9",
                        f"v AT %{area}{letter}4 : {name}; x : {WHOLE[size]};",
                        row(f"v := {written}; x := %{area}{letter}4;", "main.x", bits),
                    )
        f.case(
            f"%{area}: a global variable with an address",
            f"{tag}, 16.6, 62.7",
            f"VAR_GLOBAL g AT %{area}W2 : INT; END_VAR",
            f"// set %{area}W2 = 7",
            "PROGRAM main",
            "VAR x : INT; END_VAR",
            "    x := g + 1;  // expect main.x = 8",
            "END_PROGRAM",
        )
    for letter, (_, _, kinds) in SIZES.items():
        for name in ("BOOL", "INT", "DINT", "LREAL", "SINT"):
            if name not in kinds:
                f.program(
                    f"%Q{letter}: is not for {name}",
                    "",
                    f"v AT %Q{letter}1 : {name};  // error: E0274 at '%Q{letter}1'",
                    ";",
                )
    f.program(
        "%Q: initial values of outputs",
        "16.2, 14.1",
        "a AT %QW0 : INT := 5; b AT %QX4.0 : BOOL := TRUE; c AT %QD3 : REAL := 0.5;",
        "// expect %QW0 = 5",
        "// expect %QX4.0 = true",
        "// expect main.c = 0.5",
    )
    return [f]
