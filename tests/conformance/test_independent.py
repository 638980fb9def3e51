"""Random programs against an evaluation of the same source that knows nothing of the compiler:
expressions and statements of all elementary types, arrays, structures, functions, function blocks
and standard blocks, some with faults."""

from __future__ import annotations

import re

import pytest

from tests.conformance import independent_values
from tests.conformance.independent_programs import Writer, differences

SAMPLE = 100
ALL = 5000


def found(seeds: range) -> list[str]:
    wrong = []
    for seed in seeds:
        text, these = differences(seed)
        if these:
            wrong.append("\n".join([f"seed {seed}:", *these[:5], text]))
    return wrong


def test_programs_do_what_they_say() -> None:
    assert found(range(SAMPLE)) == []


@pytest.mark.slow
def test_many_programs_do_what_they_say() -> None:
    wrong = found(range(ALL))
    assert not wrong, "\n".join([f"{len(wrong)} of {ALL} programs differ", *wrong[:5]])


def test_programs_use_the_whole_language() -> None:
    """What is claimed to be generated is generated, within the sample."""
    text = "\n".join(Writer(seed).program().text for seed in range(SAMPLE))
    words = set(re.findall(r"[A-Z][A-Z_0-9]*", text))
    types = set(independent_values.SCALARS) | {"STRING", "WSTRING", "STRUCT", "ARRAY", "TYPE"}
    words_of_statements = {"IF", "ELSIF", "ELSE", "CASE", "FOR", "BY", "WHILE", "REPEAT", "EXIT"}
    words_of_statements |= {"CONTINUE", "RETURN", "FUNCTION", "FUNCTION_BLOCK", "VAR_IN_OUT"}
    operators = {
        "AND",
        "OR",
        "XOR",
        "NOT",
        "MOD",
        "AND_THEN",
        "OR_ELSE",
        "S",
        "R",
        "REF",
        "REF_TO",
    }
    functions = {"SEL", "MUX", "LIMIT", "MIN", "MAX", "ABS", "SQRT", "FLOOR", "CEIL", "ROUND"}
    functions |= {
        "SPLIT_DT",
        "TIME_TO_STRING",
        "STRING_TO_REAL",
        "FRAC",
        "SHL",
        "SHR",
        "ROL",
        "ROR",
        "SWAP",
        "LEN",
        "LEFT",
        "RIGHT",
        "MID",
    }
    functions |= {"CONCAT", "INSERT", "DELETE", "REPLACE", "FIND", "ADD", "MUL", "GT", "EQ"}
    functions |= {"IS_VALID", "IS_VALID_BCD", "TO_BIG_ENDIAN", "FROM_BIG_ENDIAN", "DAY_OF_WEEK"}
    blocks = {"TON", "TOF", "TP", "SR", "RS", "R_TRIG", "F_TRIG", "CTU_ULINT", "CTUD", "CTD_DINT"}
    wanted = types | words_of_statements | operators | functions | blocks
    assert wanted - words == set()
    conversions = {w for w in words if "_TO_" in w}
    assert len(conversions) > 250


def test_a_wrong_result_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = independent_values.quotient
    monkeypatch.setattr(independent_values, "quotient", lambda a, b: right(a, b) + (a < 0))
    assert found(range(25))
