"""`takt build`: writes the bundle."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from host_tools.build import Program, bundle_path, compile, with_engine
from host_tools.commands import tell_warnings
from host_tools.failure import USAGE, Failure
from host_tools.project import load
from host_tools.render import Progress, diagnostic_json


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="PROJECT|FILE.st", nargs="*", help="default: the project here"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="default: build/NAME.taktb in the project"
    )
    parser.add_argument(
        "--c",
        metavar="FOLDER",
        help="also write the C that the native engine compiles, with the headers that it includes",
    )
    add_engine(parser)


def add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", choices=["auto", "python", "native"], help="overrides takt.toml"
    )


def run(options: argparse.Namespace) -> int:
    project = with_engine(load(*options.paths, engine=options.engine))
    path = bundle_path(project, options.output)
    with Progress(f"compiling {project.name}"):
        program = compile(project)
        bundle = program.bundle()
    tell_warnings(program.diagnostics)
    bundle.write(path)
    if options.c is not None:
        _write_c(program, Path(options.c))
    sizes = {name: len(content) for name, content in bundle.parts.items()}
    if options.json:
        print(
            json.dumps(
                {
                    "file": str(path),
                    "name": program.project.name,
                    "layout": program.layout["hash"],
                    "image_size": program.ir.image_size,
                    "engine": program.engine,
                    "stack": bundle.manifest.get("stack"),
                    "parts": sizes,
                    "diagnostics": [diagnostic_json(d) for d in program.diagnostics],
                }
            )
        )
    else:
        print(
            f"{path}: {path.stat().st_size} bytes, board {bundle.manifest['board']}, "
            f"{'machine' if program.engine == 'native' else 'byte'} code "
            f"{sizes['program.mpy']} bytes, image {program.ir.image_size} bytes, "
            f"layout {program.layout['hash']}"
        )
        if bundle.depth is not None:
            print(f"stack: {bundle.depth.text()}")
    sys.stdout.flush()
    return 0


def _write_c(program: Program, folder: Path) -> None:
    """Raises Failure."""
    from host_tools.native.module import c_files

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in c_files(program.ir, program.source_names).items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write C into {folder}: {error.strerror}", "", USAGE) from None
