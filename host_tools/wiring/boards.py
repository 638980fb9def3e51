"""Boards as data: what boards/NAME.toml says about chip, pins and limits."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from host_tools.record import field, record

FOLDER = Path(__file__).parents[2] / "boards"


@record(frozen=True)
class Pin:
    """One pin. `id` is what machine.Pin takes. `adc` is the converter's number (None: no
    analogue input). `pwm` names the PWM channel: True where each pin has its own, "3A" for
    channel A of slice 3, False for none. `uart` is what it can be of a UART, as "0TX"; where no
    pin of a board has one, the chip connects any. `taken` says what the board itself uses the pin
    for."""

    name: str
    id: int | str
    input: bool = True
    output: bool = True
    pulls: tuple[str, ...] = ("up", "down")
    adc: int | None = None
    pwm: str | bool = False
    uart: str = ""
    taken: str = ""
    strap: str = ""
    note: str = ""


@record(frozen=True)
class Board:
    """`floats` is the precision of Python floats in stock firmware; `firmware` the board's name in
    the MicroPython source tree; `kernel`: firmware/kernel/ is written for this chip; `uarts` the
    numbers of those that are free; `usb` the vendor:product ids it shows when MicroPython runs."""

    name: str
    title: str
    chip: str
    floats: str
    firmware: str = ""
    native: str = ""
    kernel: bool = False
    ram_kib: int = 0
    flash_kib: int = 0
    network: bool = False
    led: str = ""
    uarts: tuple[int, ...] = ()
    usb: tuple[str, ...] = ()
    usb_boot: tuple[str, ...] = ()
    pins: dict[str, Pin] = field(default_factory=dict)
    limits: tuple[tuple[str, str], ...] = ()

    def limit(self, when: str) -> str:
        """What the data file says about a known limit, or ""."""
        return next((text for name, text in self.limits if name == when), "")


def board_names() -> list[str]:
    """Names of all boards, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_board(name: str) -> Board | None:
    """The board called `name`, or None where there is no such file."""
    if name not in board_names():
        return None
    with (FOLDER / f"{name}.toml").open("rb") as file:
        data = tomllib.load(file)
    usb = data.pop("usb", {})
    pins = {
        pin: Pin(
            pin,
            row.pop("id", pin),
            pulls=tuple(row.pop("pulls", ("up", "down"))),
            **row,
        )
        for pin, row in data.pop("pins").items()
    }
    data["uarts"] = tuple(data.get("uarts", ()))
    limits = tuple((row["when"], row["text"]) for row in data.pop("limits", ()))
    return Board(
        **data,
        usb=tuple(usb.get("run", ())),
        usb_boot=tuple(usb.get("boot", ())),
        pins=pins,
        limits=limits,
    )


def all_boards() -> Iterator[Board]:
    """Every board."""
    for name in board_names():
        board = load_board(name)
        if board is not None:
            yield board
