"""Reads bundles (NAME.taktb), stages them into slots, chooses the active slot and loads it.

A bundle is `TAKTB1\\n`, the length of the manifest (u32, little-endian), the manifest (JSON), then
the bytes of its parts in the manifest's order. It is never held in memory as a whole.

A slot is a folder. Its manifest is removed first and written last, by a rename, so a slot that
was cut off while it was staged has none and is not valid. Its file `manifest.runtime` names the
runtime that it runs with, a folder of ROOT/lib; where it is missing any will do. `active`, the
pointer to the active slot, is a small file that is replaced by a rename as well. A slot that was
activated is on trial until it is confirmed: the file `trial` says which one it is and whether it
was started already.
"""

import binascii
import hashlib
import json
import os
import struct
import sys

from controller import image as im

MAGIC = b"TAKTB1\n"
SLOTS = ("a", "b")
MANIFEST = "manifest.json"
_RUNTIME = "manifest.runtime"

_BLOCK = 512
_MANIFEST_MAX = 65536
_PART_MAX = 1 << 24
_IMAGE_MAX = 1 << 24
_NAME = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
_REBUILD = "; build the bundle again and transfer it again"


class BundleError(Exception):
    """A bundle or slot that cannot be used; says what is wrong and what to do."""


def _fail(text):
    raise BundleError(text + _REBUILD)


# Manifest.


def _is_int(value, low, high):
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _check_parts(parts):
    if not isinstance(parts, list) or not parts:
        _fail("the manifest names no parts")
    seen = set()
    for part in parts:
        if not isinstance(part, dict):
            _fail("a part of the manifest is no object")
        name = part.get("name")
        if (
            not isinstance(name, str)
            or not 0 < len(name) <= 48
            or name[0] == "."
            or not all(c in _NAME for c in name)
            or name in seen
            or name.lower().startswith("manifest.")
        ):
            _fail("%r cannot be the name of a part" % (name,))
        seen.add(name)
        if not _is_int(part.get("size"), 0, _PART_MAX):
            _fail("part %s has no sensible size" % name)
        digest = part.get("sha256")
        if not isinstance(digest, str) or len(digest) != 64:
            _fail("part %s has no SHA-256" % name)
        try:
            binascii.unhexlify(digest)
        except ValueError:
            _fail("part %s has no SHA-256" % name)
    if "initial" not in seen:
        _fail("the part `initial` is missing")


def _check_range(row, size, what):
    if (
        not isinstance(row, list)
        or len(row) < 2
        or not _is_int(row[0], 0, size)
        or not _is_int(row[1], 0, size - row[0])
        or not all(_is_int(n, 0, size) for n in row)
    ):
        _fail("the manifest has a range of %s outside the image" % what)


def _check_tasks(tasks, size):
    if not isinstance(tasks, list) or not 0 < len(tasks) <= 64:
        _fail("the manifest has no tasks, or too many")
    if size < im.HEADER_SIZE + im.RECORD_SIZE * len(tasks):
        _fail("the image is too small for its tasks")
    for task in tasks:
        if not isinstance(task, dict) or not isinstance(task.get("name"), str):
            _fail("a task of the manifest has no name")
        name = task["name"]
        if not _is_int(task.get("interval_ns"), 0, (1 << 62) - 1):
            _fail("task %s has no interval" % name)
        if not _is_int(task.get("priority"), 0, (1 << 30) - 1):
            _fail("task %s has no priority" % name)
        single = task.get("single")
        if single is not None and (
            not isinstance(single, list)
            or len(single) != 2
            or not _is_int(single[0], 0, size - 1)
            or not _is_int(single[1], 0, 7)
        ):
            _fail("task %s has a SINGLE outside the image" % name)
        for key in ("inputs", "outputs"):
            rows = task.get(key)
            if not isinstance(rows, list):
                _fail("task %s has no %s" % (name, key))
            for row in rows:
                _check_range(row, size, "task " + name)
        if task.get("on_overrun", "count") not in ("count", "fault"):
            _fail("task %s has an on_overrun that is not known" % name)
        watchdog_ms = task.get("watchdog_ms")
        if watchdog_ms is not None and not _is_int(watchdog_ms, 1, 1000000):
            _fail("task %s has a watchdog_ms outside 1..1000000" % name)


def _check_safe(rows, size):
    if not isinstance(rows, list):
        _fail("the manifest has no list of safe values")
    for row in rows:
        if not isinstance(row, list) or len(row) != 4:
            _fail("the manifest has a safe value of another form")
        try:
            length = len(struct.pack(im.FORMATS[row[2]], row[3]))
        except Exception:  # what struct raises differs between CPython and MicroPython
            _fail("the manifest has a safe value of no known kind")
        if not _is_int(row[0], 0, size - length):
            _fail("the manifest has a safe value outside the image")
        if row[1] is not None and not _is_int(row[1], 0, 7):
            _fail("the manifest has a safe value for a bit outside 0..7")


def check_manifest(manifest):
    """Raises BundleError unless this is a manifest that a controller can work with."""
    if not isinstance(manifest, dict) or manifest.get("format") != 1:
        raise BundleError(
            "the bundle has a format this controller does not know; use the same version of Takt "
            "on both sides"
        )
    _check_parts(manifest.get("parts"))
    size = manifest.get("image_size")
    if not _is_int(size, im.HEADER_SIZE, _IMAGE_MAX):
        _fail("the manifest has no sensible image_size")
    layout = manifest.get("layout")
    try:
        if not isinstance(layout, str) or len(binascii.unhexlify(layout)) != 8:
            raise ValueError
    except ValueError:
        _fail("the manifest has no layout hash")
    _check_tasks(manifest.get("tasks"), size)
    for key in ("state", "retain"):
        _check_range(manifest.get(key), size, key)
    areas = manifest.get("areas", {})
    if not isinstance(areas, dict):
        _fail("the manifest has no areas")
    for row in areas.values():
        _check_range(row, size, "an area")
    _check_safe(manifest.get("safe", []), size)
    if not _is_int(manifest.get("hardware_watchdog_ms", 250), 250, 8388):
        _fail("the manifest has a hardware_watchdog_ms outside 250..8388")
    for key in ("io", "servers"):
        if not isinstance(manifest.get(key, {}), dict):
            _fail("the manifest has an entry %s that is no object" % key)
    mailbox = manifest.get("mailbox", [1, 1])
    if (
        not isinstance(mailbox, list)
        or len(mailbox) != 2
        or not _is_int(mailbox[0], 1, 0xFFFF)
        or not _is_int(mailbox[1], 1, 0xFFFF)
    ):
        _fail("the manifest has no sensible size of the mailbox")
    if not isinstance(manifest.get("name"), str):
        _fail("the manifest names no project")


def _parse(text):
    try:
        manifest = json.loads(text)
    except (ValueError, RuntimeError):  # RuntimeError: nested too deep for the board's stack
        _fail("the manifest is damaged")
    except MemoryError:
        raise BundleError("the manifest is damaged, or too large for this board's memory")
    check_manifest(manifest)
    return manifest


def _read(f, n):
    data = f.read(n)
    if len(data) != n:
        _fail("the bundle is cut off")
    return data


def read_manifest(f):
    """The manifest of the bundle in the binary file `f`, which then stands at the first part.

    Raises BundleError.
    """
    if f.read(len(MAGIC)) != MAGIC:
        raise BundleError("this is no bundle; `takt build` makes one, NAME.taktb")
    length = int.from_bytes(_read(f, 4), "little")
    if length > _MANIFEST_MAX:
        _fail("the manifest is longer than %d bytes" % _MANIFEST_MAX)
    try:
        text = _read(f, length).decode()
    except ValueError:
        _fail("the manifest is damaged")
    except MemoryError:
        raise BundleError("the manifest is damaged, or too large for this board's memory")
    return _parse(text)


# Parts.


def _copy_part(f, part, out):
    """Reads one part, into the file `out` unless it is None; raises BundleError if it differs."""
    digest = hashlib.sha256()
    block = bytearray(_BLOCK)
    view = memoryview(block)
    left = part["size"]
    while left:
        n = f.readinto(view if left >= _BLOCK else view[:left])
        if not n:
            _fail("the bundle is cut off in part " + part["name"])
        digest.update(view[:n])
        if out is not None:
            out.write(view[:n])
        left -= n
    if digest.digest() != binascii.unhexlify(part["sha256"]):
        _fail("part %s is damaged (SHA-256 differs)" % part["name"])


def verify(f):
    """Reads a whole bundle from the binary file `f`, checks every part, returns the manifest."""
    manifest = read_manifest(f)
    for part in manifest["parts"]:
        _copy_part(f, part, None)
    if f.read(1):
        _fail("the bundle has bytes after its last part")
    return manifest


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # it was not there


def _make_folder(path):
    try:
        os.mkdir(path)
    except OSError:
        pass  # it is there already, or writing into it will say why not


def _replace(path, text):
    """Writes a small file so that at any time the old one or the new one is there, whole."""
    temporary = path + ".new"
    with open(temporary, "w") as f:
        f.write(text)
    os.rename(temporary, path)


def stage(path, directory, skip=("layout.json", "program.py"), runtime=""):
    """Writes the parts of the bundle at `path` into the folder `directory`; returns the manifest.

    Parts named in `skip` are checked but not written. `runtime` names the one that the program
    runs with. The folder is a valid slot only after the last byte. Raises BundleError for a bad
    bundle, OSError when it cannot be read or written.
    """
    with open(path, "rb") as f:
        manifest = read_manifest(f)
        _make_folder(directory)
        _remove(directory + "/" + MANIFEST)
        for name in os.listdir(directory):
            _remove(directory + "/" + name)
        for part in manifest["parts"]:
            if part["name"] in skip:
                _copy_part(f, part, None)
            else:
                with open(directory + "/" + part["name"], "wb") as out:
                    _copy_part(f, part, out)
        if f.read(1):
            _fail("the bundle has bytes after its last part")
    if runtime:
        with open(directory + "/" + _RUNTIME, "w") as out:
            out.write(runtime)
    # What is not here is not looked for when the slot is loaded.
    staged = dict(manifest)
    staged["parts"] = [part for part in manifest["parts"] if part["name"] not in skip]
    _replace(directory + "/" + MANIFEST, json.dumps(staged))
    return manifest


# Slots.


def _words(path):
    # Where a rename replaces in two steps (FAT), a cut may leave only the new file.
    for name in (path, path + ".new"):
        try:
            with open(name) as f:
                return f.read(32).split()
        except (OSError, ValueError):
            pass
    return []


def active(root):
    """The active slot, "a" or "b", or None where none was activated."""
    words = _words(root + "/active")
    return words[0] if words and words[0] in SLOTS else None


def other(slot):
    return "b" if slot == "a" else "a"


def idle(root):
    """The slot to stage into: the one that is not active."""
    return other(active(root))


def activate(root, slot, trial=True):
    """Makes `slot` the one that starts after a reset, on trial unless it has proved itself.

    Raises BundleError if it is not valid.
    """
    check(root + "/" + slot)
    # A trial of a slot that is not active means nothing, so a cut between the two does no harm.
    if trial:
        _replace(root + "/trial", slot + " new")
    _replace(root + "/active", slot)
    if not trial:
        confirm(root)


def same_runtime(root):
    """Do both slots run with the same runtime?"""
    return _words(root + "/a/" + _RUNTIME) == _words(root + "/b/" + _RUNTIME)


def trial(root):
    """How far the trial of the active slot is: None (confirmed), "new" or "started"."""
    words = _words(root + "/trial")
    if len(words) == 2 and words[0] == active(root):
        return words[1]
    return None


def begin_trial(root):
    """Notes that the active slot is being started on trial."""
    _replace(root + "/trial", active(root) + " started")


def confirm(root):
    """Ends the trial: the active slot has proved itself."""
    _remove(root + "/trial.new")
    _remove(root + "/trial")


def _manifest(directory):
    path = directory + "/" + MANIFEST
    try:
        # As much as is there: MicroPython takes memory for what is asked, in one piece.
        size = os.stat(path)[6]
        if size > _MANIFEST_MAX:
            _fail("the manifest is longer than %d bytes" % _MANIFEST_MAX)
        with open(path) as f:
            text = f.read(size)
    except (OSError, ValueError):
        raise BundleError(directory + " holds no complete program; deploy it again")
    return _parse(text)


def check(directory):
    """Checks every part of a slot against its hash; returns the manifest or raises BundleError."""
    manifest = _manifest(directory)
    for part in manifest["parts"]:
        try:
            with open(directory + "/" + part["name"], "rb") as f:
                _copy_part(f, part, None)
                if f.read(1):
                    _fail("part %s is too long" % part["name"])
        except OSError:
            _fail("%s lacks part %s" % (directory, part["name"]))
    return manifest


def _program(directory):
    if sys.implementation.name == "micropython":
        # The one of another slot may be there.
        sys.modules.pop("program", None)
        sys.path.insert(0, directory)
        try:
            return __import__("program")
        finally:
            sys.path.remove(directory)
            sys.modules.pop("program", None)
    # Not by import: its cache goes by the file's time, and a process may load many.
    path = directory + "/program.py"
    with open(path) as f:
        code = compile(f.read(), path, "exec")
    module = type(sys)("program")
    exec(code, module.__dict__)
    return module


def load(directory):
    """Checks and loads a slot: (manifest, image, program module). Raises BundleError."""
    manifest = check(directory)
    try:
        with open(directory + "/initial", "rb") as f:
            initial = f.read()
        image = im.create(
            manifest["image_size"],
            len(manifest["tasks"]),
            binascii.unhexlify(manifest["layout"]),
            initial,
        )
    except ValueError as error:
        _fail(str(error))
    except MemoryError:
        raise BundleError(
            "the image of %d bytes does not fit this board's memory; make arrays smaller or use a "
            "board with more RAM" % manifest["image_size"]
        )
    try:
        program = _program(directory)
        tasks = len(program.TASKS)
    except MemoryError:
        raise BundleError(
            "the program does not fit this board's memory; make it smaller or use a board with "
            "more RAM"
        )
    except Exception as error:
        # ValueError is what MicroPython raises for a .mpy of another version or machine.
        raise BundleError(
            "the program cannot be loaded (%r); build it with the Takt and for the board it is to "
            "run on" % (error,)
        )
    if tasks != len(manifest["tasks"]):
        _fail("program and manifest differ in the number of tasks")
    return manifest, image, program
