"""The command line's parser: mistakes become a Failure, told like every other one."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from host_tools.failure import USAGE, Failure

_SAID = (
    (r"the following arguments are required: (.+)", "{0} needs {1}"),
    (r"argument (.+): not allowed with argument (.+)", "{1} does not go with {2}"),
    (r"argument (.+): expected one argument", "{1} needs a value"),
    (r"argument (.+): invalid choice: '(.*)' \(choose from (.*)\)", "'{2}' is no value for {1}"),
)
"""What argparse says, and what is said in its place; {0} is the command."""


class Parser(argparse.ArgumentParser):
    """Options are written in full: an abbreviation may mean another one in the next version."""

    def __init__(self, **options: object) -> None:
        super().__init__(**{"allow_abbrev": False, **options})  # type: ignore[arg-type]

    def parse(self, arguments: list[str]) -> argparse.Namespace:
        """The options. Raises Failure for what is not among them."""
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            self._refuse(unknown, self._chosen(getattr(options, "command", None)))
        return options

    def error(self, message: str) -> NoReturn:
        """Called by argparse."""
        for pattern, text in _SAID:
            found = re.fullmatch(pattern, message)
            if found:
                message = text.format(self.prog, *found.groups())
                break
        help = f"`{self.prog} --help` tells more"
        if found and "choice" in found.re.pattern:
            from host_tools.compiler.diagnostics import did_you_mean

            choices = [choice.strip(" '") for choice in found[3].split(",")]
            help = did_you_mean(found[2], choices) or f"it is one of: {', '.join(choices)}"
        raise Failure(message, help, USAGE)

    def _chosen(self, command: str | None) -> Parser:
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction) and command in action.choices:
                found = action.choices[command]
                assert isinstance(found, Parser)
                return found
        return self

    @staticmethod
    def _refuse(unknown: list[str], parser: Parser) -> NoReturn:
        from host_tools.compiler.diagnostics import did_you_mean

        more = f"`{parser.prog} --help` tells more"
        option = next((text for text in unknown if text.startswith("-") and text != "-"), None)
        if option is None:
            raise Failure(f"'{unknown[0]}' is one argument too many", more, USAGE)
        name = option.partition("=")[0]
        known = [text for action in parser._actions for text in action.option_strings]
        help = did_you_mean(name, known) or more
        raise Failure(f"{parser.prog} has no option '{name}'", help, USAGE)
