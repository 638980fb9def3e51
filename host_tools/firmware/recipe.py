"""The recipes in `firmware/`: which packages a board's MicroPython is made of."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable


class FirmwareError(Exception):
    """Firmware cannot be obtained or built; the message says what failed and what to do next."""


@dataclass(frozen=True)
class Mix:
    """One set of packages known to build: package name -> suite of the archive it comes from."""

    version: str
    """MicroPython version in short, such as 1.26."""
    expect: str
    """What the upstream version of the micropython package must begin with."""
    sources: dict[str, str]
    binaries: dict[str, str]

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites needed, each once."""
        return tuple(sorted({*self.sources.values(), *self.binaries.values()}))


@dataclass(frozen=True)
class Recipe:
    """How one board's firmware is made."""

    name: str
    number: int
    title: str
    board: str
    port: str
    manifest: str
    """Text of the frozen-module manifest."""
    image: str
    """Kind of the image: "uf2" for boards, "elf" for emulators."""
    links: dict[str, str]
    """Folder of MicroPython's lib/ -> package that it becomes a link to."""
    modules: dict[str, str]
    """Name -> text of files of C that are compiled in (USER_C_MODULES)."""
    arguments: tuple[str, ...]
    """More arguments for the port's make; {modules} is where those files lie."""
    family: int
    """UF2 family, and the address that flash is mapped at; 0 where the image is no UF2."""
    flash_base: int
    tools: tuple[str, ...]
    compiler: tuple[str, ...]
    """Those of the tools whose version shows in the image."""
    mixes: tuple[Mix, ...]
    official: dict[str, str]
    """Version -> address of the published image."""


def boards() -> tuple[str, ...]:
    """The boards that have a recipe."""
    names = (entry.name for entry in resources.files("firmware").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def recipe(board: str) -> Recipe:
    """The recipe for a board; raises `FirmwareError` when there is none."""
    if board not in boards():
        raise FirmwareError(
            f"there is no firmware recipe for the board {board!r}. "
            f"Boards with a recipe: {', '.join(boards())}"
        )
    folder = resources.files("firmware")
    data = tomllib.loads((folder / f"{board}.toml").read_text(encoding="utf-8"))
    return Recipe(
        name=board,
        number=data["recipe"],
        title=data["title"],
        board=data["board"],
        port=data["port"],
        manifest=(folder / data["manifest"]).read_text(encoding="utf-8"),
        image=data["image"],
        links=data.get("links", {}),
        modules=_texts(folder / data["modules"]) if "modules" in data else {},
        arguments=tuple(data.get("arguments", ())),
        family=data.get("family", 0),
        flash_base=data.get("flash_base", 0),
        tools=(*data["tools"], *data["compiler"]),
        compiler=tuple(data["compiler"]),
        mixes=tuple(Mix(**mix) for mix in data["mix"]),
        official=data["official"],
    )


def _texts(folder: Traversable) -> dict[str, str]:
    files = sorted((entry for entry in folder.iterdir() if entry.is_file()), key=lambda e: e.name)
    return {entry.name: entry.read_text(encoding="utf-8") for entry in files}


def mixes_for(made: Recipe, version: str | None) -> tuple[Mix, ...]:
    """The mixes to try, in order; raises `FirmwareError` for a version no mix makes."""
    if version is None:
        return made.mixes
    chosen = tuple(mix for mix in made.mixes if _same_version(mix.version, version))
    if not chosen:
        known = ", ".join(mix.version for mix in made.mixes)
        raise FirmwareError(
            f"there is no recipe for MicroPython {version} on the {made.title}. "
            f"Versions that can be built: {known}"
        )
    return chosen


def _same_version(short: str, asked: str) -> bool:
    return asked == short or asked.startswith(short + ".")
