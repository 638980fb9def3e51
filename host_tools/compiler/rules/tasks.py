"""W0323: two programs of one task write the same output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from host_tools.compiler.diagnostics import Label, Reporter
from host_tools.compiler.lowering.crosscheck import closure
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Touch


def check(
    reporter: Reporter, tasks: Iterable[Sequence[str]], touches: Mapping[str, Touch]
) -> None:
    """`tasks`: the names of the program instances of each task, in their order. Two tasks that
    write one output are an error of their own (E0280)."""
    for programs in tasks:
        first: dict[tuple[str, int, int, int], tuple[str, Span]] = {}
        for name in programs:
            touched = closure(dict(touches), f"program_{name}")
            for key, span in touched.writes.items():
                if key[0] != "Q":
                    continue
                other = first.setdefault(key, (name, span))
                if other[0] != name and other[1] is not span:
                    reporter.report(
                        "W0323",
                        f"programs '{other[0]}' and '{name}' both write this output",
                        span,
                        label="the later one wins in every scan",
                        others=[Label(other[1], f"written here by '{other[0]}'")],
                        help="write it in one program, from variables that both set",
                    )
