"""Puts the runtime and programs on boards: what `deploy` and `run --on PORT` do over a Link."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from host_tools.board_link import Console, Link
from host_tools.bundle import Bundle
from host_tools.device_files import runtime_files, runtime_hash
from host_tools.failure import DEVICE, Failure
from host_tools.record import record
from host_tools.remote import read_message, staged_files
from host_tools.wiring.boards import Board

Say = Callable[[str], None]

LIBRARY = "/lib"
ROOT = "/takt"
STAMP = LIBRARY + "/takt.sha"
MAIN = "/main.py"
MAIN_TEXT = """\
# Written by `takt deploy`: starts the program in the active slot of /takt.
import controller.boot

controller.boot.start()
"""
_ARRIVED = ROOT + "/arrived.taktb"
_RUN = ROOT + "/run"
_OPTIONS = ROOT + "/run.json"

_OLDEST = (1, 25)
_STAGE_S = 60
_START_S = 30

_WHO = """\
import sys,json
i=sys.implementation
print(json.dumps([i.name,list(i.version[:3]),getattr(i,'_machine',''),getattr(i,'_mpy',0)&255]))
"""
_READ_SMALL = """\
try:
    print(open({!r}).read(400),end='')
except OSError:
    pass
"""
_STAGE = """\
import os,controller.bundle as b
s=b.idle({root!r})
try:
    b.stage({file!r},{root!r}+'/'+s)
    b.activate({root!r},s)
    print('slot',s)
except b.BundleError as e:
    print('refused',e)
os.remove({file!r})
"""
_LOG = """\
try:
    from controller import log
except ImportError:
    print('none')
else:
    log.tell({root!r})
"""
_EMPTY = """\
import os
try:
    for n in os.listdir({0!r}):
        os.remove({0!r}+'/'+n)
except OSError:
    pass
"""


@record(frozen=True)
class Firmware:
    """What runs on a board: MicroPython's version and what it says the board is."""

    version: tuple[int, ...]
    machine: str


def check_board(link: Link, board: Board | None) -> Firmware:
    """Who is at the other end. Raises Failure where it cannot run Takt's programs, or is not the
    board that the program was built for."""
    answer = link.execute(_WHO)
    try:
        name, version, machine, mpy = json.loads(answer.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise Failure(
            f"what answers on '{link.name}' is not MicroPython", repr(answer[-200:]), DEVICE
        ) from None
    found = Firmware(tuple(version), machine)
    text = ".".join(map(str, version))
    if name != "micropython" or found.version < _OLDEST or mpy != 6:
        raise Failure(
            f"'{link.name}' runs {name} {text}, which cannot load Takt's programs",
            "put MicroPython 1.25 or newer on the board",
            DEVICE,
        )
    if board is not None and board.chip != "none" and board.chip not in machine:
        raise Failure(
            f"the program is for board '{board.name}' ({board.chip}), '{link.name}' is {machine}",
            "set `board` under [project] in takt.toml, or choose another port",
            DEVICE,
        )
    return found


def install_runtime(link: Link, say: Say) -> bool:
    """Put controller, bus and drivers on the board unless the same are there; True if so."""
    files = runtime_files(say)
    digest = runtime_hash(files)
    if link.execute(_READ_SMALL.format(STAMP)).strip() == digest:
        return False
    say(f"copying the runtime, {sum(map(len, files.values())) // 1024} KiB")
    # The stamp comes last, and the old one goes first: a copy cut off half-way is not trusted.
    link.put({STAMP: b""})
    link.put({f"{LIBRARY}/{name}": content for name, content in files.items()})
    link.put({STAMP: digest.encode()})
    return True


def start_run(link: Link, bundle: Bundle, options: dict[str, Any], say: Say) -> Console:
    """Copy a program to the board and run it there until it ends, beside what is deployed."""
    install_runtime(link, say)
    say("copying the program")
    link.execute(_EMPTY.format(_RUN))
    files = {f"{_RUN}/{name}": content for name, content in staged_files(bundle).items()}
    files[_OPTIONS] = json.dumps({"directory": _RUN, **options}).encode()
    link.put(files)
    say("starting")
    return link.start(f"import controller.console as c\nc.main(open({_OPTIONS!r}).read())\n")


def has_program(link: Link) -> bool:
    """Is a program deployed to the board, which it runs after a reset?"""
    return bool(link.execute(_READ_SMALL.format(ROOT + "/active")).strip())


def read_log(link: Link) -> dict[str, Any]:
    """What controller/log.py tells on a board. Raises Failure where it is not there."""
    answer = link.execute(_LOG.format(root=ROOT), 30).strip().rpartition("\n")[2]
    try:
        found: dict[str, Any] = json.loads(answer)
        return found
    except ValueError:
        raise Failure(
            f"there is no runtime with a log on '{link.name}'",
            "`takt deploy` puts it there, with a program",
            DEVICE,
        ) from None


@record(frozen=True)
class Deployed:
    """What a deployment did. `message` is the board's word that the program scans."""

    slot: str
    firmware: Firmware
    runtime_copied: bool
    message: dict[str, Any]


def deploy(
    link: Link, bundle: Bundle, board: Board | None, say: Say, replace_main: bool = False
) -> Deployed:
    """Stage a bundle into the idle slot, activate it, restart, and wait until it scans.

    The board checks every part against its hash before the slot is activated; a program that does
    not get through its first scans is given up by the board itself, and the one before goes on.
    Raises Failure, saying what runs then.
    """
    firmware = check_board(link, board)
    main = link.execute(_READ_SMALL.format(MAIN))
    if main.strip() and "controller.boot" not in main and not replace_main:
        raise Failure(
            f"the board has a {MAIN} of its own, which would be lost",
            "save it and remove it from the board, or use --replace-main",
            DEVICE,
        )
    copied = install_runtime(link, say)
    say("copying the program")
    link.put({_ARRIVED: bundle.pack()})
    say("staging and checking it on the board")
    answer = link.execute(_STAGE.format(root=ROOT, file=_ARRIVED), _STAGE_S).strip()
    word, _, rest = answer.rpartition("\n")[2].partition(" ")
    if word != "slot":
        raise Failure(
            f"the board refuses the program: {rest or answer}",
            "what ran before is still the active program",
            DEVICE,
        )
    if main != MAIN_TEXT:
        link.put({MAIN: MAIN_TEXT.encode()})
    say("restarting the board")
    return Deployed(rest, firmware, copied, wait_until_it_scans(link.restart(), rest))


def wait_until_it_scans(console: Console, slot: str) -> dict[str, Any]:
    """The board's message "running" for `slot`. Raises Failure for anything else it tells."""
    heard: list[str] = []
    for message in _messages(console, heard):
        kind = message["is"]
        if kind == "running" and message["slot"] == slot:
            return message
        if kind == "running":
            raise Failure(
                f"the new program was given up: {' '.join(heard) or 'the board does not say why'}",
                f"the program before it runs again, in slot {message['slot']}",
                DEVICE,
            )
        if kind in ("fallback", "stopped", "fault"):
            heard.append(str(message.get("text")))
        if kind == "stopped":
            raise Failure(
                f"the program does not run: {' '.join(heard)}",
                "no program runs on the board now",
                DEVICE,
            )
    last = "\n".join(heard[-8:])
    raise Failure(
        "the board does not say that the program runs",
        f"the last that was heard:\n{last}" if last else "is its USB cable still plugged in?",
        DEVICE,
    )


def _messages(console: Console, heard: list[str]) -> Iterator[dict[str, Any]]:
    for line in console.lines(quiet_s=_START_S):
        message = read_message(line)
        if message["is"] != "print":
            yield message
        elif message["text"].strip() and "MPY: soft reboot" not in message["text"]:
            heard.append(message["text"])
