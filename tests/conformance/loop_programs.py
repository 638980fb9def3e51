"""Random Structured Text around loops: what the native engine keeps in registers there, owes to
the image and proves about indexes must not be seen from outside, at a fault least of all."""

from __future__ import annotations

import random

SCALARS = {
    "a": "SINT", "b": "USINT", "c": "INT", "d": "UINT", "e": "DINT", "f": "UDINT",
    "g": "LINT", "h": "REAL", "k": "INT", "n": "SINT", "w": "WORD",
}  # fmt: skip
_INTS = [name for name, kind in SCALARS.items() if kind not in ("REAL", "WORD")]
_METHODS = (
    "n := n + x;",
    "n := n + x; picked := THIS^;",
    "shared := shared + 1; n := shared;",
    "picked := next; n := n / x;",
)
_COUNTERS = ("k", "n", "c", "a", "b")

HEAD = """
FUNCTION_BLOCK Block
VAR_INPUT x : INT; END_VAR
VAR_OUTPUT y : INT; q : BOOL; END_VAR
VAR last : INT; END_VAR
VAR_EXTERNAL shared : INT; other : DINT; END_VAR
    {body}
END_FUNCTION_BLOCK
INTERFACE IThing
    METHOD Go : DINT
    VAR_INPUT x : INT; END_VAR
    END_METHOD
END_INTERFACE
FUNCTION_BLOCK One IMPLEMENTS IThing
VAR n : DINT; next : IThing; END_VAR
    METHOD PUBLIC Go : DINT
    VAR_INPUT x : INT; END_VAR
    VAR_EXTERNAL shared : INT; picked : IThing; END_VAR
        {one}
        Go := n;
    END_METHOD
    METHOD PUBLIC Link
    VAR_INPUT other : IThing; END_VAR
        next := other;
    END_METHOD
END_FUNCTION_BLOCK
FUNCTION_BLOCK Two EXTENDS One
    METHOD PUBLIC OVERRIDE Go : DINT
    VAR_INPUT x : INT; END_VAR
        n := n * 3 - x;
        Go := n;
    END_METHOD
END_FUNCTION_BLOCK
FUNCTION Halved : INT
VAR_INPUT x : INT; END_VAR
    Halved := x / 2;
END_FUNCTION
FUNCTION Quotient : INT
VAR_INPUT x, y : INT; END_VAR
    Quotient := x / y;
END_FUNCTION
PROGRAM main
VAR_EXTERNAL shared : INT; other : DINT; picked : IThing; END_VAR
VAR
    things : ARRAY[0..3] OF IThing; one : One; two : ARRAY[0..1] OF Two; it : IThing;
    {scalars}
    list : ARRAY[0..9] OF INT; small : ARRAY[-2..4] OF SINT; blocks : ARRAY[0..3] OF Block;
    r : REF_TO INT; p : REF_TO SINT; seed : UDINT := {seed};
END_VAR
    one.Link({linked}); things[0] := one; things[1] := two[0]; {third} it := one; picked := two[1];
    r := REF({target}); p := REF(n);
    IF seed.%X3 THEN r := REF(list[{element}]); END_IF
    {text}
END_PROGRAM
CONFIGURATION config
VAR_GLOBAL shared : INT; other : DINT; picked : IThing; END_VAR
TASK t(INTERVAL := T#10ms, PRIORITY := 1);
{second}
PROGRAM one WITH t : main;
END_CONFIGURATION
"""
SECOND = "TASK u(INTERVAL := T#5ms, PRIORITY := 0);\nPROGRAM two WITH u : aside;"
ASIDE = """
PROGRAM aside
VAR_EXTERNAL shared : INT; other : DINT; END_VAR
    IF shared > 100 THEN shared := 0; END_IF
    other := other + 1;
END_PROGRAM
"""


class Loops:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.counting: list[str] = []  # by the FOR loops around, which nobody else may assign

    def program(self) -> str:
        rng = self.rng
        scalars = "\n    ".join(
            f"{n} : {t}{f' := {rng.randrange(-3, 9)}' if t[0] not in 'UW' else ''};"
            for n, t in SCALARS.items()
        )
        text = HEAD.format(
            scalars=scalars,
            seed=rng.randrange(1 << 32),
            target=rng.choice(["c", "k", "list[3]"]),
            element=rng.randrange(10),
            text="\n    ".join(self.block(3, 2, False)),
            body=self.body(),
            one=rng.choice(_METHODS),
            linked=rng.choice(["one", "two[0]", "two[1]"]),
            third=rng.choice(["", "things[2] := two[1]; things[3] := one;"]),
            second=SECOND if rng.randrange(2) else "",
        )
        return text + (ASIDE if SECOND in text else "")

    def body(self) -> str:
        return self.rng.choice(
            [
                "last := last + x; y := last; q := y > 100;",
                "shared := shared + 1; y := shared; q := NOT q;",
                "y := 100 / x;",
                "FOR last := 0 TO x DO y := y + last; other := other + y; END_FOR",
            ]
        )

    def number(self, depth: int = 1) -> str:
        """An INT."""
        rng = self.rng
        pick = rng.randrange(12)
        if depth <= 0 or pick < 3:
            return f"TO_INT({rng.choice(_INTS)})"
        if pick == 3:
            return str(rng.choice([0, 1, 2, 9, 10, -1, 127, 128, 32767, -32768]))
        if pick == 4:
            return f"list[{self.index()}]"
        if pick == 5:
            return f"TO_INT(small[{self.index()}])"
        if pick == 6:
            return rng.choice(["r^", "TO_INT(p^)"])
        if pick == 7:
            return rng.choice(["shared", "TO_INT(other)", "blocks[1].y"])
        if pick == 8:
            return f"({self.number(depth - 1)} {rng.choice(['MOD', '/'])} {rng.choice('379')})"
        if pick == 9:
            return f"SEL({self.test()}, {self.number(0)}, {self.number(depth - 1)})"
        sign = rng.choice(["+", "-", "*"])
        return f"({self.number(depth - 1)} {sign} {self.number(depth - 1)})"

    def index(self) -> str:
        rng = self.rng
        name = rng.choice(_COUNTERS)
        return rng.choice([name, name, f"{name} + 1", f"{name} - 1", f"{name} MOD 5"])

    def test(self) -> str:
        rng = self.rng
        if rng.randrange(5) == 0:
            return f"seed.%X{rng.randrange(32)}"
        if rng.randrange(5) == 0:
            name = rng.choice(_COUNTERS)
            word = rng.choice(["AND_THEN", "OR_ELSE", "AND", "OR"])
            return f"({name} {rng.choice(['>=', '<='])} {rng.choice('05')} {word} {self.test()})"
        sign = rng.choice(["<", "<=", ">", ">=", "=", "<>"])
        return f"{self.number(0)} {sign} {self.number(1)}"

    def block(self, count: int, depth: int, inside: bool) -> list[str]:
        return [self.statement(depth, inside) for _ in range(self.rng.randrange(1, count + 1))]

    def statement(self, depth: int, inside: bool) -> str:
        rng = self.rng
        pick = rng.randrange(19)
        if pick > 15:
            return self.dispatch()
        if depth > 0 and pick < 6:
            return self.loop(depth)
        if pick < 8 and depth >= 0:
            then = " ".join(self.block(2, depth - 1, inside))
            orelse = f" ELSE {self.statement(depth - 1, inside)}" if rng.randrange(2) else ""
            return f"IF {self.test()} THEN {then}{orelse} END_IF"
        if pick == 8 and inside:
            return f"IF {self.test()} THEN {rng.choice(['EXIT', 'CONTINUE', 'RETURN'])}; END_IF"
        if pick == 9:
            at = rng.choice(["c", "k", "2"])
            return f"blocks[{at}](x := {self.number()}); e := e + blocks[{at}].y;"
        if pick == 10:
            name = rng.choice(["Halved({})", "Quotient({}, c)", "Quotient({}, 3)"])
            return f"d := INT_TO_UINT({name.format(self.number())});"
        if pick == 11:
            return (
                f"{rng.choice(['r^', 'list[' + self.index() + ']', 'shared'])} := {self.number()};"
            )
        if pick == 12:
            return (
                f"small[{self.index()}] := TO_SINT({self.number()}); seed := seed * 1664525 + 7;"
            )
        if pick == 13:
            return rng.choice(
                [
                    "h := h + 0.5;", "other := other + 1;", "w.%X3 := NOT w.%X3;",
                    "w := ROL(w, c);", "p^ := p^ + 1;", "g := g + e / TO_DINT(k);",
                ]
            )  # fmt: skip
        name = rng.choice([x for x in _INTS if x not in self.counting])
        if rng.randrange(2):
            return f"{name} := {name} {rng.choice('+-')} {rng.choice('1125')};"
        return f"{name} := TO_{SCALARS[name]}({self.number(2)});"

    def dispatch(self) -> str:
        rng = self.rng
        thing = rng.choice([f"things[{self.index()}]", "things[k]", "it", "picked"])
        calls = f"e := e + {thing}.Go({self.number(0)}); e := e + {thing}.Go(x := 1);"
        between = [
            "", "it := picked;", "things[1] := it;", "things[k] := one;", "k := k;",
            "IF e > 20 THEN things[0] := two[1]; END_IF",
        ]  # fmt: skip
        if "k" in self.counting:
            between.remove("k := k;")
        return f"{calls} {rng.choice(between)} e := e - {thing}.Go(2);"

    def loop(self, depth: int) -> str:
        rng = self.rng
        name = rng.choice([x for x in _COUNTERS if x not in self.counting])
        pick = rng.randrange(4)
        if pick < 2:
            self.counting.append(name)
        inner = " ".join(self.block(4, depth - 1, True))
        if pick < 2:
            self.counting.pop()
        if pick < 2:
            low, high = rng.choice([(0, 9), (0, 4), (1, 9), (0, 10), (-2, 4), (3, 0)])
            by = rng.choice(["", "", " BY 2", " BY -1"])
            if name == "b":
                low = max(low, 0)
            if by == " BY -1" and name != "b":
                low, high = high, low
            return f"FOR {name} := {low} TO {high}{by} DO {inner} END_FOR"
        start = f"{name} := {rng.choice(['9', '4', '0', name + ' - 1' if name != 'b' else '8'])};"
        change = f"{name} := {name} {rng.choice('+--')} 1;"
        test = f"{name} {rng.choice(['>=', '>', '<', '<='])} {rng.choice(['0', '9', '4'])}"
        if rng.randrange(2):
            test += f" AND_THEN list[{name}] {rng.choice('<>')} {self.number(0)}"
        if pick == 2:
            parts = [inner, change]
            rng.shuffle(parts)
            return f"{start} WHILE {test} DO {' '.join(parts)} END_WHILE"
        return f"{start} REPEAT {inner} {change} UNTIL {test} END_REPEAT"
