"""Types and functions of other systems that people paste, and what to write instead."""

from __future__ import annotations

import re

from host_tools.compiler.tree import fold


def _table(text: str) -> dict[str, str]:
    """`NAME OTHER = advice`, one to a line."""
    found: dict[str, str] = {}
    for line in text.strip().splitlines():
        names, _, advice = line.partition(" = ")
        found.update(dict.fromkeys(names.split(), advice))
    return found


_TYPES = _table(
    """
TONR RTO = declare a TON, and call it with IN := …, PT := …; for a time that adds up: HOURS_RUN
TOFR = declare a TOF, and call it with IN := …, PT := …
FBD_TIMER TIMER = declare a TON, TOF or TP, and call it with IN := …, PT := …
FBD_COUNTER COUNTER CTUDR = declare a CTU, CTD or CTUD, and call it
FBD_ONESHOT OSRI = declare an R_TRIG, and call it with CLK := …
OSFI = declare an F_TRIG, and call it with CLK := …
IEC_TIMER IEC_LTIMER = declare it as TON, TOF or TP, and call it: t(IN := …, PT := …)
IEC_COUNTER IEC_SCOUNTER IEC_DCOUNTER IEC_UCOUNTER = declare it as CTU, CTD or CTUD, and call it
TON_LTIME TOF_LTIME TP_LTIME = declare it as TON, TOF or TP; TIME has nanoseconds here
S5TIME = use TIME; S5T#10s is written T#10s
VARIANT ANY POINTER = write one function for each type, or use VAR_IN_OUT with ARRAY[*]
DTL DATE_AND_LTIME = use DT
BCD16 BCD32 = use WORD or DWORD, and convert: BCD_TO_UINT(…)
EBOOL BIT = use BOOL; edges are found by R_TRIG and F_TRIG
T_MAXSTRING = write STRING[255]
T_TIMEOUT = use TIME
T_AMSNETID T_IPV4ADDR = write STRING[23]
__XWORD = use LWORD for 64 bits or DWORD for 32
__UXINT = use ULINT for 64 bits or UDINT for 32
__XINT = use LINT for 64 bits or DINT for 32
USTRING = use WSTRING; strings of UTF-8 (fourth edition) are not there
UCHAR = use WCHAR; characters of UTF-8 (fourth edition) are not there
MUTEX = let one task own the data, and tell the others by a BOOL
INT16 SHORT = use INT
INT32 INTEGER LONG = use DINT
INT64 = use LINT
INT8 = use SINT
UINT8 = use USINT
UINT16 = use UINT
UINT32 = use UDINT
UINT64 = use ULINT
FLOAT SINGLE = use REAL
DOUBLE = use LREAL
BOOLEAN = use BOOL
"""
)

_FUNCTIONS = _table(
    """
JSR SBR = put the routine into a function block or function, and call that
COP CPS FLL MOVE_BLK UMOVE_BLK FILL_BLK BLKMOV SCATTER GATHER MEMCPY = assign the array: b := a;
MEMSET MEMMOVE SYSMEMCPY = assign the array or structure: b := a;
GSV SSV = the system's values are in the layout and `takt log`, not in the program
PEEK PEEK_WORD PEEK_BOOL POKE POKE_BOOL = use an address such as %MB0, or a variable
CONVERT = name both types: INT_TO_REAL(…)
CEIL FLOOR = use TRUNC(…), and add 1 or subtract 1 where that is less or more
GET_DIW READ_DBL WRIT_DBL = use the name of the variable
__NEW __DELETE = memory is not taken while the program runs: declare a variable or an array
__QUERYINTERFACE __QUERYPOINTER = use the assignment attempt: other ?= this;
__ISVALIDREF = compare with NULL, or with 0 for a pointer
__TRY __CATCH __ENDTRY = what would fail is checked before: divisors, indices, references
RE = declare an R_TRIG, and call it with CLK := …
FE = declare an F_TRIG, and call it with CLK := …
DEG = multiply by 57.29578
RAD = multiply by 0.01745329
TRN = write TRUNC(…)
TIMETONANOSEC = write TIME_TO_LINT(…), which gives milliseconds
GETTIME = write TIME()
"""
)

_MITSUBISHI = re.compile(r"([XYMLBDWTC])(\d+)$", re.IGNORECASE)


def type_advice(name: str) -> str:
    """What to declare instead of another system's type; empty where that is not known."""
    return _TYPES.get(fold(name), "")


def function_advice(name: str) -> str:
    """What to write instead of another system's function; empty where that is not known."""
    return _FUNCTIONS.get(fold(name), "")


def variable_advice(name: str) -> str:
    """For `M100`, `X10`, `D5`, `IW64`: addresses without '%'."""
    m = _MITSUBISHI.match(name)
    if m is None:
        return ""
    area = {"X": "I", "Y": "Q"}.get(m[1].upper(), "M")
    size = "W" if m[1].upper() in "DWTC" else "X"
    example = (
        f"%{area}{size}{m[2]}" if size == "W" else f"%{area}X{int(m[2]) // 8}.{int(m[2]) % 8}"
    )
    return f"declare it, or write an address such as {example}"
