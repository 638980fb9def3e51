"""Starts the active slot after a reset: what a board's main.py calls.

    import controller.boot
    controller.boot.start()

A slot that was just activated is on trial: when it is not valid, faults in its first passes, or
does not get through them because the board was reset, the other slot is made active and started,
and the console says so; with another runtime it is started by a soft reset. When no slot is left
the outputs are safe, the console says why, and start() returns: a REPL is what is needed then, not
a loop of resets.

Messages on the console, besides those of servers (controller.session):

    running    slot, releases, and who it is: the slot got through its first passes
    fallback   slot, text: this slot was given up, the other one is tried
    fault      code, source, line, task, scan, time_ns, text: the first fault while it runs
    stopped    text: nothing runs any more

What a fault, a fallback or an end has to say is kept in a file as well: controller.log.
"""

import asyncio
import sys

from controller import image as im
from controller.session import Session, tell

_TRIAL_PASSES = 10
_TRIAL_MS = 2000  # enough when the tasks are too slow for that many passes
_LOOK_MS = 100

_running = None  # the session that runs or ran last
_slot = None
_note = ""  # why nothing runs, or why it is this slot
_kept = False  # the fault of this session is in the log


def status():
    """What runs, as a dict: for a tool that has stopped the program, and for people."""
    if _running is None:
        return {"slot": _slot, "state": "stopped", "note": _note}
    image = _running.image
    found = _running.about()
    found["slot"] = _slot
    found["note"] = _note
    found["state"] = ("stopped", "running", "faulted")[image.words[im.STATE]]
    found["releases"] = image.words[im.RELEASES]
    found["fault"] = _describe(_running)
    found["kernel"] = _running.kernel
    found["why"] = _running.scheduler.why_stopped()
    found["tasks"] = [im.read_task(image.data, k) for k in range(image.tasks)]
    for k in range(image.tasks):
        row = _running.manifest["tasks"][k]
        found["tasks"][k]["name"] = row["name"]
        found["tasks"][k]["interval_ns"] = row["interval_ns"]
    return found


def _keep(kind, root, entry):
    """Writes an entry of the log. Only when no task scans: controller.log says why."""
    from controller import log

    entry = dict(entry)
    entry["is"] = kind
    entry["slot"] = _slot
    if _running is not None:
        entry["name"] = _running.manifest["name"]
    log.add(entry, root)


def _keep_fault(root):
    global _kept
    fault = None if _kept or _running is None else _describe(_running)
    if fault is not None:
        _kept = True
        _keep("fault", root, fault)


def _describe(session):
    """The first fault as a message, None without one."""
    fault = im.read_fault(session.image.data)
    if fault is None:
        return None
    sources = session.manifest.get("sources") or ()
    fault["file"] = sources[fault["source"]] if fault["source"] < len(sources) else None
    fault["task"] = session.manifest["tasks"][fault["task"]]["name"]
    from controller import faults  # not at the start: controller.session forgets it

    fault["text"] = faults.message(fault["code"])
    if session.scheduler.error is not None:
        fault["text"] += ": %r" % (session.scheduler.error,)
    return fault


async def _try_out(session, run):
    """Waits for the first passes; False if a task faulted in them or they came to nothing."""
    words = session.image.words
    waited_ms = 0
    while words[im.RELEASES] < _TRIAL_PASSES and waited_ms < _TRIAL_MS:
        if run.done() or words[im.STATE] == im.FAULTED:
            break
        await asyncio.sleep(_LOOK_MS / 1000)
        waited_ms += _LOOK_MS
    return not run.done() and words[im.STATE] != im.FAULTED


async def _watch(session, run):
    """Tells of the first fault; returns when the scheduler has ended."""
    words = session.image.words
    while not run.done() and words[im.STATE] != im.FAULTED:
        await asyncio.sleep(_LOOK_MS / 1000)
    message = _describe(session)
    if message is not None:
        message["is"] = "fault"
        tell(message)
    while not run.done():
        await asyncio.sleep(_LOOK_MS / 1000)


def _confirm(root):
    from controller import bundle

    bundle.confirm(root)


async def _serve(session, root, trial):
    """Runs the session; returns True if it must be given up."""
    session.slim()
    await session.serve()
    run = asyncio.create_task(session.run())
    try:
        good = await _try_out(session, run)
        if trial:
            if not good:
                return True
            _confirm(root)
            session.slim()
        if good:
            message = session.about()
            message["is"] = "running"
            message["slot"] = _slot
            message["releases"] = session.image.words[im.RELEASES]
            tell(message)
        await _watch(session, run)
        await run  # raises what ended it
        _keep_fault(root)
        text = "every task has faulted; the servers go on"
        if session.image.words[im.STATE] != im.FAULTED:
            text = "the scans have ended: " + session.scheduler.why_stopped()
            _keep("stopped", root, {"text": text})
        tell({"is": "stopped", "text": text})
        while True:
            await asyncio.sleep(1)
    finally:
        run.cancel()
        await session.close()


def _run(root, trial):
    """Runs the active slot until it is interrupted: ""; or why it ended by itself."""
    session = _running
    if hasattr(asyncio, "sleep_ms"):  # MicroPython keeps the tasks of the run before
        asyncio.new_event_loop()
    try:
        asyncio.run(_serve(session, root, trial))
    except KeyboardInterrupt:
        return ""
    except Exception as error:
        return "the runtime ended with %r" % (error,)
    finally:
        # MicroPython's asyncio does not unwind its tasks on Ctrl-C.
        session.scheduler.stop()  # type: ignore[union-attr]
        _keep_fault(root)
    fault = _describe(session)
    if fault is None:
        return "the runtime ended in its first passes"
    place = "%s line %d, " % (fault["file"], fault["line"]) if fault["line"] else ""
    return "it faults in its first passes: %s, %stask %s" % (fault["text"], place, fault["task"])


def _attempt(root):
    """Starts the active slot; (why it ended or "", whether the other slot is to be tried)."""
    text, trial = _open(root)
    if text:
        return text, True
    return _run(root, trial is not None), trial is not None


def _open(root):
    """Makes the session; (why it cannot be or "", how far its trial is)."""
    global _running, _kept
    from controller import bundle
    from controller.io import machine_pins

    trial = bundle.trial(root)
    if trial == "started":
        return "it was reset before it got through its first passes", trial
    if trial:
        bundle.begin_trial(root)
    _running = None
    _kept = False
    try:
        _running = Session(root + "/" + _slot, machine_pins(), True)
    except bundle.BundleError as error:
        return str(error), trial
    except Exception as error:
        return "it does not start: %r" % (error,), trial
    return "", trial


def _active(root):
    from controller import bundle

    return bundle.active(root)


def _turn_to_the_other(root):
    """Activates the slot that is not active; (which one, why it cannot be used or "")."""
    from controller import bundle

    other = bundle.other(_slot)
    try:
        bundle.activate(root, other, False)
    except bundle.BundleError as error:
        return other, str(error)
    return other, ""


def _same_runtime(root):
    from controller import bundle

    return bundle.same_runtime(root)


def _reset_by_watchdog():
    """Whether it was because nobody fed it, not by machine.reset(), which uses it, too. Once."""
    if sys.platform != "rp2":
        return False
    import machine

    # SCRATCH4 has what the SDK's watchdog_enable() leaves there (RP2040 data sheet 4.7.6).
    at = 0x4005801C
    if machine.reset_cause() != machine.WDT_RESET or machine.mem32[at] & 0xFFFFFFFF != 0x6AB73121:
        return False
    machine.mem32[at] = 0
    return True


def start(root="/takt"):
    """Runs the active slot of `root` until Ctrl-C; see the opening of this module."""
    global _slot, _note
    _note = ""
    _slot = _active(root)
    if _slot is None:
        _note = "no program is active in %s; `takt deploy` puts one there" % root
        tell({"is": "stopped", "text": _note})
        return
    if _reset_by_watchdog():
        text = "the hardware watchdog has reset the board: nothing went on"
        _keep("restart", root, {"text": text})
        tell({"is": "note", "text": text})
    text, give_up = _attempt(root)
    if text and give_up:
        other, reason = _turn_to_the_other(root)
        if reason:
            text += "; slot %s is no help: %s" % (other, reason)
        else:
            tell({"is": "fallback", "slot": _slot, "text": text})
            _keep("fallback", root, {"text": text})
            if not _same_runtime(root):
                sys.exit()  # a soft reset: main.py starts that slot with its own runtime
            _note = "slot %s was given up: %s" % (_slot, text)
            _slot = other
            text, _ = _attempt(root)
    _note = "slot %s: %s" % (_slot, text) if text else "interrupted"
    if text:
        _keep("stopped", root, {"text": text})
    tell({"is": "stopped", "text": _note})
