"""Structured Text compiler: source text in, typed program, layout and IR out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from host_tools.compiler.compilation import Compilation, Options, compile_sources

__all__ = ["Compilation", "Options", "compile_sources"]


def __getattr__(name: str) -> Any:
    # Lazily, so that importing one piece of the compiler does not import all of it.
    if name in __all__:
        from host_tools.compiler import compilation

        return getattr(compilation, name)
    raise AttributeError(name)
