"""Paths and values as people type them: what is found, what is stored, and that the rest is
refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.compiler.compilation import Options, compile_sources
from host_tools.compiler.source import Source
from host_tools.variables import VariableError, Variables

PROGRAM = """
TYPE Color : (red, green := 5, blue); END_TYPE
PROGRAM main
VAR
    lamp AT %QX0.3 : BOOL;
    current AT %IW2 : INT;
    ratio AT %MD1 : REAL;
    raw AT %IW3 : WORD;
    mask : DWORD;
    color : Color;
    name : STRING[10];
    wide : WSTRING[10];
    pause : TIME;
    grid : ARRAY [0..1, 5..7] OF SINT;
    timer : TON;
END_VAR
END_PROGRAM
"""


@pytest.fixture(scope="module")
def variables() -> Variables:
    compilation = compile_sources([Source("main.st", PROGRAM)], Options(areas={"IX": 2}))
    assert compilation.layout is not None
    return Variables(compilation.layout)


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("%QX0.3", "TRUE", True),
        ("%IX1.7", "1", True),
        ("%QB0", "16#FF", 255),
        ("%IW2", "-1234", -1234),
        ("%IW3", "65535", 65535),
        ("%MD1", "1.5", 1.5),
        ("%MD0", "7", 7),
        ("MAIN.Mask", "2#1010", 10),
        ("main.mask.%X31", "TRUE", True),
        ("main.mask.%B1", "255", 255),
        ("main.color", "Color#green", "green"),
        ("main.color", "6", "blue"),
        ("main.name", "'two words'", "two words"),
        ("main.wide", "30 °C", "30 °C"),
        ("main.pause", "1s500ms", 1_500_000_000),
        ("main.grid[1,7]", "-128", -128),
        ("main.timer.PT", "T#2s", 2_000_000_000),
    ],
)
def test_what_is_written_is_read(
    variables: Variables, path: str, text: str, value: object
) -> None:
    image = bytearray(variables.layout["size"])
    offset, data, bit = variables.encode(path, text)
    if bit is None:
        image[offset : offset + len(data)] = data
    else:
        image[offset] |= data[0] << bit
    assert variables.read(image, path) == value


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("%IX0.8", "1", "the bits of a byte are 0 to 7"),
        ("%IX2.0", "1", "the last one is %IX1.7"),
        ("%IW9", "1", "the last one is %IW3"),
        ("%QW0", "1", "none are used"),
        ("%IX0", "1", "bits are %IX0.0"),
        ("%IW2", "32768", "INT takes -32768 to 32767"),
        ("%IW3", "-1", "WORD takes 0 to 65535"),
        ("main.mask.%X32", "1", "has no part"),
        ("main.mask.%X²", "1", "is no part"),
        ("main.mask.²", "1", "is no part"),
        ("main.maks", "1", "did you mean 'main.mask'"),
        ("main.color", "purple", "red, green, blue"),
        ("main.name", "eleven chars", "holds 10 characters, not 12"),
        ("main.name", "日本", "one byte for each character"),
        ("main.wide", "\udcff", "type it as UTF-8"),
        ("main.pause", "T#5x", "write T#500ms"),
        ("main.grid[2,5]", "1", "outside of 0..1"),
        ("main.grid[1]", "1", "has 2 dimensions, not 1"),
        ("main.grid[x,5]", "1", "is no index"),
        ("main.timer", "1", "is a structure"),
        ("main.lamp.x", "1", "has no members"),
        ("main.ratio", "1e99", "does not fit"),
    ],
)
def test_what_does_not_fit_is_said(variables: Variables, path: str, text: str, says: str) -> None:
    with pytest.raises(VariableError, match=says):
        variables.encode(path, text)


PATHS = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"%[IQMiqm][XBWDL]?[0-9]{0,3}(\.[0-9])?", fullmatch=True),
    st.from_regex(r"main\.(mask|grid|color|name|timer|ratio)[.\[%X,0-9²\]]{0,6}", fullmatch=True),
    st.sampled_from(
        [
            "main.mask",
            "main.color",
            "main.name",
            "main.wide",
            "main.pause",
            "%MD1",
            "main.grid[0,5]",
        ]
    ),
)
VALUES = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"[+-]?([0-9]{1,2}#)?[0-9A-Fa-f_]{1,30}", fullmatch=True),
    st.sampled_from(["NaN", "1e400", "T#", "T#1s-", "TRUE", "'", '"', "9" * 5000]),
    st.integers(),
    st.floats(),
    st.none(),
    st.lists(st.integers(), max_size=2),
)


@settings(derandomize=True, deadline=None, max_examples=400)
@given(PATHS, VALUES)
def test_no_text_is_more_than_a_mistake(variables: Variables, path: str, value: object) -> None:
    try:
        offset, data, bit = variables.encode(path, value)
    except VariableError:
        return
    assert 0 <= offset <= variables.layout["size"] - len(data)
    assert bit is None or (0 <= bit <= 7 and data in (b"\0", b"\1"))
