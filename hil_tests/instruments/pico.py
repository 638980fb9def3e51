"""The second Pico as an instrument: captures edges, plays levels, gives and measures voltages.

Run `python -m hil_tests.instruments.pico PORT` to put its program on a board.
"""

from __future__ import annotations

import base64
import struct
import sys
from collections.abc import Sequence
from importlib import resources

from hil_tests.instrument_pico import frames
from hil_tests.instruments.link import Link
from hil_tests.instruments.stamps import Stamp, Stamps
from host_tools.failure import DEVICE, USAGE, Failure
from host_tools.record import record

STIMULI = 3
"""So many pins can be played at a time, all in the clock of the capture."""
VOLTS = 3.3

_PACKAGE = "instrument_pico"
_MODULES = ("__init__", "frames", "capture", "stimulus", "serve")
_MAIN = b"from instrument_pico.serve import main\n\nmain()\n"

_ANSWER_S = 1.0
_TRIES = 4
# A board that begins anew takes some time, an emulated one on a busy machine a lot.
_STARTING_TRIES = 60
_FILL_BYTES = 1536
_LEAST_CYCLES = 4
_MOST_CYCLES = (1 << 31) - 1 + _LEAST_CYCLES
_WORDS_MAX = 16384
_FREE_RUNNING = 32
_ALL_ONES = 0xFFFFFFFF


@record(frozen=True)
class Identity:
    """What an instrument says of itself: its clock, and the time between two looks at the pins."""

    version: str
    unique_id: str
    clock_hz: int
    resolution_ns: float


def program_files() -> dict[str, bytes]:
    """Path on the board -> content: the instrument's program, as byte code, started by main.py."""
    from host_tools.mpy import compile_mpy

    found = {"/main.py": _MAIN}
    folder = resources.files("hil_tests") / _PACKAGE
    for module in _MODULES:
        source = (folder / f"{module}.py").read_text("utf-8")
        found[f"/{_PACKAGE}/{module}.mpy"] = compile_mpy(source, f"{_PACKAGE}/{module}.py")
    return found


class PicoInstrument:
    """Talks to an instrument over `link`; raises Failure when it does not answer, is another
    program or another version, or refuses a request."""

    def __init__(self, link: Link, tries: int = 0) -> None:
        """`tries` is how often it is asked who it is, a second apart; four times by default."""
        self._link = link
        self._sequence = 0
        self._stamps: Stamps | None = None
        self._played: list[int] = []
        self._used: set[int] = set()
        self.identity = self._hello(tries)

    # -- pins --------------------------------------------------------------------------------

    def read(self, pin: int) -> bool:
        """The level at a pin."""
        return self._ask(f"read {pin}") == ["1"]

    def set(self, pin: int, level: bool) -> None:
        """Drive a pin."""
        self._used.add(pin)
        self._ask(f"set {pin} {int(level)}")

    def release(self, pin: int, pull: str = "none") -> None:
        """Let go of a pin; `pull` is "up", "down" or "none"."""
        self._used.add(pin)
        self._ask(f"input {pin} {pull}")

    def pwm(self, pin: int, fraction: float, hertz: int = 20_000) -> None:
        """An analogue output, with a low-pass behind the pin: `fraction` (0 to 1) of 3.3 V, in
        steps of 1/65535 at the most."""
        if not 0 <= fraction <= 1:
            raise ValueError(f"{fraction} is no fraction of full scale: use 0 to 1")
        self._used.add(pin)
        self._ask(f"pwm {pin} {hertz} {round(fraction * 65535)}")

    def volts(self, pin: int) -> float:
        """The voltage at GP26 to GP28, against the board's own 3.3 V; 12 bits."""
        return int(self._ask(f"adc {pin}")[0]) / 65535 * VOLTS

    # -- capture and stimulus ----------------------------------------------------------------

    def capture(self, pins: Sequence[int], *, count_from: int | None = None) -> None:
        """Stamp the edges of these pins from `start` on; what lies between them is sampled too.
        A pin that was not used before becomes an input.

        `count_from` (0 to 31) sets the counter, to see it turn.
        """
        for pin in pins:
            if pin not in self._used:
                self.release(pin)
        first, count = min(pins), max(pins) - min(pins) + 1
        wanted = _FREE_RUNNING if count_from is None else count_from
        self._ask(f"capture {first} {count} {wanted}")
        counter = _ALL_ONES if count_from is None else count_from
        self._stamps = Stamps(first, count, self.identity.resolution_ns, counter)

    def stimulus(
        self, pin: int, pattern: Sequence[tuple[bool, int]], *, repeat: bool = False
    ) -> list[int]:
        """Play (level, duration in ns) on a pin from `start` on; after the last the level stays,
        or the pattern begins again. The durations as played, in ns: whole clock cycles, such that
        no edge is off by more than half of one. Raises ValueError for one under 4 cycles."""
        if len(self._played) >= STIMULI:
            raise ValueError(f"an instrument plays {STIMULI} pins at a time")
        words, played = _words(pattern, self.identity.clock_hz)
        if not words or len(words) > _WORDS_MAX:
            raise ValueError(f"a pattern has 1 to {_WORDS_MAX} levels, this one {len(words)}")
        number = len(self._played)
        data = struct.pack(f"<{len(words)}I", *words)
        self._ask(f"load {number} {len(words)}")
        for offset in range(0, len(data), _FILL_BYTES):
            part = base64.b64encode(data[offset : offset + _FILL_BYTES]).decode()
            self._ask(f"fill {number} {offset} {part}")
        self._used.add(pin)
        self._ask(f"arm {number} {pin} {int(pattern[0][0])} {int(repeat)}")
        self._played.append(pin)
        return played

    def start(self) -> None:
        """Begin what was prepared, all in one clock cycle: time 0 of the stamps."""
        self._ask("start")

    def edges(self) -> list[Stamp]:
        """The edges since the last call; the first ones tell the levels at the start."""
        stamps = self._stamps
        if stamps is None:
            return []
        found: list[Stamp] = []
        made: int | None = None
        while made is None or stamps.records < made:
            words = self._ask("records")
            # What comes while these are fetched is for the next call.
            made = int(words[0]) if made is None else made
            stamps.held_up |= words[2] == "1"
            stamps.miss(int(words[1]))
            found += stamps.feed(base64.b64decode(words[3]) if len(words) > 3 else b"")
        return found

    @property
    def lost(self) -> int:
        """How many records of this capture were overwritten before they were fetched."""
        return self._stamps.lost if self._stamps is not None else 0

    @property
    def held_up(self) -> bool:
        """Whether edges came faster than they could be stored: times after that are wrong."""
        return self._stamps is not None and self._stamps.held_up

    def time_ns(self) -> int:
        """Time since `start`, to the microsecond."""
        return int(self._ask("time")[0]) * 1000

    def left(self, pin: int) -> int:
        """How many levels of a pin's pattern have not begun; some more may wait in a FIFO."""
        return int(self._ask(f"left {self._played.index(pin)}")[0])

    def stop(self) -> None:
        """End capture and stimuli; pins stay at their levels."""
        self._ask("stop")
        self._stamps = None
        self._played = []

    def close(self) -> None:
        self._link.close()

    # -- protocol ----------------------------------------------------------------------------

    def _hello(self, tries: int) -> Identity:
        words = self._ask("hello", tries)
        if words[0] != "takt-instrument" or int(words[1]) != frames.PROTOCOL:
            raise Failure(
                f"{self._link.name} speaks '{' '.join(words)}', not version {frames.PROTOCOL} of "
                "the instrument's protocol",
                "put the program that belongs to this Takt on it: "
                "python -m hil_tests.instruments.pico PORT",
                DEVICE,
            )
        clock = int(words[4])
        return Identity(words[2], words[3], clock, int(words[5]) * 1e9 / clock)

    def _ask(self, words: str, tries: int = 0) -> list[str]:
        """One request, repeated when no answer comes; the words after `ok`."""
        request = frames.encode(self._sequence, words)
        for _ in range(tries or _TRIES):
            self._link.write(request)
            while (line := self._link.read_line(_ANSWER_S)) is not None:
                reply = frames.decode(line)
                if reply is not None and reply[0] == self._sequence:
                    self._sequence += 1
                    return self._accepted(words, reply[1])
        raise Failure(
            f"no instrument answers on {self._link.name} (asked for '{words.split()[0]}')",
            "put the program on it: python -m hil_tests.instruments.pico PORT",
            DEVICE,
        )

    def _accepted(self, request: str, reply: list[str]) -> list[str]:
        if reply[:1] != ["ok"]:
            raise Failure(
                f"the instrument on {self._link.name} refuses '{request[:60]}': "
                f"{' '.join(reply[1:])}",
                "",
                DEVICE,
            )
        return reply[1:]


def _words(pattern: Sequence[tuple[bool, int]], clock_hz: int) -> tuple[list[int], list[int]]:
    """The state machine's words for a pattern, and the durations they make, in ns."""
    words: list[int] = []
    played: list[int] = []
    end_ns = cycles = 0
    for level, duration_ns in pattern:
        end_ns += duration_ns
        until = round(end_ns * clock_hz / 1e9)
        left, cycles = until - cycles, until
        if left < _LEAST_CYCLES:
            least = _LEAST_CYCLES * 1e9 / clock_hz
            raise ValueError(f"a level of {duration_ns} ns is too short: {least:.0f} ns at least")
        played.append(round(left * 1e9 / clock_hz))
        while left:
            part = left if left <= _MOST_CYCLES else min(_MOST_CYCLES, left - _LEAST_CYCLES)
            words.append((part - _LEAST_CYCLES) << 1 | level)
            left -= part
    return words, played


def main(arguments: Sequence[str]) -> int:
    """Put the program on the board at a port and ask it who it is."""
    from hil_tests.instruments.link import SerialLink
    from host_tools.board_link import SerialLink as Repl

    try:
        if len(arguments) != 1:
            raise Failure("which port?", "python -m hil_tests.instruments.pico PORT", USAGE)
        repl = Repl(arguments[0])
        repl.put(program_files())
        repl.restart()
        repl.close()
        instrument = PicoInstrument(SerialLink(arguments[0]), _STARTING_TRIES)
        identity = instrument.identity
        print(
            f"instrument {identity.version} on {arguments[0]}, id {identity.unique_id}, "
            f"resolution {identity.resolution_ns:g} ns"
        )
        instrument.close()
    except Failure as failure:
        print(f"error: {failure.message}", file=sys.stderr)
        if failure.help:
            print(f"help: {failure.help}", file=sys.stderr)
        return failure.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
