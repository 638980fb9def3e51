"""The flash of a board on which a program is deployed, without going the board's slow way."""

from __future__ import annotations

import tempfile
from pathlib import Path

from controller import bundle as device
from host_tools.bundle import Bundle
from host_tools.deployment import MAIN, MAIN_TEXT, ROOT, runtime_on_board
from host_tools.device_files import runtime_files


def deployed_files(bundle: Bundle) -> dict[str, bytes]:
    """Path -> content, as `takt deploy` leaves them: the runtime, the program confirmed in slot a,
    and main.py. The slot is staged and activated by the board's own code."""
    runtime, placed, mark = runtime_on_board(runtime_files())
    files = {**placed, **mark, MAIN: MAIN_TEXT.encode()}
    with tempfile.TemporaryDirectory(prefix="takt-") as folder:
        arrived = Path(folder, "arrived.taktb")
        arrived.write_bytes(bundle.pack())
        root = Path(folder, "takt")
        root.mkdir()
        device.stage(str(arrived), str(root / "a"), runtime=runtime.name)
        device.activate(str(root), "a", False)
        for path in root.rglob("*"):
            if path.is_file():
                files[f"{ROOT}/{path.relative_to(root).as_posix()}"] = path.read_bytes()
    return files
