"""Directly represented variables: where %I, %Q and %M addresses are, how large their areas."""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.compiler import tree
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.layout import AREA_UNIT, Image, area_of, direct_offset
from host_tools.compiler.lowering.pou import located_fits
from host_tools.compiler.tree import declared
from host_tools.compiler.types import Unknown, size_align

MAX_ADDRESS = 65_535
_BYTES = {"X": 1, "B": 1, "W": 2, "D": 4, "L": 8}


def area_sizes(
    names: Declarations,
    least: dict[str, int],
    directs: Iterable[tree.Direct],
    blocks: Iterable[Iterable[tree.VarBlock]],
) -> dict[str, int]:
    """The sizes in bytes of "IX", "IW", …: at least those given, and room for `directs` and for
    what is declared in `blocks` with an address."""
    sizes = dict(least)

    def need(name: str, size: int) -> None:
        sizes[name] = max(sizes.get(name, 0), size)

    for node in directs:
        where = direct_offset(node)
        if where is not None and where[0] <= MAX_ADDRESS:
            need(area_of(node), where[0] + _BYTES[node.size])
    for some in blocks:
        for _, decl, _ in declared(some):
            if decl.location is not None:
                where = direct_offset(decl.location)
                t = names.resolve(decl.type)
                if (
                    where is not None and where[0] <= MAX_ADDRESS and not isinstance(t, Unknown)
                ) and located_fits(decl.location, t):
                    need(area_of(decl.location), where[0] + size_align(t)[0])
    return sizes


def address(image: Image, reporter: Reporter, node: tree.Direct) -> tuple[int, int | None] | None:
    """Image offset and bit of a directly represented variable; reports what is wrong."""
    where = direct_offset(node)
    if where is None or where[0] > MAX_ADDRESS:
        if node.address is None:
            message, help_ = (
                f"%{node.area}* has no address yet",
                f"write the address, for example %{node.area}{node.size}0"
                + (".0" if node.size == "X" else ""),
            )
        elif where is not None:
            message = f"%{node.area}{node.size} addresses end at {MAX_ADDRESS} bytes"
            last = MAX_ADDRESS // AREA_UNIT[node.size]
            help_ = f"the last one is %{node.area}{node.size}{last}"
        elif node.size == "X":
            message = "a bit address is byte.bit, the bit from 0 to 7"
            help_ = f"for example %{node.area}X{node.address[0]}.0"
        else:
            message, help_ = (
                f"%{node.area}{node.size} takes one number",
                f"for example %{node.area}{node.size}{node.address[0]}; "
                f"a bit of it is %{node.area}{node.size}{node.address[0]}.%X0",
            )
        reporter.report("E0270", message, node.span, help=help_)
        return None
    return image.areas[area_of(node)][0] + where[0], where[1]
