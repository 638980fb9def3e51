# Runs in MicroPython's unix port: a board whose file system lies in the image of a Pico's flash.
#
# micropython flash_board.py board FOLDER: FOLDER/flash is the image of the file system. It is
#   mounted as the Pico's _boot.py does it, main.py is run if FOLDER/boot is there, then code comes
#   from the standard input, a line of JSON each. Each operation on the flash goes to FOLDER/log.
# micropython flash_board.py survey FOLDER: for each line of FOLDER/cuts, what a mount finds.
#
# mypy: ignore-errors

import hashlib
import json
import os
import struct
import sys

import vfs

BLOCK = 4096
PAGE = 256
MARK = "\x1eBOARD "


class Flash:
    """The block device that ports/rp2/rp2_flash.c is, with a log of what is done."""

    def __init__(self, content, log=None):
        self.content = content
        self.log = log
        self.seen = set()
        self.over = {}

    def _block(self, number):
        self.seen.add(number)
        found = self.over.get(number)
        if found is None:
            found = memoryview(self.content)[number * BLOCK : (number + 1) * BLOCK]
        return found

    def readblocks(self, number, data, offset=0):
        done = 0
        while done < len(data):
            block = self._block(number + (offset + done) // BLOCK)
            at = (offset + done) % BLOCK
            n = min(len(data) - done, BLOCK - at)
            data[done : done + n] = block[at : at + n]
            done += n

    def _own(self, number):
        if self.log is None and number not in self.over:
            # A survey leaves nothing behind.
            self.over[number] = bytearray(self._block(number))
        return self._block(number)

    def _note(self, kind, address, data):
        if self.log is not None:
            self.log.write(kind + struct.pack("<II", address, len(data)) + data)
            self.log.flush()

    def writeblocks(self, number, data, offset=None):
        if offset is None:
            for k in range(len(data) // BLOCK):
                self.ioctl(6, number + k)
            offset = 0
        address = number * BLOCK + offset
        for k in range(0, len(data), PAGE):
            page = bytes(data[k : k + PAGE])
            self._note(b"p", address + k, page)
            block = self._own((address + k) // BLOCK)
            at = (address + k) % BLOCK
            for i in range(len(page)):
                block[at + i] &= page[i]

    def ioctl(self, command, argument):
        if command == 4:
            return len(self.content) // BLOCK
        if command == 5:
            return BLOCK
        if command == 6:
            self._note(b"e", argument * BLOCK, b"")
            self._own(argument)[:] = b"\xff" * BLOCK
            return 0
        return 0


def read(path):
    with open(path, "rb") as f:
        return bytearray(f.read())


def lines(path):
    with open(path) as f:
        yield from f


def opened(flash):
    # ports/rp2/modules/_boot.py
    try:
        return vfs.VfsLfs2(flash, progsize=256)
    except OSError:
        vfs.VfsLfs2.mkfs(flash, progsize=256)
        return vfs.VfsLfs2(flash, progsize=256)


# --- a board ---------------------------------------------------------------------------------


def board(folder):
    log = open(folder + "/log", "wb")  # noqa: SIM115, open to the end
    flash = Flash(read(folder + "/flash"), log)
    try:
        os.stat(folder + "/boot")
        boots = True
    except OSError:
        boots = False
    system = opened(flash)
    vfs.umount("/")
    vfs.mount(system, "/")
    sys.path[:] = ["", ".frozen", "/lib"]
    if boots:
        run_main()
    names = {"__name__": "__main__"}
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        print()
        error = ""
        try:
            exec(json.loads(line), names)
        except BaseException as e:  # Ctrl-C as well
            error = repr(e)
        print("\n" + MARK + json.dumps({"error": error}))


def run_main():
    try:
        with open("/main.py") as f:
            text = f.read()
    except OSError:
        print("\n" + MARK + json.dumps({"repl": "no main.py"}))
        return
    end = "main.py has ended"
    try:
        exec(compile(text, "main.py", "exec"), {"__name__": "__main__"})
    except SystemExit:
        end = "soft reset"
    except BaseException as e:
        sys.print_exception(e)
        end = repr(e)
    print("\n" + MARK + json.dumps({"repl": end}))


# --- a survey --------------------------------------------------------------------------------


def walk(system, folder, digest):
    for name, kind, *_ in sorted(system.ilistdir(folder)):
        path = folder.rstrip("/") + "/" + name
        digest.update(path + "\n")
        if kind == 0x4000:
            walk(system, path, digest)
        else:
            with system.open(path, "rb") as f:
                data = f.read()
            digest.update(b"%d\n" % len(data))
            digest.update(data)


def tree(flash):
    """(hash of all files, None) or (None, error): mounted and read, nothing is written."""
    digest = hashlib.sha256()
    try:
        system = vfs.VfsLfs2(flash, progsize=256)
        walk(system, "/", digest)
    except OSError as e:
        return None, repr(e)
    return digest.digest(), None


def writes_on(flash, before):
    """An error if a first write, as a board does it after a cut, harms anything."""
    try:
        system = vfs.VfsLfs2(flash, progsize=256)
        with system.open("/probe.new", "w") as f:
            f.write("x" * 3000)
        system.rename("/probe.new", "/probe")
        system.remove("/probe")
    except OSError as e:
        return repr(e)
    after, error = tree(flash)
    if error is None and after != before:
        error = "a write has changed other files"
    return error


def exists(flash, path):
    try:
        vfs.VfsLfs2(flash, progsize=256).stat(path)
        return True
    except OSError:
        return False


def finding(flash):
    """What a mount of the flash finds, and the numbers of the blocks that it looks at."""
    flash.seen = set()
    found, error = tree(flash)
    seen = flash.seen
    used = hashlib.sha256()
    for number in sorted(seen):
        used.update(b"%d" % number)
        used.update(flash._block(number))
    row = {"tree": found and found.hex(), "used": used.digest().hex()}
    row["main"] = error is None and exists(flash, "/main.py")
    row["error"] = error or writes_on(flash, found)
    return json.dumps(row), seen


def survey(folder):
    content = read(folder + "/flash")
    flash = Flash(content)
    last = None
    seen = set()
    for line in lines(folder + "/cuts"):
        kind, address, data = json.loads(line)
        data = bytes.fromhex(data)
        touched = set(range(address // BLOCK, (address + len(data) + BLOCK - 1) // BLOCK))
        # What a mount does not look at makes no difference to it.
        same = not touched & seen
        if kind == "apply":
            content[address : address + len(data)] = data
            if not same:
                last = None
        elif same and last is not None:
            print(last)
        else:
            flash.over = {}
            done = 0
            for number in sorted(touched):
                at = address + done - number * BLOCK
                n = min(len(data) - done, BLOCK - at)
                flash._own(number)[at : at + n] = data[done : done + n]
                done += n
            row, blocks = finding(flash)
            print(row)
            if not data:
                last, seen = row, blocks


{"board": board, "survey": survey}[sys.argv[1]](sys.argv[2])
