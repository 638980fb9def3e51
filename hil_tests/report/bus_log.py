"""The frames of a recording as text and as JSON lines, Modbus taken apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hil_tests.recording import Frame, Recording
from hil_tests.report.modbus_frames import (
    EXCEPTIONS,
    FUNCTIONS,
    Message,
    decode,
    is_rtu,
    is_tcp,
    joined,
    words,
)
from hil_tests.report.quantities import time_text
from host_tools.failure import USAGE, Failure


def messages(frames: Sequence[Frame]) -> list[Message | None]:
    """What each frame says; None on a bus that does not speak Modbus.

    Which protocol a bus speaks, and whether the device under test is asked or asks, is told from
    all its frames together: a single one can be read in several ways.
    """
    made: list[Message | None] = [None] * len(frames)
    for bus in dict.fromkeys(frame.bus for frame in frames):
        places = [k for k, frame in enumerate(frames) if frame.bus == bus]
        own = [frames[k] for k in places]
        protocol = bus_protocol(bus, own)
        if not protocol:
            continue
        asked = _is_server(own, protocol)
        pending: dict[tuple[int | None, int], Message] = {}
        for k, frame in zip(places, own, strict=True):
            message = decode(frame.data, protocol, frame.to_device == asked)
            key = (message.transaction, message.unit)
            if message.request and not message.wrong:
                pending[key] = message
            elif not message.request:
                message = joined(message, pending.pop(key, None))
            made[k] = message
    return made


def bus_protocol(bus: str, frames: Sequence[Frame]) -> str:
    """ "rtu", "tcp", or "" where it is not Modbus: by most frames, then by the bus's name."""
    tcp = sum(is_tcp(frame.data) for frame in frames)
    rtu = sum(is_rtu(frame.data) for frame in frames)
    if tcp or rtu:
        return "tcp" if tcp > rtu else "rtu"
    named = bus.lower()
    return next((p for p in ("rtu", "tcp") if p in named), "")


def _is_server(frames: Sequence[Frame], protocol: str) -> bool:
    """Whether what goes to the device under test are requests."""

    def fits(asked: bool) -> int:
        read = (decode(frame.data, protocol, frame.to_device == asked) for frame in frames)
        return sum(not message.wrong for message in read)

    return fits(True) >= fits(False)


def frame_texts(frames: Sequence[Frame]) -> list[str]:
    """A line for each frame: what the recording says of it, else what it says itself, else its
    bytes."""
    return [_text(frame, message) for frame, message in zip(frames, messages(frames), strict=True)]


def _text(frame: Frame, message: Message | None) -> str:
    text = frame.text or (words(message) if message else frame.data.hex(" "))
    bad = not frame.good and not (message is not None and message.wrong)
    return f"bad: {text}" if bad else text


def log_text(recording: Recording) -> str:
    """The log to read: time, bus, direction, bytes and meaning of each frame."""
    frames = recording.frames
    times = [time_text(frame.time_ns) for frame in frames]
    wide = max(map(len, times), default=0)
    bus_wide = max((len(frame.bus) for frame in frames), default=0)
    lines = []
    for frame, at, text in zip(frames, times, frame_texts(frames), strict=True):
        way = "> device" if frame.to_device else "< device"
        data = frame.data.hex(" ")
        data = data if len(data) <= 95 else f"{data[:80]} … {len(frame.data)} bytes"
        lines.append(f"{at:>{wide}}  {frame.bus:{bus_wide}}  {way}  {text}  [{data}]\n")
    return "".join(lines)


def log_json_lines(recording: Recording) -> str:
    """The log for programs: an object a line; bytes as hex, `modbus` where they are that."""
    lines = []
    frames = recording.frames
    for frame, message, text in zip(frames, messages(frames), frame_texts(frames), strict=True):
        entry: dict[str, object] = {
            "time_ns": frame.time_ns,
            "bus": frame.bus,
            "to_device": frame.to_device,
            "data": frame.data.hex(),
            "good": frame.good and not (message is not None and message.wrong),
            "text": text,
        }
        if message is not None:
            entry["modbus"] = message_object(message)
        lines.append(json.dumps(entry, ensure_ascii=False) + "\n")
    return "".join(lines)


def message_object(message: Message) -> dict[str, object]:
    """A message for JSON; without the fields that it does not have."""
    made: dict[str, object] = {
        "protocol": message.protocol,
        "unit": message.unit,
        "function": message.function,
        "name": FUNCTIONS.get(message.function, ""),
        "request": message.request,
    }
    for name in ("transaction", "address", "quantity", "write_address"):
        if (value := getattr(message, name)) is not None:
            made[name] = value
    if message.values:
        made["values"] = list(message.values)
    if message.exception is not None:
        made["exception"] = message.exception
        made["exception_name"] = EXCEPTIONS.get(message.exception, "")
    if message.data:
        made["rest"] = message.data.hex()
    if message.wrong:
        made["wrong"] = message.wrong
    return made


def write_bus_log(recording: Recording, folder: Path) -> list[Path]:
    """Write bus.txt and bus.jsonl; none where nothing went over a bus. Raises Failure."""
    if not recording.frames:
        return []
    files = {"bus.txt": log_text(recording), "bus.jsonl": log_json_lines(recording)}
    made = []
    for name, text in files.items():
        path = folder / name
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise Failure(f"cannot write '{path}': {error.strerror}", exit_code=USAGE) from None
        made.append(path)
    return made
