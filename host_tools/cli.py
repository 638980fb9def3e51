"""The `takt` command: finds the command's module, and tells what went wrong in plain words."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword

from host_tools.arguments import Parser
from host_tools.failure import INTERRUPTED, PROGRAM, USAGE, Failure

COMMANDS = {
    "new": "make a small project that checks and runs",
    "check": "find mistakes in program and wiring",
    "fmt": "lay out Structured Text in the one way",
    "build": "write the bundle that a controller runs",
    "run": "run on the desk, in MicroPython, on an emulated Pico or a board",
    "test": "run the tests that stand beside the program",
    "deploy": "put the program on a board to stay",
    "log": "show faults, statistics and slots of a board",
    "bench": "measure scans, latencies, sizes and turn-around",
    "bench-run": "run the tests of a bench, hardware in the loop, on any device",
    "firmware": "make or find MicroPython for a board",
    "devices": "list boards on serial ports and what else can run programs here",
    "import": "make Structured Text of a PLCopen XML project",
    "explain": "explain a code such as E0101",
}
"""Names and one line for each; host_tools/commands/ has a module for each."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 ok, 1 the program or a test failed, 2 usage, 3 device or
    connection, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    _prepare_streams()
    try:
        code = _main(arguments)
        sys.stdout.flush()
        return code
    except SystemExit as exit:  # argparse after --help
        return exit.code if isinstance(exit.code, int) else USAGE
    except Failure as failure:
        return _tell(failure, as_json)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        if as_json:
            _print_error("interrupted", "")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone.
        _forget_output()
        return PROGRAM
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            return _internal(error, as_json)
        _forget_output()
        print(f"error: cannot write the output: {error.strerror}", file=sys.stderr)
        return PROGRAM
    except Exception as error:
        return _internal(error, as_json)


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def _prepare_streams() -> None:
    """Output that a terminal cannot show, or that goes nowhere, is no reason to fail."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif getattr(stream, "errors", "") == "strict" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _forget_output() -> None:
    """Let Python close stdout without trying once more to write what is left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _internal(error: Exception, as_json: bool) -> int:
    if os.environ.get("TAKT_DEBUG"):
        raise error
    text = f"internal error: {type(error).__name__}: {error}"
    print(
        f"{text}\n"
        "This is a fault in Takt, not in your program. Please report it with the project and "
        "the output\nof the same command after `export TAKT_DEBUG=1`.",
        file=sys.stderr,
    )
    if as_json:
        _print_error(text, "")
    return 70


def _print_error(message: str, help: str) -> None:
    import json

    print(json.dumps({"error": {"message": message, "help": help}}))


def _main(arguments: list[str]) -> int:
    chosen = next((a for a in arguments if not a.startswith("-")), None)
    parser = Parser(
        prog="takt",
        description="A soft-PLC for MicroPython boards.",
        epilog="`takt COMMAND --help` tells more about each.",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    module = None
    for name, line in COMMANDS.items():
        # Building all parsers and importing all modules would cost more than most commands.
        if chosen in COMMANDS and name != chosen:
            continue
        sub = commands.add_parser(
            name,
            help=line,
            description=line[0].upper() + line[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == chosen:
            # A keyword cannot be the name of a module that anyone imports.
            file = name.replace("-", "_") + "_" * iskeyword(name)
            module = import_module(f"host_tools.commands.{file}")
            sub.add_argument("--json", action="store_true", help="print one JSON object")
            module.add(sub)
    if chosen is not None and module is None:
        from host_tools.compiler.diagnostics import did_you_mean

        raise Failure(
            f"there is no command '{chosen}'",
            did_you_mean(chosen, COMMANDS) or "`takt --help` lists the commands",
            USAGE,
        )
    options = parser.parse(arguments)
    if options.version:
        from host_tools.version import version

        print(f"takt {version()}")
        return 0
    if module is None:
        parser.print_help(sys.stderr)
        return USAGE
    code: int = module.run(options)
    return code


def _tell(failure: Failure, as_json: bool) -> int:
    from host_tools.render import Style, diagnostic_json, diagnostics_text

    style = Style(sys.stderr)
    diagnostics = getattr(failure, "diagnostics", None)
    if diagnostics is not None:
        print(diagnostics_text(diagnostics, style), file=sys.stderr)
        if as_json:
            import json

            found = [diagnostic_json(d) for d in diagnostics]
            print(json.dumps({"ok": False, "diagnostics": found}))
        return failure.exit_code
    print(style("red", "error") + style("bold", f": {failure.message}"), file=sys.stderr)
    if failure.help:
        print(style("bold", "help") + f": {failure.help}", file=sys.stderr)
    if as_json:
        _print_error(failure.message, failure.help)
    return failure.exit_code


if __name__ == "__main__":
    sys.exit(main())
