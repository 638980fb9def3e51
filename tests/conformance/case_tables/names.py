"""Names of any length, told apart by their last character (6.1.2)."""

from __future__ import annotations

from tests.conformance.case_tables.model import CaseFile

LENGTHS = (1, 6, 31, 32, 33, 64, 100, 101, 128, 254, 255, 256, 300, 1000)


def files() -> list[CaseFile]:
    f = CaseFile("6_1_2_lengths_of_names", "names", "Names of any length (6.1.2).")
    for n in LENGTHS:
        base = "v" * (n - 1)
        f.program(
            f"variables of {n} characters",
            "2.1" if n < 6 else "2.2",
            f"{base}w, {base}x : INT;",
            f"{base}w := 1; {base}x := {base}W + 1;",
            f"// expect main.{base}w = 1",
            f"// expect main.{base}x = 2",
        )
        f.program(
            f"functions, blocks and locals of {n} characters",
            "2.1" if n < 6 else "2.2",
            f"{base}w : {base}b; r : INT;",
            f"{base}w({base}i := 5); r := {base}f({base}w.{base}o);",
            "// expect main.r = 12",
            before=f"FUNCTION {base}f : INT\nVAR_INPUT {base}i : INT; END_VAR "
            f"VAR {base}t : INT; END_VAR\n"
            f"    {base}t := {base}i; {base}f := {base}t * 2;\nEND_FUNCTION\n"
            f"FUNCTION_BLOCK {base}b\nVAR_INPUT {base}i : INT; END_VAR "
            f"VAR_OUTPUT {base}o : INT; END_VAR\n    {base}o := {base}i + 1;\nEND_FUNCTION_BLOCK",
        )
    return [f]
