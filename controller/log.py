"""What happened on this board and is worth knowing after a reset: for `takt log`.

The last entries stand in the file `log` of the root, a JSON object a line:

    fault      code, text, file, line, task, scan, time_ns: the first fault of a program
    fallback   text: a slot was given up
    stopped    text: why nothing ran any more
    restart    text: the board was reset because nothing went on

and in each `slot` and `name`, the program's. Nothing is written while a task scans: the flash
cannot be read while it is written, and everything would wait for it. A fault that leaves other
tasks scanning stands in the running image, and comes into the file when they have ended.
"""

import json
import os

from controller import boot, bundle

_ENTRIES = 16
_LENGTH_MAX = 512  # characters of a line


def read(root="/takt"):
    """The entries, the oldest first; what is damaged is left out."""
    found = []
    for name in (root + "/log", root + "/log.new"):
        try:
            with open(name) as f:
                for line in f:
                    try:
                        found.append(json.loads(line))
                    except ValueError:
                        pass  # cut off
            break
        except OSError:
            pass
    return found


def add(entry, root="/takt"):
    """Adds an entry; the oldest makes room. A board that cannot write controls all the same."""
    try:
        rows = [json.dumps(row) for row in read(root)[1 - _ENTRIES :]]
        row = json.dumps(entry)
        if len(row) > _LENGTH_MAX:
            entry = dict(entry)
            entry["text"] = entry["text"][: _LENGTH_MAX // 4]
            row = json.dumps(entry)
        rows.append(row)
        with open(root + "/log.new", "w") as f:
            f.write("\n".join(rows) + "\n")
        os.rename(root + "/log.new", root + "/log")
    except OSError:
        pass


def tell(root="/takt"):
    """Prints all there is to say as one JSON object."""
    found = boot.status()
    found["active"] = bundle.active(root)
    found["trial"] = bundle.trial(root)
    found["log"] = read(root)
    print(json.dumps(found))
