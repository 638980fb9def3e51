"""Finds, reads and writes variables of an image by path, with nothing but the layout.

A path is what an engineer writes: `main.level`, `main.recipe.steps[3].time`, `main.word.%X3`,
`%QX0.1`. Values come out as JSON: BOOL as true/false, numbers as numbers (NaN and infinities as
the strings "NaN", "Infinity", "-Infinity"), times as nanoseconds, enumerations as their name,
strings as text, arrays as lists, structures and instances as objects.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from host_tools.compiler.diagnostics import did_you_mean
from host_tools.record import record

SCALARS = {
    "BOOL": "b1",
    "BYTE": "u8",
    "WORD": "u16",
    "DWORD": "u32",
    "LWORD": "u64",
    "SINT": "i8",
    "INT": "i16",
    "DINT": "i32",
    "LINT": "i64",
    "USINT": "u8",
    "UINT": "u16",
    "UDINT": "u32",
    "ULINT": "u64",
    "REAL": "f32",
    "LREAL": "f64",
    "CHAR": "u8",
    "WCHAR": "u16",
}
for _name in ("TIME", "DATE", "TOD", "DT", "LTIME", "LDATE", "LTOD", "LDT"):
    SCALARS[_name] = "i64"

FORMATS = {
    "b1": "<B",
    "u8": "<B",
    "i8": "<b",
    "u16": "<H",
    "i16": "<h",
    "u32": "<I",
    "i32": "<i",
    "u64": "<Q",
    "i64": "<q",
    "f32": "<f",
    "f64": "<d",
}
PART_BITS = {"X": 1, "B": 8, "W": 16, "D": 32}
AREA_TYPES = {"X": "BOOL", "B": "BYTE", "W": "WORD", "D": "DWORD", "L": "LWORD"}
_DIRECT = re.compile(r"%([IQM])([XBWDL]?)(\d+)(?:\.(\d))?$", re.IGNORECASE)
_STEP = re.compile(r"\.(%?\w+)|\[([^\]]*)\]")


class VariableError(ValueError):
    """A path or value that does not fit; the message is for the user."""


@record(frozen=True)
class Variable:
    """A place in the image. `type` is the layout's JSON form; `bit` 0..7 for a packed bit."""

    path: str
    type: Any
    offset: int
    bit: int | None = None
    retain: bool = False
    read_only: bool = False
    """an access path READ_ONLY, or a part of it"""

    @property
    def kind(self) -> str | None:
        """The IR kind of a scalar ("b1", "i16", "f32", ...); None for everything else."""
        return SCALARS.get(self.type) if isinstance(self.type, str) else None

    @property
    def size(self) -> int:
        kind = self.kind
        return struct.calcsize(FORMATS[kind]) if kind else 0


class Variables:
    """The variables of one layout (`docs/image.md`, `host_tools/compiler/layout.py`)."""

    def __init__(self, layout: dict[str, Any]) -> None:
        self.layout = layout
        self.types: dict[str, Any] = layout["types"]
        self.roots: dict[str, Variable] = {
            v["path"].upper(): Variable(
                v["path"],
                v["type"],
                v["offset"],
                v.get("bit"),
                v.get("retain", False),
                v.get("read_only", False),
            )
            for v in layout["vars"]
        }

    # --- finding -----------------------------------------------------------------------------

    def find(self, path: str) -> Variable:
        """The variable at `path` (upper and lower case make no difference)."""
        if path.startswith("%"):
            return self._direct(path)
        upper = path.upper()
        best = ""
        for root in self.roots:
            if len(root) > len(best) and upper.startswith(root):
                rest = upper[len(root) :]
                if not rest or rest[0] in ".[":
                    best = root
        if not best:
            head = re.split(r"\[", path)[0]
            known = [v.path for v in self.roots.values()]
            hint = did_you_mean(head, known) or _sample(known)
            raise VariableError(f"there is no variable '{path}'; {hint}")
        variable = self.roots[best]
        rest = path[len(best) :]
        while rest:
            m = _STEP.match(rest)
            if m is None:
                raise VariableError(f"'{path}' cannot be read after '{variable.path}'")
            if m[2] is not None:
                variable = self._element(variable, m[2])
            else:
                variable = self._member(variable, m[1])
            rest = rest[m.end() :]
        return variable

    def _direct(self, path: str) -> Variable:
        m = _DIRECT.match(path)
        if m is None:
            raise VariableError(f"'{path}' is no address; write for example %IX0.0 or %QW3")
        size = (m[2] or "X").upper()
        if (size == "X") != (m[4] is not None):
            raise VariableError(f"'{path}' is no address; bits are %IX0.0, words %IW0")
        unit = {"X": 1, "B": 1, "W": 2, "D": 4, "L": 8}[size]
        area = m[1].upper() + ("X" if size in "XB" else size)
        start, length = self.layout["areas"][area]
        offset = int(m[3]) * unit
        if offset + unit > length:
            last = f"%{area[0]}{size}{length // unit - 1}{'.7' if size == 'X' else ''}"
            say = f"the last one is {last}" if length >= unit else "none are used"
            raise VariableError(f"'{path}' is beyond the program's range; {say}")
        if m[4] is None:
            return self._declared_at(path.upper(), AREA_TYPES[size], start + offset)
        bit = int(m[4])
        if bit > 7:
            raise VariableError(f"'{path}' is no address; the bits of a byte are 0 to 7")
        return Variable(path.upper(), AREA_TYPES[size], start + offset, bit)

    def _declared_at(self, path: str, type_: str, offset: int) -> Variable:
        """The address, as the program declares it: an INT at %IW0 has a sign."""
        plain = Variable(path, type_, offset)
        for v in self.roots.values():
            if v.offset == offset and v.size == plain.size and v.bit is None:
                return Variable(path, v.type, offset, None, v.retain)
        return plain

    def _member(self, v: Variable, name: str) -> Variable:
        if name[0].isdigit() or name[0] == "%":
            return self._part(v, name)
        if not (isinstance(v.type, list) and v.type[0] == "struct"):
            raise VariableError(f"'{v.path}' has no members")
        fields = self.types[v.type[1]]["fields"]
        for field_name, t, offset, _, _, *bit in fields:
            if field_name.upper() == name.upper():
                at = v.offset + offset
                return Variable(f"{v.path}.{field_name}", t, at, _bit(bit), v.retain, v.read_only)
        known = [f[0] for f in fields]
        raise VariableError(
            f"'{v.path}' has no member '{name}'; {did_you_mean(name, known) or _sample(known)}"
        )

    def _part(self, v: Variable, name: str) -> Variable:
        kind = v.kind
        if kind is None or kind[0] not in "ui" or v.bit is not None:
            raise VariableError(f"'{v.path}' has no bits to take apart")
        letter = "X" if name[0] != "%" else name[1].upper()
        digits = name if name[0] != "%" else name[2:]
        if letter not in PART_BITS or not (digits.isascii() and digits.isdecimal()):
            raise VariableError(f"'{name}' is no part; write .3, .%X3, .%B1, .%W0 or .%D0")
        bits = PART_BITS[letter]
        at = int(digits) * bits
        if at + bits > v.size * 8:
            raise VariableError(f"'{v.path}' has no part '{name}'")
        bit = at % 8 if bits == 1 else None
        return Variable(f"{v.path}.{name}", AREA_TYPES[letter], v.offset + at // 8, bit)

    def _element(self, v: Variable, text: str) -> Variable:
        if not (isinstance(v.type, list) and v.type[0] == "array"):
            raise VariableError(f"'{v.path}' is not an array")
        _, bounds, element, step = v.type
        try:
            indices = [int(t) for t in text.split(",")]
        except ValueError:
            raise VariableError(f"'[{text}]' is no index; write numbers") from None
        if len(indices) != len(bounds):
            raise VariableError(f"'{v.path}' has {len(bounds)} dimensions, not {len(indices)}")
        at = 0
        for i, (low, high) in zip(indices, bounds, strict=True):
            if not low <= i <= high:
                raise VariableError(f"index {i} of '{v.path}' is outside of {low}..{high}")
            at = at * (high - low + 1) + i - low
        path = f"{v.path}[{','.join(map(str, indices))}]"
        return Variable(path, element, v.offset + at * step, None, v.retain)

    def leaves(self, v: Variable) -> Iterator[Variable]:
        """The scalars and strings in `v`, in order."""
        if isinstance(v.type, list) and v.type[0] == "struct":
            for name, t, offset, _, _, *bit in self.types[v.type[1]]["fields"]:
                yield from self.leaves(
                    Variable(
                        f"{v.path}.{name}", t, v.offset + offset, _bit(bit), v.retain, v.read_only
                    )
                )
        elif isinstance(v.type, list) and v.type[0] == "array":
            _, bounds, element, step = v.type
            for number, indices in enumerate(_indices(bounds)):
                path = f"{v.path}[{','.join(map(str, indices))}]"
                offset = v.offset + number * step
                yield from self.leaves(Variable(path, element, offset, None, v.retain))
        else:
            yield v

    def match(self, pattern: str) -> list[Variable]:
        """Roots and leaves whose path matches a glob; brackets mean themselves."""
        wanted = pattern.upper().replace("[", "[[]")
        found = [v for v in self.roots.values() if fnmatchcase(v.path.upper(), wanted)]
        if found:
            return found
        every = (leaf for root in self.roots.values() for leaf in self.leaves(root))
        return [v for v in every if fnmatchcase(v.path.upper(), wanted)]

    # --- reading -----------------------------------------------------------------------------

    def read(self, image: bytes | bytearray | memoryview, path: str | Variable) -> Any:
        """The value in its JSON form."""
        v = self.find(path) if isinstance(path, str) else path
        return self._decode(image, v.type, v.offset, v.bit)

    def _decode(
        self, image: bytes | bytearray | memoryview, t: Any, offset: int, bit: int | None = None
    ) -> Any:
        if isinstance(t, str):
            return _scalar(image, t, offset, bit)
        tag = t[0]
        if tag in ("string", "wstring"):
            width = 2 if tag == "wstring" else 1
            length = min(struct.unpack_from("<H", image, offset + 2)[0], t[1])
            raw = bytes(image[offset + 4 : offset + 4 + length * width])
            return raw.decode("utf-16-le" if width == 2 else "latin-1", errors="replace")
        if tag == "array":
            _, bounds, element, step = t
            return self._decode_rows(image, bounds, element, step, offset)
        if tag == "struct":
            fields = self.types[t[1]]["fields"]
            return {f[0]: self._decode(image, f[1], offset + f[2], _bit(f[5:])) for f in fields}
        if tag == "enum":
            described = self.types[t[1]]
            number = _scalar(image, described["base"], offset, None)
            return described["values"].get(str(number), number)
        return struct.unpack_from("<I", image, offset)[0]

    def _decode_rows(
        self,
        image: bytes | bytearray | memoryview,
        bounds: list[list[int]],
        element: Any,
        step: int,
        offset: int,
    ) -> list[Any]:
        count = bounds[0][1] - bounds[0][0] + 1
        if len(bounds) == 1:
            return [self._decode(image, element, offset + i * step) for i in range(count)]
        row = step
        for low, high in bounds[1:]:
            row *= high - low + 1
        return [
            self._decode_rows(image, bounds[1:], element, step, offset + i * row)
            for i in range(count)
        ]

    def tree(self, image: bytes | bytearray | memoryview) -> dict[str, Any]:
        """All variables in the order of declaration: path -> value."""
        return {v.path: self._decode(image, v.type, v.offset, v.bit) for v in self.roots.values()}

    # --- writing -----------------------------------------------------------------------------

    def encode(self, path: str | Variable, text: Any) -> tuple[int, bytes, int | None]:
        """Offset, bytes and bit (for a packed bit; the byte is then 0 or 1) that store a value.

        `text` is a value in JSON form or what a person types: `TRUE`, `42`, `16#FF`, `1.5`,
        `T#500ms`, `'text'` or bare text for strings, the name of an enumerated value."""
        v = self.find(path) if isinstance(path, str) else path
        if v.read_only:
            raise VariableError(f"'{v.path}' is READ_ONLY; declare the access path READ_WRITE")
        t = v.type
        if isinstance(t, list):
            if t[0] == "enum":
                return v.offset, self._encode_enum(v, t, text), None
            if t[0] in ("string", "wstring"):
                return v.offset, _encode_string(v, t, text), None
            kind = {"array": "an array", "struct": "a structure"}.get(t[0], "a reference")
            raise VariableError(f"'{v.path}' is {kind}; write one of its members or elements")
        if v.kind is None:
            raise VariableError(f"'{v.path}' cannot be written")
        return v.offset, _encode_scalar(v, t, text), v.bit

    def _encode_enum(self, v: Variable, t: list[Any], text: Any) -> bytes:
        described = self.types[t[1]]
        name = str(text).split("#")[-1].split(".")[-1]
        for number, spelling in described["values"].items():
            if spelling.upper() == name.upper() or number == name:
                return struct.pack(FORMATS[SCALARS[described["base"]]], int(number))
        known = list(described["values"].values())
        hint = did_you_mean(name, known) or f"its values are {', '.join(known)}"
        raise VariableError(f"'{text}' is no value of '{v.path}'; {hint}")


def _bit(rest: list[int]) -> int | None:
    """The bit of a member that shares its byte: what stands behind the other parts of a field."""
    return rest[0] if rest else None


def _sample(known: list[str]) -> str:
    shown = ", ".join(known[:8])
    return f"there are {shown}{', …' if len(known) > 8 else ''}" if known else "there are none"


def _indices(bounds: list[list[int]]) -> Iterator[list[int]]:
    low, high = bounds[0]
    for i in range(low, high + 1):
        if len(bounds) == 1:
            yield [i]
        else:
            for rest in _indices(bounds[1:]):
                yield [i, *rest]


def _scalar(image: bytes | bytearray | memoryview, t: str, offset: int, bit: int | None) -> Any:
    kind = SCALARS.get(t)
    if kind is None:
        return None
    if bit is not None:
        return bool(image[offset] >> bit & 1)
    value = struct.unpack_from(FORMATS[kind], image, offset)[0]
    if kind == "b1":
        return bool(value)
    if t in ("CHAR", "WCHAR"):
        return chr(value)
    if kind == "f32":
        return _shortest(value)
    return _number(value) if kind == "f64" else value


def _number(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _shortest(value: float) -> float | str:
    """A binary32 number with the fewest digits that mean it: 0.1, not 0.10000000149011612."""
    if not math.isfinite(value) or value == int(value):
        return _number(value)
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("<f", short) == struct.pack("<f", value):
            return short
    return value


def _encode_string(v: Variable, t: list[Any], text: Any) -> bytes:
    raw = str(text)
    if len(raw) >= 2 and raw[0] == raw[-1] and raw[0] in "'\"":
        raw = raw[1:-1]
    wide = t[0] == "wstring"
    if not wide and any(ord(c) > 255 for c in raw):
        raise VariableError(f"'{v.path}' is a STRING; it has one byte for each character")
    try:
        data = raw.encode("utf-16-le" if wide else "latin-1")
    except UnicodeEncodeError:
        raise VariableError(f"'{raw}' is no text for '{v.path}'; type it as UTF-8") from None
    length = len(data) // (2 if wide else 1)
    if length > t[1]:
        raise VariableError(f"'{v.path}' holds {t[1]} characters, not {length}")
    return struct.pack("<HH", t[1], length) + data


def _encode_scalar(v: Variable, t: str, text: Any) -> bytes:
    kind = SCALARS[t]
    if kind in ("f32", "f64"):
        return _encode_real(v, t, kind, text)
    if t in ("CHAR", "WCHAR") and isinstance(text, str):
        raw = text.strip("'\"")
        if len(raw) != 1:
            raise VariableError(f"'{v.path}' takes one character, not '{text}'")
        return struct.pack(FORMATS[kind], ord(raw))
    number = _integer(v, t, text)
    size = struct.calcsize(FORMATS[kind]) * 8
    low, high = (-(1 << size - 1), (1 << size - 1) - 1) if kind[0] == "i" else (0, (1 << size) - 1)
    if kind == "b1":
        high = 1
    if not low <= number <= high:
        raise VariableError(f"{text} does not fit '{v.path}', {t} takes {low} to {high}")
    return struct.pack(FORMATS[kind], number)


def _encode_real(v: Variable, t: str, kind: str, text: Any) -> bytes:
    try:
        value = float(str(text).replace("_", ""))
    except ValueError:
        raise VariableError(f"'{text}' is no number for '{v.path}' ({t})") from None
    if math.isnan(value):
        return bytes.fromhex("0000c07f") if kind == "f32" else bytes.fromhex("000000000000f87f")
    try:
        return struct.pack(FORMATS[kind], value)
    except OverflowError:
        raise VariableError(f"{text} does not fit '{v.path}' ({t})") from None


def _integer(v: Variable, t: str, text: Any) -> int:
    if isinstance(text, bool):
        return int(text)
    if isinstance(text, int):
        return text
    raw = str(text).strip().replace("_", "").upper()
    if raw in ("TRUE", "FALSE"):
        if t != "BOOL":
            raise VariableError(f"'{v.path}' is {t}, not BOOL; write a number")
        return int(raw == "TRUE")
    if SCALARS[t] == "i64" and t not in ("LINT",):
        value = _time_literal(raw if "#" in raw else f"T#{raw}")
        if value is not None:
            return value
    m = re.fullmatch(r"([+-]?)(?:(\d+)#)?([0-9A-Z]+)", raw.removeprefix(f"{t}#"))
    if m is not None:
        base = int(m[2] or 10)
        try:
            number = int(m[3], base) if 2 <= base <= 36 else int("x")
            return -number if m[1] == "-" else number
        except ValueError:
            pass
    examples = {"BOOL": "TRUE or FALSE", "TIME": "T#500ms", "LTIME": "T#500ms"}
    example = examples.get(t, "42 or 16#FF")
    raise VariableError(f"'{text}' is no value for '{v.path}' ({t}); write {example}")


def _time_literal(raw: str) -> int | None:
    """Nanoseconds of a time literal, by the compiler's own lexer; None where it is none."""
    from host_tools.compiler import tree
    from host_tools.compiler.diagnostics import Reporter
    from host_tools.compiler.parser import parse
    from host_tools.compiler.source import Source

    reporter = Reporter()
    unit = parse(Source("value", f"PROGRAM p x := {raw}; END_PROGRAM"), reporter)
    if reporter.diagnostics or not unit.declarations:
        return None
    pou = unit.declarations[0]
    statement = pou.body[0] if isinstance(pou, tree.Pou) and pou.body else None
    value = statement.value if isinstance(statement, tree.Assign) else None
    sign = 1
    if isinstance(value, tree.Unary) and value.op == "-":
        sign, value = -1, value.operand
    if isinstance(value, tree.Literal) and value.kind in ("time", "date", "tod", "dt"):
        assert isinstance(value.value, int)
        return sign * value.value
    return None
