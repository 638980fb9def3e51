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

ROOT = "/takt"
RUNTIMES = ROOT + "/lib"
MAIN = "/main.py"
MAIN_TEXT = """\
# Written by `takt deploy`: starts the program in the active slot of /takt, with the runtime that
# it was deployed with.
import os
import sys


def word(name):
    # Where a rename replaces in two steps (FAT), a cut may leave only the new file.
    for path in ("/takt/" + name, "/takt/" + name + ".new"):
        try:
            with open(path) as f:
                return f.read(64).split()[0]
        except (OSError, IndexError):
            pass
    return ""


slot = word("active")
if slot:
    sys.path.insert(0, "/takt/lib/" + word(slot + "/manifest.runtime"))
    try:
        import controller.boot
    except Exception as error:
        if word("trial") != slot:
            raise
        # The runtime is on trial, too.
        sys.print_exception(error)
        with open("/takt/active.new", "w") as f:
            f.write("b" if slot == "a" else "a")
        os.rename("/takt/active.new", "/takt/active")
        sys.exit()
    controller.boot.start()
else:
    print("no program is active in /takt; `takt deploy` puts one there")
"""
_MARK = "whole"
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
    print(open({!r}).read(4000),end='')
except OSError:
    pass
"""
# Another runtime may be loaded, by what ran before; asyncio holds what that was doing.
_USE = """\
import gc,sys
if {0!r} not in sys.path[:1]:
    for n in list(sys.modules):
        if n.split('.')[0] in ('controller','bus','drivers','asyncio'):
            del sys.modules[n]
    globals().pop('controller',None)
    gc.collect()
    sys.path.insert(0,{0!r})
"""
# Its mark goes first: a runtime of which a part is gone is not to be taken for a whole one.
_CLEAR = """\
import os
def _read(p):
    try:
        return open(p).read()
    except OSError:
        return ''
def _clear(p):
    for e in [('{mark}',0)]+list(os.ilistdir(p)):
        n=p+'/'+e[0]
        if e[1]==0x4000:
            _clear(n)
        else:
            try:
                os.remove(n)
            except OSError:
                pass
    os.rmdir(p)
k=[_read('{root}/%s/manifest.runtime'%s) for s in 'ab']
try:
    d=os.listdir({runtimes!r})
except OSError:
    d=[]
for n in d:
    if n not in k:
        _clear({runtimes!r}+'/'+n)
"""
_STAGE = """\
import os,controller.bundle as b
s=b.idle({root!r})
try:
    b.stage({file!r},{root!r}+'/'+s,runtime={runtime!r})
    print('slot',s)
except b.BundleError as e:
    print('refused',e)
os.remove({file!r})
"""
_ACTIVATE = """\
import controller.bundle as b
try:
    b.activate({root!r},{slot!r})
    print('active')
except b.BundleError as e:
    print('refused',e)
"""
_RENAME = "import os\nos.rename({!r},{!r})\n"
_LOG = """\
import sys
for s in 'ab':
    try:
        sys.path.append('{root}/lib/'+open('{root}/%s/manifest.runtime'%s).read())
    except OSError:
        pass
try:
    from controller import log
except ImportError:
    print('none')
else:
    log.tell('{root}')
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


@record(frozen=True)
class Runtime:
    """The runtime in a folder of the board; `copied` if it was not there before. Each slot has the
    one that its program was deployed with, so nothing changes under a program."""

    folder: str
    copied: bool = False

    @property
    def name(self) -> str:
        return self.folder.rpartition("/")[2]

    @property
    def use(self) -> str:
        """Code for the board that lets its imports find this runtime."""
        return _USE.format(self.folder)


def runtime_on_board(
    files: dict[str, bytes],
) -> tuple[Runtime, dict[str, bytes], dict[str, bytes]]:
    """Where a runtime lies: the files of a board for `files`, and the mark of a whole runtime."""
    digest = runtime_hash(files)
    runtime = Runtime(f"{RUNTIMES}/{digest[:16]}")
    placed = {f"{runtime.folder}/{name}": content for name, content in files.items()}
    return runtime, placed, {f"{runtime.folder}/{_MARK}": digest.encode()}


def install_runtime(link: Link, say: Say) -> Runtime:
    """Put controller, bus and drivers on the board unless the same are there. Others go that no
    slot needs."""
    files = runtime_files(say)
    runtime, placed, mark = runtime_on_board(files)
    ((path, digest),) = mark.items()
    if link.execute(_READ_SMALL.format(path)).strip() == digest.decode():
        return runtime
    say(f"copying the runtime, {sum(map(len, files.values())) // 1024} KiB")
    link.execute(_CLEAR.format(mark=_MARK, root=ROOT, runtimes=RUNTIMES), _STAGE_S)
    link.put(placed)
    # The mark comes last: a copy cut off half-way is not trusted.
    link.put(mark)
    return Runtime(runtime.folder, copied=True)


def start_run(link: Link, bundle: Bundle, options: dict[str, Any], say: Say) -> Console:
    """Copy a program to the board and run it there until it ends, beside what is deployed."""
    runtime = install_runtime(link, say)
    say("copying the program")
    link.execute(_EMPTY.format(_RUN))
    files = {f"{_RUN}/{name}": content for name, content in staged_files(bundle).items()}
    files[_OPTIONS] = json.dumps({"directory": _RUN, **options}).encode()
    link.put(files)
    say("starting")
    start = f"import controller.console as c\nc.main(open({_OPTIONS!r}).read())\n"
    return link.start(runtime.use + start)


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
    main = link.execute(_READ_SMALL.format(MAIN)).replace("\r\n", "\n")
    if main.strip() and "controller.boot" not in main and not replace_main:
        raise Failure(
            f"the board has a {MAIN} of its own, which would be lost",
            "save it and remove it from the board, or use --replace-main",
            DEVICE,
        )
    runtime = install_runtime(link, say)
    say("copying the program")
    link.put({_ARRIVED: bundle.pack()})
    say("staging and checking it on the board")
    stage = _STAGE.format(root=ROOT, file=_ARRIVED, runtime=runtime.name)
    slot = _unless_refused(link.execute(runtime.use + stage, _STAGE_S), "slot")
    # What starts the new program is there before it, and starts the old one as well.
    if main != MAIN_TEXT:
        link.put({MAIN + ".new": MAIN_TEXT.encode()})
        link.execute(_RENAME.format(MAIN + ".new", MAIN))
    activate = _ACTIVATE.format(root=ROOT, slot=slot)
    _unless_refused(link.execute(runtime.use + activate, _STAGE_S), "active")
    say("restarting the board")
    message = wait_until_it_scans(link.restart(), slot)
    return Deployed(slot, firmware, runtime.copied, message)


def _unless_refused(answer: str, wanted: str) -> str:
    """What follows the word `wanted` in a board's answer. Raises Failure for any other."""
    word, _, rest = answer.strip().rpartition("\n")[2].partition(" ")
    if word != wanted:
        raise Failure(
            f"the board refuses the program: {rest or answer}",
            "what ran before is still the active program",
            DEVICE,
        )
    return rest


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
