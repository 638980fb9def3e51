"""One layout for Structured Text: comments and pragmas stay, meaning stays, blanks do not matter.

The rules and their reasons are in docs/decisions/0003-format.md.
"""

from host_tools.formatter.layout import Formatted, format_source

__all__ = ["Formatted", "format_source"]
