"""Debian packages for a build, fetched through an apt of their own beside the system's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from host_tools.firmware.recipe import FirmwareError, Mix

Progress = Callable[[str], None]

_ETC = Path("/etc/apt")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_RELEASES = ["buster", "bullseye", "bookworm", "trixie", "forky"]
_DEBIAN_SUITES = frozenset(["stable", "testing", "unstable", "sid", "oldstable", *_RELEASES])


@dataclass(frozen=True)
class Archive:
    """A Debian archive this machine's apt already uses."""

    uri: str
    signed_by: str


@dataclass(frozen=True)
class Package:
    """A fetched package: its version and its files by name."""

    name: str
    version: str
    files: tuple[Path, ...]


def missing_tools(tools: Iterable[str]) -> list[str]:
    """Those of the system packages that are not installed."""
    missing = []
    for tool in tools:
        query = ["dpkg-query", "-W", "-f", "${db:Status-Status}", tool]
        done = subprocess.run(query, capture_output=True, text=True, check=False)
        if done.returncode or done.stdout != "installed":
            missing.append(tool)
    return missing


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of installed packages, by name."""
    query = ["dpkg-query", "-W", "-f", "${Package}\t${Version}\n", *names]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return dict(line.split("\t", 1) for line in done.stdout.splitlines())


def install_tools(tools: Iterable[str], log: Path, progress: Progress) -> None:
    """Install what is missing when run as root; raises `FirmwareError` with the command if not."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-query") is None:
        raise FirmwareError(
            "building firmware needs Debian's apt and dpkg, which this machine does not have. "
            "Give an image instead: takt firmware build pico --image FILE.uf2"
        )
    missing = missing_tools(tools)
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        raise FirmwareError(
            "building firmware needs packages that are not installed. Install them with:\n"
            f"    sudo {' '.join(command)}"
        )
    progress(f"installing {', '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if _logged(command, log, environment) == 0:
        return
    progress("updating the package lists")
    _logged(["apt-get", "update"], log, environment)
    if _logged(command, log, environment) != 0:
        raise FirmwareError(
            f"could not install {', '.join(missing)}. apt said:\n{tail(log)}\n"
            f"Once its cause is mended, or by hand: {' '.join(command)}"
        )


def debian_archives(etc: Path = _ETC) -> list[Archive]:
    """The Debian archives named in the machine's apt sources, one-line and deb822 style."""
    found: list[Archive] = []
    lists = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]
    for path in lists:
        found.extend(_from_one_line(_text(path)))
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        found.extend(_from_deb822(_text(path)))
    return list(dict.fromkeys(found))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _from_one_line(text: str) -> list[Archive]:
    found: list[Archive] = []
    for line in text.splitlines():
        match = re.match(r"\s*deb(?:-src)?\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)", line)
        if match is None:
            continue
        options, uri, suite, components = match.groups()
        if suite in _DEBIAN_SUITES and "main" in components.split():
            signed = re.search(r"signed-by=(\S+)", options or "")
            found.append(Archive(uri, signed[1] if signed else str(_KEYRING)))
    return found


def _from_deb822(text: str) -> list[Archive]:
    found: list[Archive] = []
    for stanza in re.split(r"\n\s*\n", text):
        lines = [line for line in stanza.splitlines() if not line.startswith("#")]
        fields: dict[str, str] = {}
        name = ""
        for line in lines:
            if line[:1].isspace() and name:
                fields[name] += "\n" + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        suites = fields.get("suites", "").split()
        if not _DEBIAN_SUITES.intersection(suites):
            continue
        if "main" in fields.get("components", "").split():
            signed = fields.get("signed-by", "") or str(_KEYRING)
            found.extend(Archive(uri, signed) for uri in fields.get("uris", "").split())
    return found


class PrivateApt:
    """An apt of its own under `home`: own sources, own lists, nothing of the system's changed."""

    def __init__(self, home: Path, log: Path, progress: Progress) -> None:
        self._home = home
        self._log = log
        self._progress = progress

    def update(self, archive: Archive, mix: Mix) -> None:
        """Read the signed package lists of the suites the mix needs."""
        parts = self._home / "sources"
        for path in (parts, self._home / "lists/partial", self._home / "cache/archives/partial"):
            path.mkdir(parents=True, exist_ok=True)
        (self._home / "empty.list").touch()
        (self._home / "preferences").touch()
        stanzas = [
            f"Types: {kinds}\nURIs: {archive.uri}\nSuites: {' '.join(sorted(suites))}\n"
            f"Components: main\nSigned-By: {archive.signed_by}\n"
            for kinds, suites in (
                ("deb-src", set(mix.sources.values())),
                ("deb", set(mix.binaries.values())),
            )
            if suites
        ]
        (parts / "takt.sources").write_text("\n".join(stanzas), encoding="utf-8")
        self._progress(f"reading the package lists of Debian {' and '.join(mix.suites)}")
        # Without the option apt calls it a success when no archive answers.
        strict = "-oAPT::Update::Error-Mode=any"
        if _logged([*self._apt("apt-get"), strict, "update"], self._log) != 0:
            raise FirmwareError(
                f"apt could not read the package lists of Debian {', '.join(mix.suites)} from "
                f"the archive this machine's apt sources name. apt said:\n{tail(self._log)}\n"
                "Is the network there? Otherwise: takt firmware build pico --image FILE.uf2"
            )

    def version_of(self, source: str, suite: str) -> str:
        """The version of a source package in a suite."""
        command = [*self._apt("apt-get"), "source", "--print-uris", f"{source}/{suite}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        match = re.search(rf"' {re.escape(source)}_([^_\s]+)\.dsc ", done.stdout)
        if match is None:
            raise FirmwareError(
                f"Debian {suite} has no source package {source}. apt said:\n{done.stderr.strip()}"
            )
        return match[1]

    def fetch_source(self, name: str, suite: str) -> Package:
        """Download a source package; apt checks every file against the archive's signed lists."""
        version = self.version_of(name, suite)
        files = self._fetch(["source", "--download-only", f"{name}/{suite}"], name)
        return Package(name, version, files)

    def fetch_binary(self, name: str, suite: str) -> Package:
        """Download a binary package without installing it, checked likewise."""
        files = self._fetch(["download", f"{name}/{suite}"], name)
        version = files[0].name.split("_")[1].replace("%3a", ":")
        return Package(name, version, files)

    def _fetch(self, arguments: list[str], name: str) -> tuple[Path, ...]:
        self._progress(f"downloading {name}")
        place = self._home / "packages" / name
        place.mkdir(parents=True, exist_ok=True)
        command = [*self._apt("apt-get"), "--yes", *arguments]
        failed = _logged(command, self._log, folder=place) != 0
        files = tuple(sorted(place.iterdir()))
        if failed or not files:
            raise FirmwareError(f"apt could not download {name}. apt said:\n{tail(self._log)}")
        return files

    def _apt(self, tool: str) -> list[str]:
        home = self._home
        options = {
            "Dir::Etc::SourceList": home / "empty.list",
            "Dir::Etc::SourceParts": home / "sources",
            "Dir::Etc::Preferences": home / "preferences",
            "Dir::Etc::PreferencesParts": home / "preferences.d",
            "Dir::State::Lists": home / "lists",
            "Dir::Cache": home / "cache",
            "Acquire::Languages": "none",
            # The sandbox user cannot write into the caller's cache folder.
            "APT::Sandbox::User": "",
        }
        return [tool, *(f"-o{name}={value}" for name, value in options.items())]


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, indented."""
    text = _text(log).splitlines()[-lines:]
    return "\n".join("    " + line for line in text)


def _logged(
    command: list[str],
    log: Path,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
) -> int:
    """Run a command with its output in the log; returns its exit code."""
    with log.open("ab") as out:
        out.write(f"$ {' '.join(command)}\n".encode())
        out.flush()
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            check=False,
        )
    return done.returncode
