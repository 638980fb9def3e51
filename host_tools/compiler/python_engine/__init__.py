"""The python engine: IR in, source text of the module `program` out (CPython and MicroPython)."""

from host_tools.compiler.python_engine.module import emit
from host_tools.compiler.python_engine.text import EngineError

__all__ = ["EngineError", "emit"]
