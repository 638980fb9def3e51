"""What the standard leaves to the implementer, with our values; constants come from the code."""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.compiler.compilation import DEFAULT_BUDGET
from host_tools.compiler.fields import MAX_BYTES
from host_tools.compiler.located import MAX_ADDRESS
from host_tools.compiler.lowering.sfc_networks import MAX_SITUATIONS
from host_tools.compiler.syntax.cursor import MAX_HEIGHT, MAX_NESTING
from host_tools.compiler.type_specs import MAX_STRING
from host_tools.compiler.types import DEFAULT_STRING


@dataclass(frozen=True)
class Parameter:
    """`test` names a test in test_parameters.py, or what else shows the value; empty where there
    is nothing to test."""

    clause: str
    name: str
    value: str
    test: str = ""


PARAMETERS = (
    Parameter(
        "6.1.1",
        "Characters in sources",
        "UTF-8; outside of comments and strings ASCII",
        "6_1_lexical",
    ),
    Parameter("6.1.2", "Length of identifiers", "no limit; all characters count", "identifiers"),
    Parameter("6.1.5", "Length and nesting of comments", "no limit", "comments"),
    Parameter(
        "6.2",
        "Pragmas",
        "accepted anywhere a comment may stand; carried, not interpreted",
        "6_1_lexical",
    ),
    Parameter(
        "6.3.4",
        "Resolution of durations",
        "1 ns; fractions of a nanosecond are refused",
        "6_3_4_durations",
    ),
    Parameter(
        "6.4.2",
        "Range of TIME, LTIME",
        "-(2**63) to 2**63 - 1 ns, about 292 years",
        "6_3_4_durations",
    ),
    Parameter(
        "6.4.2", "Range of dates", "1677-09-22 to 2262-04-11; 64 bits of nanoseconds", "dates"
    ),
    Parameter(
        "6.4.2",
        "TIME_OF_DAY",
        "64 bits of nanoseconds since midnight; sums are not cut",
        "7_3_2_dates",
    ),
    Parameter(
        "6.4.2",
        "Length of STRING, WSTRING",
        f"{DEFAULT_STRING.length} where nothing is said, up to {MAX_STRING:,}",
        "strings",
    ),
    Parameter(
        "6.4.2",
        "REAL, LREAL",
        "IEEE 754 binary32 and binary64, each operation rounded once",
        "7_3_2_real_arithmetic",
    ),
    Parameter(
        "6.4.2", "Default of CHAR, WCHAR", "the character of code 0", "6_4_2_values_of_types"
    ),
    Parameter("6.4.2", "Default of dates", "1970-01-01-00:00:00", "6_4_2_values_of_types"),
    Parameter(
        "6.4.4.2",
        "Number of enumerated values",
        "as many as the base type (INT) has",
        "enumerations",
    ),
    Parameter("6.4.4.5", "Dimensions of an array", "no limit of their own", "dimensions"),
    Parameter("6.4.4.5", "Bounds of an array", "any 64-bit integers", "bounds"),
    Parameter("6.4.4", "Size of an array, structure or program", f"{MAX_BYTES:,} bytes", "sizes"),
    Parameter("6.4.4.6", "Nesting of structures", "no limit of its own", "structures"),
    Parameter("6.4.4.4", "Values outside of a subrange", "fault RANGE", "6_4_4_4_subranges"),
    Parameter("6.4.4.10", "Use of a reference that is NULL", "fault NULL", "faults"),
    Parameter("6.5.1", "Variables in a declaration", "no limit"),
    Parameter(
        "6.5.5",
        "Addresses",
        "byte.bit for bits, one number for words; "
        f"up to {MAX_ADDRESS:,} bytes a size and area; sizes do not overlap",
        "addresses",
    ),
    Parameter(
        "6.5.5",
        "Values of inputs at the start",
        "0 and FALSE until they were first read",
        "6_5_variables",
    ),
    Parameter("6.5.6", "RETAIN without a storage", "initial values after each start"),
    Parameter(
        "6.6.1.6", "Conversions that lose something", "refused without a call", "6_6_1_6_refused"
    ),
    Parameter("6.6.2.5.2", "Inputs of extensible functions", "no limit", "extensible"),
    Parameter(
        "6.6.2.5.9",
        "Accuracy of numerical functions",
        "below 1 ulp, the same bits on every engine",
        "test_library_math.py",
    ),
    Parameter(
        "6.7.2",
        "Elapsed time of a step",
        "counts with the clock of the task release, in ns; stays when the step is left",
        "6_7_2_steps",
    ),
    Parameter("6.7.2", "Steps of an SFC, steps and transitions of a branch", "no limit"),
    Parameter(
        "6.7.3",
        "Clearing time of a transition",
        "one call of the POU; the first call clears none",
        "6_7_3_transitions",
    ),
    Parameter(
        "6.7.4.6",
        "Action control",
        "with last scan; actions that end run before those that begin",
        "6_7_4_actions",
    ),
    Parameter(
        "6.7.5",
        "Unsafe and unreachable networks",
        f"warned of, in up to {MAX_SITUATIONS:,} situations of one network",
        "6_7_5_evolution",
    ),
    Parameter("7.3.2", "Overflow of integers", "wraps", "7_3_2_integer_arithmetic"),
    Parameter(
        "7.3.2",
        "Division by zero",
        "integers: fault; REAL, LREAL: infinity or NaN",
        "7_3_2_integer_division_by_zero",
    ),
    Parameter(
        "6.6.2.5.10",
        "Shifts by the width or more",
        "0; rotations modulo the width",
        "6_6_2_5_10_shifts",
    ),
    Parameter(
        "6.6.2.5.12",
        "Positions outside of a string",
        "what lies outside is cut off",
        "6_6_2_5_table34_strings",
    ),
    Parameter("6.6.3.5.4", "Limits of counters", "those of the type of PV", "6_6_3_5_table45_ctu"),
    Parameter("6.6.3.5.5", "PT changed while a timer runs", "counts at once"),
    Parameter("6.6.3", "Instances and types of function blocks", "no limit but memory"),
    Parameter("6.6.3", "Recursion", "refused with its circle", "recursion"),
    Parameter("6.8.2", "Tasks", "no limit; the interval is a whole number of nanoseconds"),
    Parameter("6.8.2", "Priorities", "0 to 65535, the lower number first", "priorities"),
    Parameter("6.8.2", "Pre-emption", "none with the portable scheduler"),
    Parameter(
        "7.3.2",
        "Length of expressions",
        f"parentheses and calls nest {MAX_NESTING} deep; chains of up to {MAX_HEIGHT} operators",
        "expressions",
    ),
    Parameter("7.3.2", "AND, OR of BOOL", "both sides are evaluated", "7_3_2_order"),
    Parameter("7.3.3", "Statements, labels of CASE", "no limit but memory"),
    Parameter("7.3.3", "Nesting of statements", f"{MAX_NESTING} deep", "expressions"),
    Parameter(
        "7.3.3",
        "Control variable after FOR",
        "one step beyond, wrapped at the limit of its type",
        "7_3_3_for_at_limits",
    ),
    Parameter(
        "7.3.3",
        "Loops that do not end",
        f"fault BUDGET after {DEFAULT_BUDGET:,} turns of all loops in a task release",
        "faults",
    ),
)
