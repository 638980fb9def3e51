"""Resolves types that are written out: STRING[…], ARRAY, enumerations, subranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from host_tools.compiler import fields, tree
from host_tools.compiler.source import Span
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    INT,
    UNKNOWN,
    ArrayType,
    Elementary,
    EnumType,
    FbType,
    OpenArrayType,
    StringType,
    SubrangeType,
    Type,
    Unknown,
    fits,
    is_integer,
    size_align,
)

if TYPE_CHECKING:
    from host_tools.compiler.declarations import Declarations

MAX_STRING = 32_767


def string(names: Declarations, spec: tree.StringSpec) -> Type:
    if spec.length is None:
        return StringType(spec.wide, 80)
    length = names.constants.integer(spec.length, "the length of a string")
    if length is None:
        return UNKNOWN
    if not 1 <= length <= MAX_STRING:
        names.reporter.report(
            "E0212",
            f"a string cannot be {length} characters long",
            spec.length.span,
            help=f"lengths from 1 to {MAX_STRING} are possible",
        )
        return UNKNOWN
    names.longest_string = max(names.longest_string, length)
    return StringType(spec.wide, length)


def _open_array(names: Declarations, spec: tree.ArraySpec, parameter: bool) -> Type:
    """ARRAY[*, *] OF …"""
    stars = [r for r in spec.ranges if r.low is None]
    if not parameter or len(stars) != len(spec.ranges):
        names.reporter.report(
            "E0333",
            "ARRAY[*] only goes with parameters"
            if not parameter
            else "either all bounds of an array are *, or none",
            stars[0].span,
            label="nothing says how large it is" if not parameter else "",
            help="write the bounds, for example ARRAY[1..10]; * is for VAR_IN_OUT, and for "
            "VAR_INPUT and VAR_OUTPUT of functions and methods"
            if not parameter
            else "write * for each dimension",
        )
        return UNKNOWN
    element = names.resolve(spec.element)
    return UNKNOWN if isinstance(element, Unknown) else OpenArrayType(len(stars), element)


def array(names: Declarations, spec: tree.ArraySpec, parameter: bool) -> Type:
    if any(r.low is None for r in spec.ranges):
        return _open_array(names, spec, parameter)
    bounds: list[tuple[int, int]] = []
    for r in spec.ranges:
        low = names.constants.integer(r.low, "an array bound")
        high = names.constants.integer(r.high, "an array bound")
        if low is None or high is None:
            return UNKNOWN
        if high < low:
            names.reporter.report(
                "E0213",
                f"the bounds {low}..{high} are the wrong way round",
                r.span,
                help=f"write {high}..{low}",
            )
            return UNKNOWN
        bounds.append((low, high))
    element = names.resolve(spec.element)
    if isinstance(element, Unknown):
        return UNKNOWN
    t = ArrayType(tuple(bounds), element, names.default_init(spec.element))
    if spec.each and not _check_each(names, spec, t):
        return UNKNOWN
    size = t.count * size_align(element)[0]
    if size > fields.MAX_BYTES:
        fields.too_large(names, "this array would take", size, spec.span)
        return UNKNOWN
    return t


def _check_each(names: Declarations, spec: tree.ArraySpec, t: ArrayType) -> bool:
    """`ARRAY[1..2] OF Axis[(id := 1), (id := 2)]` has one list for each instance."""
    if isinstance(t.element, FbType) and len(spec.each) == t.count:
        return True
    span = spec.each[0].span.to(spec.each[-1].span)
    if isinstance(t.element, FbType):
        message, help_ = (
            f"{len(spec.each)} lists are given for {t.count} instances",
            f"write one for each of them, or one for all: {t.element}(…)",
        )
    else:
        message, help_ = f"{t.element} has no FB_Init", "write the values behind ':='"
    names.reporter.report("E0320", message, span, help=help_)
    return False


def enum(names: Declarations, spec: tree.EnumSpec, name: str) -> Type:
    base = INT
    if spec.base is not None:
        found = names.resolve(spec.base)
        if isinstance(found, FbType | Unknown):
            return found  # no enumeration, but `motor : Motor(axis := 3)`, for FB_Init
        if not (isinstance(found, Elementary) and found.group in ("sint", "uint", "bit")):
            names.reporter.report(
                "E0215",
                f"an enumeration cannot be based on {found}",
                spec.base.span,
                help="use an integer type or BYTE, WORD, DWORD, LWORD",
            )
            return UNKNOWN
        base = found
    t = EnumType(name, base, span=spec.span)
    following = 0
    first: dict[str, Span] = {}
    for i, v in enumerate(spec.values):
        key = fold(v.name.name)
        if key in t.values:
            names.duplicate(v.name, first[key])
            continue
        first[key] = v.name.span
        if v.value is not None:
            number = names.constants.integer(v.value, "an enumerated value")
            if number is None and not name:
                return UNKNOWN  # its values have no other name to be known by
            following = number if number is not None else following
        if not fits(following, base):
            names.reporter.report(
                "E0216",
                f"the value {following} does not fit {base}",
                v.span,
                help=f"give {name or 'the enumeration'} a wider base type",
            )
            following = 0
        t.values[key] = following
        t.spelling[key] = v.name.name
        # Known from here on: the values after it may use it.
        names.enum_values.setdefault(key, []).append((t, following))
        if i == 0:
            t.default = following
        following += 1
    return t


def subrange(names: Declarations, spec: tree.SubrangeSpec, name: str) -> Type:
    base = names.named_type(spec.base.name, spec.base.span)
    low = names.constants.integer(spec.range.low, "a subrange bound")
    high = names.constants.integer(spec.range.high, "a subrange bound")
    if isinstance(base, Unknown) or low is None or high is None:
        return UNKNOWN
    if not (isinstance(base, Elementary) and is_integer(base)):
        names.reporter.report(
            "E0217",
            f"a subrange needs an integer type, not {base}",
            spec.base.span,
            help="use SINT … ULINT",
        )
        return UNKNOWN
    if high < low or not fits(low, base) or not fits(high, base):
        names.reporter.report(
            "E0218",
            f"{low}..{high} is not a range of {base}",
            spec.range.span,
            help="the lower bound comes first, and both must fit the type",
        )
        return UNKNOWN
    return SubrangeType(name, base, low, high)
