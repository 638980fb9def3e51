"""Writes and reads bundle files, NAME.taktb: a manifest and the parts it names, in one file."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from controller import bundle as device
from host_tools.failure import USAGE, Failure
from host_tools.mpy import write_whole
from host_tools.record import record

SUFFIX = ".taktb"


@record(frozen=True)
class Bundle:
    """`manifest` with its "parts", and their contents by name. `depth` of the stack is known
    where it was built here, for the scan kernel."""

    manifest: dict[str, Any]
    parts: dict[str, bytes]
    depth: Any = None

    def pack(self) -> bytes:
        """The bytes of the file; the same for the same content."""
        manifest = dict(self.manifest)
        manifest["parts"] = [
            {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in self.parts.items()
        ]
        text = json.dumps(manifest, separators=(",", ":"), ensure_ascii=False).encode()
        head: bytes = device.MAGIC + struct.pack("<I", len(text)) + text
        return head + b"".join(self.parts.values())

    def write(self, path: Path) -> None:
        """Put the bundle at `path`, whole or not at all. Raises Failure."""
        content = self.pack()
        # What the device will ask is asked here first.
        device.verify(io.BytesIO(content))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:
            reason = error.strerror
            if isinstance(error, FileExistsError):
                reason = f"'{path.parent}' is a file"
            raise Failure(f"cannot write '{path}': {reason}", exit_code=USAGE) from None


def initial_part(runs: Iterable[tuple[int, bytes]]) -> bytes:
    """The part `initial`: (offset, bytes) runs over an image of zeros."""
    return b"".join(struct.pack("<II", offset, len(data)) + data for offset, data in runs)


def read_bundle(path: Path) -> Bundle:
    """The bundle in a file, verified. Raises Failure for what is not a whole bundle."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Failure(f"cannot read '{path}': {error.strerror}", exit_code=USAGE) from None
    file = io.BytesIO(content)
    try:
        manifest = device.verify(file)
    except device.BundleError as error:
        raise Failure(f"'{path}' cannot be used: {error}") from None
    at = len(device.MAGIC) + 4 + struct.unpack_from("<I", content, len(device.MAGIC))[0]
    parts = {}
    for part in manifest["parts"]:
        parts[part["name"]] = content[at : at + part["size"]]
        at += part["size"]
    return Bundle({k: v for k, v in manifest.items() if k != "parts"}, parts)
