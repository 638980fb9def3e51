"""Finding, checking and keeping firmware images; the emulated tests run the build itself."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from host_tools import firmware
from host_tools.firmware import cache
from host_tools.firmware.micropython import upstream_version
from host_tools.firmware.packages import Archive, PrivateApt, debian_archives, install_tools
from host_tools.firmware.recipe import FirmwareError, mixes_for, recipe
from host_tools.firmware.uf2 import check, wrap

RP2040_FAMILY = 0xE48BFF56
FLASH = 0x10000000
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "takt"


def image_file(folder: Path, content: bytes = b"firmware") -> Path:
    file = folder / "given.uf2"
    file.write_bytes(wrap(content, FLASH, RP2040_FAMILY))
    return file


def test_a_uf2_block_is_laid_out_as_the_specification_says() -> None:
    image = wrap(bytes(range(256)) + b"\x99", FLASH, RP2040_FAMILY)
    assert len(image) == 1024
    second = image[512:]
    assert second[:32] == struct.pack(
        "<8I", 0x0A324655, 0x9E5D5157, 0x2000, FLASH + 256, 256, 1, 2, RP2040_FAMILY
    )
    assert second[32:288] == b"\x99" + bytes(255)
    assert second[508:] == struct.pack("<I", 0x0AB16F30)
    assert image[32:288] == bytes(range(256))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda image: image[:-1], "not a whole UF2 image"),
        (lambda image: b"", "not a whole UF2 image"),
        (lambda image: image[:512] + bytes(512), "block 1 has no magic"),
        (lambda image: image[:28] + struct.pack("<I", 0xE48BFF59) + image[32:], "another chip"),
    ],
)
def test_images_that_are_not_for_the_board_are_refused(tmp_path, damage, said) -> None:
    file = tmp_path / "image.uf2"
    file.write_bytes(damage(wrap(bytes(300), FLASH, RP2040_FAMILY)))
    with pytest.raises(FirmwareError, match=said):
        check(file, RP2040_FAMILY, "Raspberry Pi Pico")


def test_an_image_given_is_the_one_used(tmp_path: Path, empty_cache: Path) -> None:
    given = firmware.adopt("pico", image_file(tmp_path))
    assert given.origin == "given"
    assert given.path.is_relative_to(empty_cache)
    assert given.sha256 == hashlib.sha256(given.path.read_bytes()).hexdigest()
    assert firmware.ensure("pico") == given.path
    assert firmware.status("pico") == [given]
    # Nothing half-made stays behind.
    assert sorted(entry.name for entry in cache.folder("pico").iterdir()) == [
        given.path.parent.name
    ]


def test_the_newest_image_comes_first_and_versions_are_told_apart() -> None:
    made = recipe("pico")
    for version in ("1.9.4", "1.26.1", "1.25.0"):
        cache.store(made, version.encode(), version=version, origin="built", packages={})
    assert [image.version for image in firmware.status("pico")] == ["1.26.1", "1.25.0", "1.9.4"]
    assert firmware.ensure("pico", version="1.25").read_bytes() == b"1.25.0"
    assert firmware.ensure("pico", version="1.26.1").read_bytes() == b"1.26.1"


def test_images_of_another_recipe_or_without_a_record_do_not_count(tmp_path: Path) -> None:
    made = recipe("pico")
    old = cache.store(made, b"old", version="1.26.1", origin="built", packages={})
    record = old.path.with_name("image.json")
    record.write_text(record.read_text().replace('"recipe": 1', '"recipe": 0'))
    broken = cache.store(made, b"broken", version="1.26.1", origin="built", packages={})
    broken.path.with_name("image.json").write_text("{")
    assert firmware.status("pico") == []


def test_boards_and_versions_without_a_recipe_are_named(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match=r"Boards with a recipe: .*pico"):
        firmware.ensure("picoo")
    with pytest.raises(FirmwareError, match=r"can be built: 1\.26, 1\.25"):
        firmware.ensure("pico", version="1.2")


def test_a_patch_version_chooses_its_mix() -> None:
    assert [mix.version for mix in mixes_for(recipe("pico"), "1.25.0")] == ["1.25"]
    assert [mix.version for mix in mixes_for(recipe("pico"), None)] == ["1.26", "1.25"]


def test_the_next_mix_is_tried_and_told_when_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def build_mix(made, mix, log, progress, jobs):
        if mix.version == "1.26":
            raise FirmwareError("sid moved on")
        return cache.store(made, b"fallback", version="1.25.0", origin="built", packages={})

    said: list[str] = []
    monkeypatch.setattr(firmware, "_build_mix", build_mix)
    monkeypatch.setattr(firmware, "install_tools", lambda *arguments: None)
    assert firmware.build("pico", progress=said.append).version == "1.25.0"
    assert said == ["MicroPython 1.26 cannot be built here: sid moved on"]
    with pytest.raises(FirmwareError, match="sid moved on"):
        firmware.build("pico", version="1.26", force=True)


def test_without_root_the_command_to_run_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A dpkg that knows no package, as on a fresh machine.
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (("dpkg-query", "exit 1"), ("apt-get", "touch called")):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FirmwareError, match=r"sudo apt-get install .*gcc-arm-none-eabi"):
        install_tools(["make", "gcc-arm-none-eabi"], tmp_path / "log", print)
    assert not (tmp_path / "called").exists()


def test_without_apt_the_other_way_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FirmwareError, match="--image FILE"):
        firmware.ensure("pico")


def test_the_machines_own_archives_are_found(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://comment.example/debian sid main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://one.example/debian bookworm main contrib\n"
        "deb-src http://one.example/debian bookworm main\n"
        "deb http://security.example/debian-security bookworm-security main\n"
        "deb http://ubuntu.example/ubuntu noble main universe\n"
    )
    (parts / "two.sources").write_text(
        "Types: deb\n# a comment\nURIs: http://two.example/debian\nSuites: trixie trixie-updates\n"
        "Components: main\nSigned-By: /two.gpg\n\n"
        "Types: deb\nURIs: http://off.example/debian\nSuites: sid\nComponents: main\n"
        "Enabled: no\n\n"
        "Types: deb\nURIs: http://vendor.example/apt\nSuites: stable-vendor\nComponents: main\n"
    )
    (parts / "off.list.disabled").write_text("deb http://disabled.example/debian sid main\n")
    assert debian_archives(tmp_path) == [
        Archive("http://one.example/debian", "/k.gpg"),
        Archive("http://one.example/debian", KEYRING),
        Archive("http://two.example/debian", "/two.gpg"),
    ]
    assert debian_archives(tmp_path / "none") == []


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="asks the real apt")
def test_an_archive_that_does_not_answer_is_told(tmp_path: Path) -> None:
    apt = PrivateApt(tmp_path / "apt", tmp_path / "log", lambda phase: None)
    with pytest.raises(FirmwareError, match="could not read the package lists"):
        # Port 9 (discard) of this machine: nobody listens.
        apt.update(Archive("http://127.0.0.1:9/debian", KEYRING), recipe("pico").mixes[1])


@pytest.mark.parametrize(
    ("debian", "upstream"), [("1.26.1+ds-1", "1.26.1"), ("3.6.6-0.1~deb13u1", "3.6.6")]
)
def test_the_upstream_version_is_read_out_of_debians(debian: str, upstream: str) -> None:
    assert upstream_version(debian) == upstream


class _Site(BaseHTTPRequestHandler):
    content: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        if self.path != "/pico.uf2":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_download_is_kept_only_when_it_is_the_image_asked_for(site: str) -> None:
    _Site.content = wrap(b"downloaded", FLASH, RP2040_FAMILY)
    digest = hashlib.sha256(_Site.content).hexdigest()
    with pytest.raises(FirmwareError, match=f"SHA-256 is {digest}"):
        firmware.download("pico", "0" * 64, url=f"{site}/pico.uf2")
    with pytest.raises(FirmwareError, match="404"):
        firmware.download("pico", digest, url=f"{site}/none.uf2")
    assert firmware.status("pico") == []
    image = firmware.download("pico", digest.upper(), version="1.26", url=f"{site}/pico.uf2")
    assert image.path.read_bytes() == _Site.content
    assert firmware.ensure("pico") == image.path


def test_a_download_that_is_no_firmware_is_refused(site: str) -> None:
    _Site.content = b"<html>moved</html>"
    digest = hashlib.sha256(_Site.content).hexdigest()
    with pytest.raises(FirmwareError, match="not a whole UF2 image"):
        firmware.download("pico", digest, url=f"{site}/pico.uf2")
    assert firmware.status("pico") == []


def test_two_processes_do_not_build_at_once(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from host_tools.firmware import cache\n"
        "with cache.lock('pico', 'waiting', lambda text: print(text, flush=True)):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    start = [sys.executable, "-c", program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    root = Path(firmware.__file__).parents[2]
    with (
        subprocess.Popen(start, cwd=root, **pipes) as first,
        subprocess.Popen(start, cwd=root, **pipes) as second,
    ):
        processes = [first, second]
        lines = [process.stdout.readline() for process in processes]
        assert sorted(lines) == ["held\n", "waiting\n"]
        holder, waiter = (first, second) if lines[0] == "held\n" else (second, first)
        holder.communicate("\n")
        assert waiter.communicate("\n")[0] == "held\n"
        assert [process.returncode for process in processes] == [0, 0]
