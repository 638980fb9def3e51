"""The C texts that a program is compiled with, and the names that they take from it."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

RUNTIME = ("rt.h", "soft.h", "strings.h")
"""Files of this folder that stand before the program."""

KERNEL = Path(__file__).parents[3] / "firmware" / "kernel" / "kernel.h"
"""The scan kernel, which may stand behind it."""

# Functions, whose heads begin a line, macros, and types.
_DEFINED = (
    re.compile(r"^[A-Za-z_][^\n;={]*?\b(\w+)\((?!\()", re.MULTILINE),
    re.compile(r"^#define (\w+)", re.MULTILINE),
    re.compile(r"^(?:typedef [^\n{]*?|\} ?)\b(\w+);", re.MULTILINE),
)
_CONSTANTS = re.compile(r"^enum \{([^}]*)\}", re.MULTILINE)
_PLAIN_MACRO = re.compile(r"^#define (\w+)(?!\w|\()", re.MULTILINE)


@lru_cache
def runtime_text() -> str:
    """The text of RUNTIME, for what must know that it has changed."""
    folder = Path(__file__).parent
    return "".join((folder / name).read_text(encoding="utf-8") for name in RUNTIME)


@lru_cache
def defined_names() -> frozenset[str]:
    """What is defined in file scope: no function of a program can have these names."""
    text = runtime_text() + KERNEL.read_text(encoding="utf-8")
    found = {name for pattern in _DEFINED for name in pattern.findall(text)}
    for constants in _CONSTANTS.findall(text):
        found.update(re.findall(r"[A-Za-z_]\w*", constants))
    return frozenset(found)


@lru_cache
def macros() -> frozenset[str]:
    """Macros without parameters: the preprocessor would replace any name like them."""
    return frozenset(_PLAIN_MACRO.findall(runtime_text()))
