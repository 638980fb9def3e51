"""Two runs do not share a board."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hil_tests.lock import lock_file, locked
from host_tools.failure import DEVICE, Failure

HOLD = """
import sys
from hil_tests.lock import locked
with locked(sys.argv[1], "the board"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_another_process_is_told_who_has_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, "/dev/ttyACM7"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Failure) as raised, locked("/dev/ttyACM7", "the board"):
            pass
        assert raised.value.exit_code == DEVICE
        expected = rf"the board is in use: by process {holder.pid}, since \d{{4}}-\d\d-\d\d .*"
        assert re.fullmatch(expected, raised.value.message)
        with locked("/dev/ttyACM8", "another one"):
            pass
        holder.communicate()
    with locked("/dev/ttyACM7", "the board"):
        pass


def test_a_lock_ends_with_its_process() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, "port"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    holder.kill()
    holder.communicate()
    with locked("port", "the board"):
        pass


def test_names_of_one_port_share_a_lock(tmp_path: Path) -> None:
    port = tmp_path / "ttyACM0"
    port.touch()
    (tmp_path / "by-id").symlink_to(port)
    assert lock_file(str(port)) == lock_file(str(tmp_path / "by-id"))
    with (
        locked(str(port), "it"),
        pytest.raises(Failure, match="in use"),
        locked(str(tmp_path / "by-id"), "it"),
    ):
        pass
