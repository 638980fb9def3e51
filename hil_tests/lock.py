"""Locks for what only one run can have: a board or an instrument on a port of this machine.

A lock ends with the process that holds it, whatever becomes of it: it is the operating system's.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from host_tools.failure import DEVICE, Failure
from host_tools.firmware.cache import root


def lock_file(resource: str) -> Path:
    """Where the lock of a resource, such as a port, lies. One port may have several names."""
    real = os.path.realpath(resource) if resource.startswith("/") else resource
    digest = hashlib.sha256(real.encode()).hexdigest()[:16]
    return root() / "locks" / f"{digest}.lock"


@contextmanager
def locked(resource: str, what: str) -> Iterator[None]:
    """Have `resource` for oneself; `what` names it for people. Raises Failure, saying who has it,
    where another run does."""
    path = lock_file(resource)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise Failure(
            f"cannot write the lock of {what}: {error.strerror}", str(path), DEVICE
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failure(
                f"{what} is in use: {_holder(file)}", "wait for it, or end that run", DEVICE
            ) from None
        file.seek(0)
        file.truncate()
        json.dump({"pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}, file)
        file.flush()
        yield


def _holder(file: IO[str]) -> str:
    file.seek(0)
    try:
        held = json.load(file)
        return f"by process {held['pid']}, since {held['since']}"
    except (ValueError, KeyError, TypeError):
        return "by another run"
