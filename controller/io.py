"""Exchanges the wired channels with the image: inputs are latched, outputs are written.

A channel is one row of the manifest's "io" (host_tools/wiring makes them). Pins come from a
provider, an object with

    digital_in(name, pull) -> callable, 0 or 1      pull is "up", "down" or None
    digital_out(name, initial) -> callable taking 0 or 1
    adc(name) -> callable, 0..65535
    pwm(name, freq) -> callable taking a duty of 0..65535
    uart(number, baud, parity, stop, tx, rx) -> machine.UART or its like; optional, and with it
    timer() -> machine.Timer, or None

so that a host without pins runs with none, and a test hands in its own. `machine_pins()` gives the
provider of the board this runs on.

Analogue scaling is integer arithmetic, the same everywhere: raw 0..65535 becomes low + the nearest
integer to raw * (high - low) / 65535, halves away from low; and the same way back, limited to the
scale. Nothing is allocated by latching or writing on a 32-bit board as long as the scale spans
65535 at most.
"""

import struct
import sys

from controller.image import FORMATS

# Times of channels are µs modulo this: a divisor of the period of every board's ticks_us.
_PERIOD_MASK = 0x0FFFFFFF

_LIMITS = {
    "u8": (1, 0, 0xFF),
    "i8": (1, -0x80, 0x7F),
    "u16": (2, 0, 0xFFFF),
    "i16": (2, -0x8000, 0x7FFF),
    "u32": (4, 0, 0xFFFFFFFF),
    "i32": (4, -0x80000000, 0x7FFFFFFF),
}


class MachinePins:
    """The pins of the board this runs on, by `machine`."""

    def __init__(self, machine):
        self._machine = machine

    def _pin(self, name):
        # GP2, GPIO2 and IO2 are numbers on every port; anything else is a name the port knows.
        for prefix in ("GPIO", "GP", "IO"):
            if name.startswith(prefix) and name[len(prefix) :].isdigit():
                return int(name[len(prefix) :])
        return name

    def digital_in(self, name, pull):
        pin = self._machine.Pin
        pulls = {"up": pin.PULL_UP, "down": getattr(pin, "PULL_DOWN", None), None: None}
        return pin(self._pin(name), pin.IN, pulls[pull])

    def digital_out(self, name, initial):
        pin = self._machine.Pin
        return pin(self._pin(name), pin.OUT, value=initial)

    def adc(self, name):
        return self._machine.ADC(self._machine.Pin(self._pin(name))).read_u16

    def pwm(self, name, freq):
        pin = self._machine.Pin(self._pin(name))
        return self._machine.PWM(pin, freq=freq, duty_u16=0).duty_u16

    def uart(self, number, baud, parity, stop, tx, rx):
        pin = self._machine.Pin
        parity = {"none": None, "even": 0, "odd": 1}[parity]
        uart = self._machine.UART(number)
        # Room for a stall of the reader, and for the longest frame.
        uart.init(
            baudrate=baud,
            bits=8,
            parity=parity,
            stop=stop,
            tx=pin(self._pin(tx)),
            rx=pin(self._pin(rx)),
            rxbuf=512,
            txbuf=260,
        )
        return uart

    def timer(self):
        try:
            return self._machine.Timer()
        except (TypeError, ValueError):  # a port that has numbered ones only
            return None


def machine_pins():
    """The provider of this board's pins, or None where MicroPython or CPython has no pins."""
    if sys.implementation.name != "micropython":
        return None
    import machine

    return MachinePins(machine) if hasattr(machine, "Pin") else None


def _bounded(row, image_size, length):
    offset = row["offset"]
    if not 0 <= offset <= image_size - length:
        raise ValueError("channel %s is outside the image" % row["address"])
    return offset


class DigitalInput:
    """One bit of the image, or a BOOL of one byte, that follows a pin."""

    def __init__(self, row, data, pins):
        self.row = row
        self.offset = _bounded(row, len(data), 1)
        bit = row.get("bit")
        self._mask = 1 if bit is None else 1 << bit
        self._whole = bit is None
        self._invert = 1 if row.get("invert") else 0
        self._filter_us = row.get("filter_ms", 0) * 1000
        self._pin = pins.digital_in(row["pin"], row.get("pull"))
        self._value = -1  # 0, 1, or -1 before the first latch
        self._differs = False  # the pin has another value than _value since _since_us
        self._since_us = 0

    def latch(self, data, now_us):
        value = self._pin() ^ self._invert
        if value != self._value:
            if self._filter_us and self._value >= 0:
                if not self._differs:
                    self._differs = True
                    self._since_us = now_us
                stable_us = (now_us - self._since_us) & _PERIOD_MASK
                # The upper half is a time before: a late task has an earlier release than another.
                if stable_us < self._filter_us or stable_us > _PERIOD_MASK >> 1:
                    value = self._value
            if value != self._value:
                self._value = value
                self._differs = False
        else:
            self._differs = False
        # In every scan, also unchanged: a write from outside does not outlive the latch.
        if self._whole:
            data[self.offset] = value
        elif value:
            data[self.offset] |= self._mask
        else:
            data[self.offset] &= ~self._mask


class DigitalOutput:
    """A pin that follows one bit of the image, or a BOOL of one byte."""

    def __init__(self, row, data, pins):
        self.row = row
        self.offset = _bounded(row, len(data), 1)
        bit = row.get("bit")
        self._mask = 0xFF if bit is None else 1 << bit
        self._one = 1 if bit is None else self._mask
        self._invert = 1 if row.get("invert") else 0
        self._safe = 1 if row.get("safe") else 0
        self._pin = pins.digital_out(row["pin"], self._safe ^ self._invert)

    def write(self, data):
        self._pin((1 if data[self.offset] & self._mask else 0) ^ self._invert)

    def make_safe(self, data=None):
        """Drives the pin to its safe state, and where `data` is given the image as well."""
        if data is not None:
            data[self.offset] = data[self.offset] & ~self._mask | (self._one if self._safe else 0)
        self._pin(self._safe ^ self._invert)


def scaled(raw, low, span, sign):
    """raw 0..65535 -> low + sign * round(raw * span / 65535), span >= 0."""
    # In two steps, so that no product leaves 30 bits for spans up to 65535.
    part = raw * (span >> 8)
    rest = part % 65535
    value = (part // 65535 << 8) + ((rest << 8) + raw * (span & 0xFF) + 32767) // 65535
    return low + sign * value


def unscaled(distance, span):
    """distance from low, 0..span -> 0..65535, rounded to the nearest; halves go up."""
    part = distance * 255
    return part // span * 257 + (part % span * 257 + (span >> 1)) // span


def _scale(row):
    size, least, most = _LIMITS.get(row["kind"]) or (0, 0, 0)
    if not size:
        raise ValueError(
            "channel %s has kind %s; analogue channels are %s"
            % (row["address"], row["kind"], ", ".join(sorted(_LIMITS)))
        )
    low, high = row.get("scale") or (0, min(most, 65535))
    if low == high or not least <= min(low, high) or not max(low, high) <= most:
        raise ValueError(
            "channel %s: the scale %d..%d does not fit kind %s"
            % (row["address"], low, high, row["kind"])
        )
    return size, least < 0, low, abs(high - low), 1 if high > low else -1


class AnalogueInput:
    """An integer of the image that follows an ADC pin."""

    def __init__(self, row, data, pins):
        self.row = row
        self._size, _signed, self._low, self._span, self._sign = _scale(row)
        self.offset = _bounded(row, len(data), self._size)
        self._read = pins.adc(row["adc"])

    def latch(self, data, now_us):
        value = scaled(self._read(), self._low, self._span, self._sign)
        for k in range(self.offset, self.offset + self._size):
            data[k] = value & 0xFF
            value >>= 8


class AnalogueOutput:
    """A PWM pin that follows an integer of the image."""

    def __init__(self, row, data, pins):
        self.row = row
        self._size, self._signed, self._low, self._span, self._sign = _scale(row)
        self.offset = _bounded(row, len(data), self._size)
        self._safe = row.get("safe") or 0
        self._duty = pins.pwm(row["pwm"], row.get("freq", 1000))
        self.make_safe()

    def write(self, data):
        k = self.offset + self._size - 1
        value = data[k]
        if self._signed and value & 0x80:
            value -= 0x100
        while k > self.offset:
            k -= 1
            value = value << 8 | data[k]
        self._drive(value)

    def make_safe(self, data=None):
        """As DigitalOutput.make_safe."""
        if data is not None:
            value = self._safe
            for k in range(self.offset, self.offset + self._size):
                data[k] = value & 0xFF
                value >>= 8
        self._drive(self._safe)

    def _drive(self, value):
        distance = (value - self._low) * self._sign
        self._duty(unscaled(max(0, min(self._span, distance)), self._span))


def _within(offset, ranges):
    for row in ranges:
        if row[0] <= offset < row[0] + row[1]:
            return True
    return False


def _claim(channels, tasks, key, areas):
    """Which channels each task exchanges: a list of tuples, one a task, and those of nobody.

    A channel in an area that no task uses is exchanged with the last task, so that monitor and
    Modbus see it. One bound to a variable outside the areas that no task claims is exchanged with
    every task; it is in the second list.
    """
    claims: list = [[] for _ in tasks]
    common = []
    for channel in channels:
        owners = [k for k in range(len(tasks)) if _within(channel.offset, tasks[k][key])]
        if not owners and tasks:
            if _within(channel.offset, areas):
                owners = [len(tasks) - 1]
            else:
                owners = list(range(len(tasks)))
                common.append(channel)
        for k in owners:
            claims[k].append(channel)
    return [tuple(claim) for claim in claims], common


def safe_rows(rows, ranges):
    """[byte, mask, value] rows for manifest["safe"] within `ranges`."""
    found = []
    for offset, bit, kind, value in rows:
        if bit is not None:
            mask = 1 << bit
            value = bytes((mask if value else 0,))
        else:
            mask = 0xFF
            value = struct.pack(FORMATS[kind], value)
        for k in range(len(value)):
            for row in ranges:
                if row[0] <= offset + k < row[0] + row[1]:
                    found.append((offset + k, mask, value[k]))
                    break
    return tuple(found)


class Exchange:
    """All channels of a program; `pins` may be None: then there are none.

    `inputs[k]` and `outputs[k]` are the channels of task k, `shared` are output channels that all
    tasks write. Making it drives every output to its safe state. Raises ValueError for a row that
    does not fit the image and for a pin that the board refuses.
    """

    def __init__(self, rows, data, tasks, areas, pins):
        self._data = data
        rows = rows or {}
        areas = list(areas.values())
        inputs = []
        outputs = []
        if pins is not None:
            # Outputs first: they are safe before anything else can fail.
            for row in rows.get("outputs") or ():
                outputs.append(_made(DigitalOutput, AnalogueOutput, row, data, pins))
            for row in rows.get("inputs") or ():
                inputs.append(_made(DigitalInput, AnalogueInput, row, data, pins))
        self._outputs = outputs
        self.error = None  # of a pin that could not be made safe
        self.inputs, _ = _claim(inputs, tasks, "inputs", areas)
        self.outputs, self.shared = _claim(outputs, tasks, "outputs", areas)

    def all_outputs(self):
        return self._outputs

    def triggers(self, offset):
        """The input channels that set the byte at `offset`."""
        found = []
        for channels in self.inputs:
            for channel in channels:
                if channel.offset == offset and channel not in found:
                    found.append(channel)
        return tuple(found)

    def fault(self, index):
        """Makes the outputs of task `index` safe, pins and image, and the shared ones for good.

        Of those only the pins: their variables are the program's, and a machine without pins is
        to have the same image.
        """
        shared = self.shared
        self._drive_safe([c for c in self.outputs[index] if c not in shared], self._data)
        if shared:
            self._drive_safe(shared, None)
            self.outputs = [tuple(c for c in some if c not in shared) for some in self.outputs]
            self.shared = []

    def make_safe(self):
        """Drives all pins to their safe states; the image keeps what the program wrote."""
        self._drive_safe(self._outputs, None)

    def _drive_safe(self, channels, data):
        for channel in channels:
            try:
                channel.make_safe(data)
            except Exception as error:
                # The other outputs matter more than the reason.
                self.error = error


def _made(digital, analogue, row, data, pins):
    if not isinstance(row, dict) or not isinstance(row.get("address"), str):
        raise ValueError("a channel of the manifest has no address")
    try:
        return (digital if "pin" in row else analogue)(row, data, pins)
    except Exception as error:
        # Ports raise ValueError, TypeError or OSError for a pin that lacks what is asked for.
        if isinstance(error, ValueError) and str(error).startswith("channel "):
            raise
        raise ValueError("channel %s: %r" % (row["address"], error))
