"""The native engine's compiler part: a program as one translation unit of freestanding C."""

from host_tools.compiler.c_engine.module import emit
from host_tools.compiler.c_engine.text import EngineError

__all__ = ["EngineError", "emit"]
