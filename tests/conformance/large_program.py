"""Writes Structured Text of any length that compiles: what a large plant's project looks like.

Each section is a station of a plant: types, constants, functions, function blocks that hold
instances of the library's and of the stations before, and a program; comments and blank lines as
people write them. The same number gives the same text on every machine.
"""

from __future__ import annotations

from random import Random

_UNITS = (
    "Pump",
    "Valve",
    "Mixer",
    "Conveyor",
    "Heater",
    "Press",
    "Filter",
    "Silo",
    "Crane",
    "Oven",
)
_STATES = ("Idle", "Starting", "Running", "Holding", "Stopping", "Faulted", "Cleaning")
_SIGNALS = ("Level", "Flow", "Pressure", "Speed", "Torque", "Temperature", "Weight", "Density")
_FLAGS = ("Ready", "Enable", "Interlock", "Acknowledge", "LocalMode", "Bypass", "Limit", "Jam")


def large_program(lines: int, seed: int = 1) -> str:
    """At least so many lines of Structured Text, and hardly more."""
    rng = Random(seed)
    text: list[str] = []
    made = 0
    names: list[str] = []
    while made < lines - 40:
        station = _Station(rng, names)
        made += len(station.lines)
        text += station.lines
        names.append(station.name)
    text += _configuration(names)
    text += [f"// end of the plant, line {made + n}" for n in range(lines - len(text))]
    return "\n".join(text) + "\n"


def _configuration(names: list[str]) -> list[str]:
    lines = ["CONFIGURATION Plant", "    TASK fast(INTERVAL := T#10ms, PRIORITY := 1);"]
    lines += ["    TASK slow(INTERVAL := T#100ms, PRIORITY := 5);"]
    for i, name in enumerate(names):
        lines.append(f"    PROGRAM {name.lower()} WITH {('fast', 'slow')[i % 2]} : {name}Main;")
    return [*lines, "END_CONFIGURATION"]


class _Station:
    """One section of the text."""

    def __init__(self, rng: Random, before: list[str]) -> None:
        self.rng = rng
        self.name = f"{rng.choice(_UNITS)}{len(before) + 1}"
        self.signals = rng.sample(_SIGNALS, rng.randint(3, 6))
        self.flags = rng.sample(_FLAGS, rng.randint(3, 6))
        self.states = rng.sample(_STATES, rng.randint(4, 7))
        self.lines: list[str] = []
        self._types()
        self._globals()
        self._function()
        self._drive()
        self._control(before)
        self._main()

    def _add(self, text: str, indent: int = 0) -> None:
        pad = "    " * indent
        self.lines += [pad + line if line else "" for line in text.split("\n")]

    def _types(self) -> None:
        n = self.name
        self._add(f"(* ----- Station {n} -----\n   Generated data model. *)")
        self._add("TYPE")
        self._add(
            f"{n}State : ({', '.join(n + s for s in self.states)}) := {n}{self.states[0]};", 1
        )
        self._add(f"{n}Data : STRUCT", 1)
        for s in self.signals:
            self._add(f"{s} : REAL; // scaled {s.lower()} in engineering units", 2)
        for f in self.flags:
            self._add(f"{f} : BOOL := {self.rng.choice(('TRUE', 'FALSE'))};", 2)
        self._add(
            "Count : UDINT;\nMessage : STRING[32] := 'ok';\nHistory : ARRAY[0..15] OF REAL;", 2
        )
        self._add("END_STRUCT;", 1)
        self._add(f"{n}Percent : INT(0..100);\n{n}Table : ARRAY[1..8] OF {n}Data;", 1)
        self._add("END_TYPE\n")

    def _globals(self) -> None:
        n = self.name
        self._add("VAR_GLOBAL CONSTANT")
        self._add(f"{n}Limit : REAL := {self.rng.randint(1, 999) / 10};", 1)
        self._add(f"{n}Size : INT := 8;", 1)
        self._add("END_VAR\n\nVAR_GLOBAL")
        self._add(f"{n}Shared : {n}Data;\n{n}Total, {n}Scans : UDINT;", 1)
        self._add("END_VAR\n")

    def _function(self) -> None:
        n = self.name
        self._add(f"FUNCTION {n}Scale : REAL\nVAR_INPUT")
        self._add("raw : INT;\nlow : REAL := 0.0;\nhigh : REAL := 100.0;", 1)
        self._add("END_VAR\nVAR\n    span, part : REAL;\nEND_VAR\n")
        self._add("span := high - low;\nIF raw <= 0 THEN", 1)
        self._add(f"{n}Scale := low;\nRETURN;", 2)
        self._add("ELSIF raw >= 27648 THEN", 1)
        self._add(f"{n}Scale := high;", 2)
        self._add("ELSE", 1)
        self._add("part := INT_TO_REAL(raw) / 27648.0;", 2)
        self._add(f"{n}Scale := low + part * span;", 2)
        self._add("END_IF;", 1)
        self._add("END_FUNCTION\n")

    def _drive(self) -> None:
        n, rng = self.name, self.rng
        self._add(f"FUNCTION_BLOCK {n}Drive\nVAR_INPUT")
        self._add("run : BOOL;\nsetpoint : REAL;\nreset : BOOL; // clears a fault", 1)
        self._add("END_VAR\nVAR_OUTPUT")
        self._add("speed : REAL;\nfault : BOOL;\nstate : " + f"{n}State;", 1)
        self._add("END_VAR\nVAR")
        self._add("startDelay, stopDelay : TON;\nedge : R_TRIG;\nstarts : CTU;", 1)
        self._add(
            "ramp : REAL := 0.5;\nbuffer : ARRAY[0..7] OF REAL;\nindex, i : INT;\nsum : REAL;", 1
        )
        self._add("END_VAR\n")
        self._add("edge(CLK := run);\nstarts(CU := edge.Q, R := reset, PV := 1000);", 1)
        self._add(f"startDelay(IN := run AND NOT fault, PT := T#{rng.randint(1, 900)}ms);", 1)
        self._add(f"stopDelay(IN := NOT run, PT := T#{rng.randint(1, 9)}s);", 1)
        self._add("CASE state OF", 1)
        for i, s in enumerate(self.states):
            following = self.states[(i + 1) % len(self.states)]
            self._add(f"{n}{s}:", 2)
            self._add(f"// {s.lower()}: wait for the next step", 3)
            condition = rng.choice(("startDelay.Q", "stopDelay.Q", "run AND edge.Q", "NOT run"))
            self._add(f"IF {condition} THEN\n    state := {n}{following};", 3)
            if rng.random() < 0.5:
                self._add(f"ELSIF speed > {rng.randint(10, 90)}.5 OR reset THEN", 3)
                self._add(f"    state := {n}{self.states[0]};", 3)
            self._add("END_IF;", 3)
        self._add("END_CASE;\n\nbuffer[index] := setpoint;\nindex := (index + 1) MOD 8;", 1)
        self._add("sum := 0.0;\nFOR i := 0 TO 7 DO\n    sum := sum + buffer[i];\nEND_FOR;", 1)
        self._add("speed := LIMIT(0.0, speed + ramp * (sum / 8.0 - speed), 100.0);", 1)
        self._add(f"fault := (speed > {n}Limit AND NOT reset) OR (fault AND NOT reset);", 1)
        self._add("END_FUNCTION_BLOCK\n")

    def _control(self, before: list[str]) -> None:
        n, rng = self.name, self.rng
        self._add(
            f"FUNCTION_BLOCK {n}Control\nVAR_INPUT\n    enable : BOOL;\n    raw : INT;\nEND_VAR"
        )
        self._add("VAR_OUTPUT\n    out : REAL;\n    alarm : BOOL;\nEND_VAR")
        self._add("VAR_IN_OUT\n    data : " + f"{n}Data;\nEND_VAR\nVAR")
        self._add(f"drives : ARRAY[1..2] OF {n}Drive;\nmain : {n}Drive;\ntable : {n}Table;", 1)
        self._add("n : INT;\nlast, best : REAL;\nmask : WORD := 16#00FF;\npulse : TP;", 1)
        for other in before[-2:]:
            self._add(f"other{other} : {other}Drive; // the station upstream", 1)
        self._add("END_VAR\n")
        first = self.signals[0]
        self._add(f"data.{first} := {n}Scale(raw, high := 250.0);", 1)
        for s in self.signals[1:]:
            factor = rng.randint(1, 99) / 100
            self._add(
                f"data.{s} := data.{first} * {factor} + {rng.choice(('best', 'last', '1.5'))};", 1
            )
        for f in self.flags:
            a, b = rng.choice(self.signals), rng.choice(self.signals)
            self._add(
                f"data.{f} := enable AND data.{a} > {rng.randint(1, 99)}.0 "
                f"AND NOT (data.{b} < 0.1);",
                1,
            )
        self._add("(* keep the history of the first signal:\n   newest last *)", 1)
        self._add("FOR n := 0 TO 14 DO\n    data.History[n] := data.History[n + 1];\nEND_FOR;", 1)
        self._add(f"data.History[15] := data.{first};", 1)
        self._add(
            f"main(run := data.{self.flags[0]}, setpoint := data.{first}, reset := FALSE);", 1
        )
        self._add("FOR n := 1 TO 2 DO", 1)
        self._add(
            "drives[n](run := main.speed > 50.0, setpoint := main.speed, fault => alarm);", 2
        )
        self._add("END_FOR;", 1)
        for other in before[-2:]:
            self._add(f"other{other}(run := enable, setpoint := {other}Shared.History[0]);", 1)
        self._add("n := 1;\nWHILE n <= 8 AND alarm DO", 1)
        self._add(f"table[n].{first} := data.{first};\ntable[n].Count := table[n].Count + 1;", 2)
        self._add("n := n + 1;", 2)
        self._add("END_WHILE;\nbest := MAX(drives[1].speed, drives[2].speed, main.speed);", 1)
        self._add("IF mask.3 OR (mask AND WORD#16#0F00) <> 0 THEN", 1)
        self._add("mask := SHL(mask, 1);\npulse(IN := TRUE, PT := T#250ms);", 2)
        self._add("ELSE\n    mask := 16#0001;\n    pulse(IN := FALSE);\nEND_IF;", 1)
        self._add(
            "out := SEL(pulse.Q, best, last);\nlast := out;\ndata.Count := data.Count + 1;", 1
        )
        self._add("data.Message := CONCAT('n=', UDINT_TO_STRING(data.Count));", 1)
        self._add("END_FUNCTION_BLOCK\n")

    def _main(self) -> None:
        n = self.name
        self._add(
            f"PROGRAM {n}Main\nVAR\n    control : {n}Control;\n    raw : INT;\n    ok : BOOL;\n"
            "END_VAR\n"
        )
        self._add("raw := raw + 7;", 1)
        self._add(f"control(enable := TRUE, raw := raw, data := {n}Shared);", 1)
        self._add(f"IF control.alarm THEN\n    {n}Total := {n}Total + 1;\nEND_IF;", 1)
        self._add(f"ok := {n}Shared.{self.flags[0]} AND control.out < {n}Limit;", 1)
        self._add(f"{n}Scans := {n}Scans + 1;", 1)
        self._add("END_PROGRAM\n")
