"""Bundle files: what is written is what a device reads, and damage is always noticed."""

from __future__ import annotations

import contextlib
import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller import bundle as device
from host_tools.build import Rejected, compile
from host_tools.bundle import Bundle, initial_part, read_bundle
from host_tools.cli import main
from host_tools.device_files import runtime_files, runtime_hash
from host_tools.failure import Failure
from host_tools.mpy import compile_mpy
from host_tools.project import load

MANIFEST: dict[str, Any] = {
    "format": 1,
    "name": "tank",
    "board": "pico",
    "layout": "0011223344556677",
    "image_size": 512,
    "state": [224, 8],
    "retain": [232, 0],
    "tasks": [
        {"name": "main", "interval_ns": 10_000_000, "priority": 1, "inputs": [], "outputs": []}
    ],
}
PARTS = {"program.py": b"x = 1\n", "initial": initial_part([(224, b"\1\2"), (230, b"\3")])}


def test_what_is_packed_is_what_a_device_reads(tmp_path: Path) -> None:
    bundle = Bundle({**MANIFEST, "name": "tänk"}, PARTS)
    path = tmp_path / "deep" / "tank.taktb"
    bundle.write(path)
    assert read_bundle(path) == bundle
    assert [p.name for p in path.parent.iterdir()] == ["tank.taktb"]
    manifest = device.verify(io.BytesIO(path.read_bytes()))
    assert [(p["name"], p["size"]) for p in manifest["parts"]] == [
        ("program.py", 6),
        ("initial", 19),
    ]


def test_the_initial_part_is_runs_over_zeros() -> None:
    assert PARTS["initial"] == struct.pack("<II2sII1s", 224, 2, b"\1\2", 230, 1, b"\3")


PACKED = Bundle(MANIFEST, PARTS).pack()


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255), st.booleans())
def test_damage_is_noticed(at: int, change: int, cut: bool) -> None:
    damaged = bytearray(PACKED)
    damaged[at] ^= change
    content = PACKED[:at] if cut else bytes(damaged)
    start = PACKED.index(b"x = 1\n")
    # In the manifest's text a changed byte may give another good manifest; a cut never does.
    if cut or at >= start or at < len(device.MAGIC) + 4:
        with pytest.raises(device.BundleError):
            device.verify(io.BytesIO(content))
    else:
        with contextlib.suppress(device.BundleError):
            assert device.verify(io.BytesIO(content)) != json.loads(PACKED[11:start])


def test_a_file_that_is_no_bundle_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.taktb"
    with pytest.raises(Failure, match="cannot read"):
        read_bundle(path)
    path.write_bytes(b"PK\3\4")
    with pytest.raises(Failure, match="this is no bundle"):
        read_bundle(path)


def test_a_manifest_says_what_the_project_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "demo"]) == 0
    program = compile(load("demo"))
    manifest = program.manifest()
    assert manifest["tasks"][0] | {"inputs": 0, "outputs": 0} == {
        "name": "fast",
        "interval_ns": 10_000_000,
        "priority": 1,
        "single": None,
        "inputs": 0,
        "outputs": 0,
        "on_overrun": "count",
        "watchdog_ms": 100,
    }
    assert set(manifest["areas"]) == {"IX", "QX"}
    assert manifest["board"] == "pico"
    # The folder it was built in does not show; the texts do.
    monkeypatch.chdir("demo")
    assert compile(load()).bundle().pack() == program.bundle().pack()
    main_st = Path("main.st")
    main_st.write_text(main_st.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert compile(load()).manifest()["built_from"] != manifest["built_from"]
    # Keys that are seldom used stand there only then.
    assert "hardware_watchdog_ms" not in manifest
    wiring = Path("takt.toml").read_text(encoding="utf-8")
    key = "[project]\nhardware_watchdog_ms = "
    Path("takt.toml").write_text(wiring.replace("[project]\n", f"{key}250\n"), encoding="utf-8")
    assert compile(load()).manifest()["hardware_watchdog_ms"] == 250
    Path("takt.toml").write_text(wiring.replace("[project]\n", f"{key}249\n"), encoding="utf-8")
    with pytest.raises(Rejected) as rejected:
        compile(load())
    assert [d.code for d in rejected.value.diagnostics] == ["E0604"]


def test_byte_code_is_kept_and_refused_source_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code = compile_mpy("x = 1\n", "x.py")
    (kept,) = (tmp_path / "takt" / "mpy").iterdir()
    assert kept.read_bytes() == code
    kept.write_bytes(b"from the cache")
    assert compile_mpy("x = 1\n", "x.py") == b"from the cache"
    assert compile_mpy("x = 1\n", "y.py") != code
    with pytest.raises(Failure, match="SyntaxError"):
        compile_mpy("x = = 1\n", "x.py")
    # A cache that cannot be written only costs time.
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept))
    assert compile_mpy("x = 1\n", "x.py") == code


def test_the_runtime_is_complete() -> None:
    files = runtime_files()
    assert {"controller/boot.mpy", "controller/console.mpy", "bus/modbus/tcp.mpy"} <= set(files)
    assert all(content[:2] == b"M\x06" for content in files.values())
    changed = dict(files)
    changed["controller/boot.mpy"] += b"\0"
    assert runtime_hash(changed) != runtime_hash(files)
