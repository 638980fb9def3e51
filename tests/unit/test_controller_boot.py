"""Starting after a reset in real MicroPython: the trial, the way back, and never a silent loop."""

import json

import pytest
from controller_support import bundle_bytes, messages, micropython, task

from controller import bundle

GOOD = """
def attach(image):
    global data
    data = image
def scan():
    data[1100] = data[1100] + 1 & 255
TASKS = (scan,)
"""
FAULTY = GOOD.replace("def scan():\n", "def scan():\n    if data[1100] == 3: raise Fault(2, 77)\n")
FAULTY = "from controller.rt import Fault\n" + FAULTY
LATE = FAULTY.replace("== 3", "== 200")

# What ends a run in these tests: Ctrl-C, after so many releases of the program that is running.
BOOT = """
import asyncio, json, sys
import controller.boot as boot
from controller.session import Session
serve = Session.serve
async def interrupt(session):
    while session.image.words[8] < {releases}:
        await asyncio.sleep_ms(5)
    await asyncio.sleep_ms({pause_ms})
    raise KeyboardInterrupt
async def serve_and_interrupt(session, port=None):
    await serve(session, port)
    asyncio.create_task(interrupt(session))
Session.serve = serve_and_interrupt
boot.start({root!r})
status = boot.status()
status["is"] = "status"
boot.tell(status)
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "takt").mkdir()
    return tmp_path / "takt"


def put(root, slot, source, trial=True, **more):
    path = root.parent / "plant.taktb"
    path.write_bytes(bundle_bytes([task(2)], source, compiled=True, **more))
    bundle.stage(str(path), str(root / slot))
    bundle.activate(str(root), slot, trial)


def boot(root, releases=15, pause_ms=150):
    text = micropython("-c", BOOT.format(root=str(root), releases=releases, pause_ms=pause_ms))
    return messages(text)


def kinds(found):
    return [message["is"] for message in found]


def state(root):
    return bundle.active(str(root)), bundle.trial(str(root))


def test_nothing_deployed_is_said_and_ends(root):
    found = boot(root)
    assert kinds(found) == ["stopped", "status"]
    assert "takt deploy" in found[0]["text"]
    assert found[1]["state"] == "stopped"


def test_a_good_program_is_confirmed(root):
    put(root, "a", GOOD)
    assert state(root) == ("a", "new")
    found = boot(root)
    assert kinds(found) == ["running", "stopped", "status"]
    assert found[0]["slot"] == "a"
    assert found[0]["name"] == "plant"
    assert found[0]["releases"] >= 10
    assert found[1]["text"] == "interrupted"
    assert found[2]["tasks"][0]["scans"] >= 15
    assert state(root) == ("a", None)


def test_a_program_that_faults_at_once_gives_way_to_the_one_before(root):
    put(root, "a", GOOD, trial=False)
    put(root, "b", FAULTY)
    found = boot(root)
    assert kinds(found) == ["fallback", "running", "stopped", "status"]
    assert found[0]["slot"] == "b"
    assert "array index out of its bounds, plant.st line 77, task p1i2" in found[0]["text"]
    assert found[1]["slot"] == "a"
    assert "slot b was given up" in found[3]["note"] or found[3]["note"] == "interrupted"
    assert state(root) == ("a", None)


def test_a_reset_during_the_trial_gives_way_too(root):
    put(root, "a", GOOD, trial=False)
    put(root, "b", GOOD)
    bundle.begin_trial(str(root))
    found = boot(root)
    assert kinds(found) == ["fallback", "running", "stopped", "status"]
    assert "it was reset before" in found[0]["text"]
    assert state(root) == ("a", None)


def test_a_damaged_slot_gives_way_and_without_another_it_ends(root):
    put(root, "b", GOOD, trial=False)
    put(root, "a", GOOD, trial=False)
    (root / "a" / "initial").write_bytes(b"damaged")
    found = boot(root)
    assert kinds(found) == ["fallback", "running", "stopped", "status"]
    assert "initial is" in found[0]["text"]
    (root / "b" / "program.mpy").write_bytes(b"damaged")
    found = boot(root)
    assert kinds(found) == ["stopped", "status"]
    assert "slot a is no help" in found[0]["text"]
    assert "program.mpy" in found[0]["text"]


def test_the_first_program_faults_and_there_is_no_other(root):
    put(root, "a", FAULTY)
    found = boot(root)
    assert kinds(found) == ["stopped", "status"]
    assert "it faults in its first passes" in found[0]["text"]
    assert "slot b is no help" in found[0]["text"]
    assert found[1]["state"] == "faulted"
    # The next reset does not try it again.
    found = boot(root)
    assert "it was reset before it got through" in found[0]["text"]


def test_a_later_fault_is_told_and_the_servers_go_on(root):
    put(root, "a", LATE, trial=False)
    found = boot(root, releases=200, pause_ms=600)
    assert kinds(found) == ["running", "fault", "stopped", "stopped", "status"]
    assert (found[1]["code"], found[1]["file"], found[1]["line"]) == (2, "plant.st", 77)
    assert (found[1]["scan"], found[1]["task"]) == (200, "p1i2")
    assert "every task has faulted" in found[2]["text"]
    assert found[4]["fault"]["line"] == 77
    assert state(root) == ("a", None)


def test_a_confirmed_program_that_faults_at_once_is_not_given_up(root):
    put(root, "b", GOOD, trial=False)
    put(root, "a", FAULTY, trial=False)
    found = boot(root, releases=3, pause_ms=600)
    assert kinds(found) == ["fault", "stopped", "stopped", "status"]
    assert found[0]["line"] == 77
    assert state(root) == ("a", None)


def kept(root):
    path = root / "log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_log_keeps_faults_fallbacks_and_ends(root):
    put(root, "a", LATE, trial=False)
    found = boot(root, releases=200, pause_ms=600)
    assert [entry["is"] for entry in kept(root)] == ["fault"]
    fault = kept(root)[0]
    assert (fault["file"], fault["line"], fault["task"], fault["slot"]) == (
        "plant.st",
        77,
        "p1i2",
        "a",
    )
    assert found[-1]["fault"]["file"] == "plant.st"
    assert found[-1]["why"] == "all tasks faulted"
    put(root, "b", FAULTY)
    boot(root, releases=20)
    assert [entry["is"] for entry in kept(root)] == ["fault", "fault", "fallback"]
    assert kept(root)[2]["slot"] == "b"
    # An end that was asked for is no news, and the oldest entries make room.
    (root / "log").write_text("".join(f'{{"is": "stopped", "n": {n}}}\n' for n in range(16)))
    put(root, "b", FAULTY)
    boot(root, releases=20)
    assert [entry.get("n", entry["is"]) for entry in kept(root)] == [
        *range(2, 16),
        "fault",
        "fallback",
    ]
