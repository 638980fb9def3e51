"""One module for each command: `add(parser)` declares its arguments, `run(arguments)` does it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from host_tools.compiler.diagnostics import Diagnostic


def tell_warnings(diagnostics: Sequence[Diagnostic]) -> None:
    """Print what is wrong without being an error, on stderr."""
    if diagnostics:
        from host_tools.render import Style, diagnostics_text

        print(diagnostics_text(diagnostics, Style(sys.stderr)) + "\n", file=sys.stderr)
