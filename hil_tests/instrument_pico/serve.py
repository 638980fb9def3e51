"""Answers the host's requests on the console, for ever."""

import sys
from binascii import a2b_base64, b2a_base64, hexlify

import machine
from machine import ADC, PWM, Pin, mem32

from .capture import CYCLES, Capture
from .frames import LINE_MAX, PROTOCOL, decode, encode
from .stimulus import Stimulus

_VERSION = "1.0"
# CTRL of PIO 0, its alias that sets bits; the clock dividers restart together.
_CTRL_SET = 0x50200000 + 0x2000
_CLKDIV_RESTART = 8
_TIMERAWH = 0x40054024
_TIMERAWL = 0x40054028
_RECORDS_AT_ONCE = 256
_PULLS = {"up": Pin.PULL_UP, "down": Pin.PULL_DOWN, "none": None}


def _micros():
    """Time since power-on in us, 64 bits wide."""
    while True:
        high = mem32[_TIMERAWH]
        low = mem32[_TIMERAWL]
        if mem32[_TIMERAWH] == high:
            return high << 32 | low


class Instrument:
    """What a request may name, and what it does; each answers with a string of words."""

    def __init__(self):
        self._capture = Capture()
        self._stimuli = [Stimulus(n) for n in (1, 2, 3)]
        self._armed = 0
        self._pwm = {}
        self._start_us = 0

    def hello(self):
        """Protocol, version, identity, clock in Hz, clock cycles of one count."""
        identity = hexlify(machine.unique_id()).decode()
        return "takt-instrument %d %s %s %d %d" % (
            PROTOCOL,
            _VERSION,
            identity,
            machine.freq(),
            CYCLES,
        )

    def read(self, pin):
        return "%d" % Pin(int(pin)).value()

    def input(self, pin, pull):
        self._release(int(pin))
        Pin(int(pin), Pin.IN, _PULLS[pull])  # type: ignore[arg-type]
        return ""

    def set(self, pin, level):
        self._release(int(pin))
        Pin(int(pin), Pin.OUT, value=int(level))
        return ""

    def pwm(self, pin, hertz, duty):
        """`duty` of 65535."""
        number = int(pin)
        if number not in self._pwm:
            self._pwm[number] = PWM(Pin(number))
        self._pwm[number].init(freq=int(hertz), duty_u16=int(duty))
        return ""

    def adc(self, pin):
        return "%d" % ADC(Pin(int(pin))).read_u16()

    def capture(self, first, count, counter):
        self._capture.arm(int(first), int(count), int(counter))
        self._armed |= self._capture.mask
        return ""

    def load(self, number, count):
        self._stimuli[int(number)].load(int(count))
        return ""

    def fill(self, number, offset, data):
        self._stimuli[int(number)].fill(int(offset), a2b_base64(data))
        return ""

    def arm(self, number, pin, high, repeat):
        self._release(int(pin))
        stimulus = self._stimuli[int(number)]
        stimulus.arm(int(pin), int(high), int(repeat))
        self._armed |= stimulus.mask
        return ""

    def start(self):
        """Let everything that is armed begin in one clock cycle: time 0."""
        mask = self._armed
        self._armed = 0
        self._start_us = _micros()
        mem32[_CTRL_SET] = mask | mask << _CLKDIV_RESTART
        return "%d" % mask

    def records(self):
        """Records made so far, lost before these, whether the clock was held up, base 64."""
        written, lost, stalled, data = self._capture.take(_RECORDS_AT_ONCE)
        return "%d %d %d %s" % (written, lost, stalled, b2a_base64(data).decode().strip())

    def time(self):
        """Since the start, in us."""
        return "%d" % (_micros() - self._start_us)

    def left(self, number):
        return "%d" % self._stimuli[int(number)].left()

    def stop(self):
        self._armed = 0
        self._capture.stop()
        for stimulus in self._stimuli:
            stimulus.stop()
        return ""

    def _release(self, pin):
        if pin in self._pwm:
            self._pwm.pop(pin).deinit()


_REQUESTS = (
    "hello",
    "read",
    "input",
    "set",
    "pwm",
    "adc",
    "capture",
    "load",
    "fill",
    "arm",
    "start",
    "records",
    "time",
    "left",
    "stop",
)


def _answer(instrument, words):
    name = words[0] if words else ""
    if name not in _REQUESTS:
        return "error no request '%s'" % name
    try:
        return ("ok " + getattr(instrument, name)(*words[1:])).rstrip()
    except Exception as error:
        return "error %s: %s" % (type(error).__name__, error)


def main():
    """Serve until Ctrl-C."""
    instrument = Instrument()
    lines = sys.stdin.buffer
    out = sys.stdout.buffer
    answered = None
    reply = b""
    while True:
        # A frame begins with its first character. What else comes is passed over one by one: a
        # Ctrl-C in between ends the program, and what follows it is for the REPL.
        if lines.read(1) != b"@":
            continue
        frame = decode(b"@" + lines.readline(LINE_MAX))
        if frame is None:
            continue
        # A conversation begins with sequence number 0.
        if frame[0] == 0 or frame[0] != answered:
            reply = encode(frame[0], _answer(instrument, frame[1]))
            answered = frame[0]
        out.write(reply)
