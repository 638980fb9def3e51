"""Modbus RTU: frames by silence on a simulated line and clock, whatever comes and whenever it is
looked at."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.modbus.map import RegisterMap
from bus.modbus.pdu import Core
from bus.modbus.rtu import Server, Station, crc16, serve, silences_us

UNIT = 17
TICKS = 0x3FFFFFFF


class Direct:
    """A mailbox that applies at once, or when told if `holding`."""

    def __init__(self, image):
        self.image = image
        self.holding = False
        self.held = []

    def reserve(self, n, size):
        return True

    def post(self, offset, data):
        self.held.append((offset, bytes(data)))
        if not self.holding:
            self.release()

    def release(self):
        for offset, data in self.held:
            self.image[offset : offset + len(data)] = data
        self.held.clear()

    def settled(self):
        return not self.held


def make_core(mailbox=None):
    image = bytearray(range(250)) if mailbox is None else mailbox.image
    rows = [["holding", 0, 125, 0, "u16", True], ["coil", 0, 2000, 0, 0, 8, True]][:1]
    return Core(RegisterMap(rows, image, mailbox or Direct(image)))


def frame(address, pdu):
    data = bytes([address]) + (bytes.fromhex(pdu) if isinstance(pdu, str) else pdu)
    crc = crc16(data, 0, len(data))
    return data + bytes([crc & 0xFF, crc >> 8])


READ = frame(UNIT, "03 0001 0002")
READ_ANSWER = frame(UNIT, "03 04 0302 0504")


class Line:
    """A line on virtual time: bytes with the times at which their stop bits end, and a station
    that is looked after at given times."""

    def __init__(self, baud=19200, start_us=0, core=None):
        self.now_us = start_us
        self.core = core or make_core()
        self.station = Station(self.core, UNIT, baud)
        self.station.start(start_us & TICKS)
        self.bytes = []  # (time_us, value) not looked at yet
        self.end_us = start_us  # of the latest character
        self.answers = []  # (time_us, frame)

    def send(self, data, gap_us=0.0, gaps=()):
        """Characters back to back, `gap_us` after the latest; `gaps[k]` more before the k-th."""
        t = max(self.end_us + gap_us, self.now_us)
        for k, value in enumerate(data):
            t += self.station.character_us + (gaps[k] if k < len(gaps) else 0)
            self.bytes.append((t, value))
        self.end_us = t

    def look(self, at_us):
        """The station is looked after at this time."""
        self.now_us = at_us
        come = [value for t, value in self.bytes if t <= at_us]
        while come:
            space = self.station.space()
            n = min(len(space), len(come))
            space[:n] = bytes(come[:n])
            del come[:n]
            del self.bytes[:n]
            self.take(self.station.received(n, int(at_us) & TICKS))
            if come:  # as a transport does, that finds no more room
                continue
            return
        self.take(self.station.received(0, int(at_us) & TICKS))

    def take(self, step):
        if step:
            self.answers.append((self.now_us, bytes(self.station.out())))
            self.station.sent(int(self.now_us) & TICKS)

    def run(self, until_us, every_us):
        while self.now_us + every_us <= until_us:
            self.look(self.now_us + every_us)

    @property
    def frames(self):
        return [data for _, data in self.answers]


def test_crc_is_the_one_of_the_standard():
    # SL appendix B: slave 2, function 7, CRC 0x1241, sent as 41 12.
    assert crc16(b"\x02\x07", 0, 2) == 0x1241
    assert frame(2, "07") == bytes.fromhex("02 07 41 12")
    assert crc16(frame(1, bytes(range(1, 250))), 0, 252) == 0


@pytest.mark.parametrize(
    ("baud", "times"),
    [
        (300, (36667, 55000, 128334)),
        (9600, (1146, 1719, 4011)),
        (19200, (573, 860, 2006)),
        (19201, (573, 750, 1750)),
        (115200, (96, 750, 1750)),
    ],
)
def test_silences_by_the_character_and_fixed_above_19200_baud(baud, times):
    assert silences_us(baud) == times
    assert silences_us(9600, bits=10) == (1042, 1563, 3646)


@pytest.mark.parametrize("baud", [1200, 19200, 115200])
def test_a_request_is_answered_after_t35_and_not_before(baud):
    line = Line(baud)
    t35_us = line.station.t35_us
    line.run(3 * t35_us, 50)
    line.send(READ)
    line.run(line.end_us + 3 * t35_us, 50)
    [(at_us, answer)] = line.answers
    assert answer == READ_ANSWER
    # A character may be on its way, and it is looked at every 50 µs.
    assert 0 <= at_us - line.end_us - t35_us - line.station.character_us <= 100


def test_ticks_wrap():
    for before_us in (0, 500, 3000, 4600, 5500, 6500, 8000):
        line = Line(start_us=(1 << 30) - before_us - 10000)
        line.run(line.now_us + 10000, 50)
        line.send(READ)
        line.run(line.end_us + 3000, 50)
        assert line.frames == [READ_ANSWER]


def test_what_comes_before_the_first_silence_is_not_understood():
    line = Line()
    line.send(READ)
    line.run(line.end_us + 3000, 50)
    assert line.answers == []
    line.send(READ)
    line.run(line.end_us + 3000, 50)
    assert line.frames == [READ_ANSWER]


def test_what_comes_while_nobody_has_looked_yet_is_understood():
    line = Line()
    line.send(READ, gap_us=3000)
    line.look(line.end_us)
    line.run(line.end_us + 3000, 50)
    assert line.frames == [READ_ANSWER]


def quiet_line(baud=19200):
    line = Line(baud)
    line.run(20000, 50)
    return line


@pytest.mark.parametrize(("gap", "is_answered"), [(0.0, True), (1.3, True), (1.8, False)])
def test_a_gap_of_more_than_t15_makes_a_frame_invalid(gap, is_answered):
    line = quiet_line()
    line.send(READ, gaps=[0, 0, 0, gap * line.station.character_us])
    line.run(line.end_us + 3000, 50)
    assert line.frames == ([READ_ANSWER] if is_answered else [])
    assert line.station.broken == (not is_answered)
    line.send(READ)
    line.run(line.end_us + 3000, 50)
    assert line.frames[-1:] == [READ_ANSWER]


def test_addresses():
    line = quiet_line()
    for address in range(256):
        line.send(frame(address, "06 0000 1234"), gap_us=100)
        line.run(line.end_us + 2700, 50)
    assert line.frames == [frame(UNIT, "06 0000 1234")]
    # The broadcast was executed, and not answered.
    assert (line.station.messages, line.station.broadcasts) == (2, 1)


def test_a_broadcast_is_executed_and_not_answered():
    image = bytearray(250)
    line = Line(core=make_core(Direct(image)))
    line.run(20000, 50)
    line.send(frame(0, "10 0000 0002 04 11223344"))
    line.run(line.end_us + 3000, 50)
    line.send(frame(0, "03 0000 0002"), gap_us=1)
    line.run(line.end_us + 3000, 50)
    assert line.answers == []
    assert image[:4] == bytes.fromhex("22114433")


@pytest.mark.parametrize(
    ("request_pdu", "answer_pdu"),
    [
        ("2b 0e 01 00", "ab 01"),
        ("03 0000 007e", "83 03"),
        ("03 007d 0001", "83 02"),
        ("03 0000", "83 03"),
        ("06 007d 0000", "86 02"),
        ("03 0000 007d", b"\x03\xfa" + bytes(k ^ 1 for k in range(250))),
    ],
)
def test_exceptions_and_the_longest_answer(request_pdu, answer_pdu):
    line = quiet_line()
    line.send(frame(UNIT, request_pdu))
    line.run(line.end_us + 3000, 50)
    assert line.frames == [frame(UNIT, answer_pdu)]


def test_frames_that_are_too_long_or_too_short_are_ignored():
    line = quiet_line()
    for data in (
        frame(UNIT, b"\x2b" + bytes(253)),  # 257 bytes
        crc16(b"", 0, 0).to_bytes(2, "little"),
        frame(UNIT, b""),
        bytes([UNIT]),
        bytes(600),
    ):
        line.send(data, gap_us=100)
        line.run(line.end_us + 2700, 50)
    assert line.answers == []
    assert line.station.overruns == 1
    line.send(frame(UNIT, b"\x2b" + bytes(252)))  # 256 bytes
    line.run(line.end_us + 2700, 50)
    assert line.frames == [frame(UNIT, "ab 01")]


def test_a_line_that_hears_itself():
    # The answer to a write is the request again: what comes back must not be executed.
    write = frame(UNIT, "06 0000 1234")
    for heard, behind in ((8, b""), (3, b""), (8, READ[:5]), (8, READ)):
        line = quiet_line()
        line.send(write)
        station = line.station
        while not line.answers:
            step = 0
            line.now_us += 50
            come = bytes(v for t, v in line.bytes if t <= line.now_us)
            del line.bytes[: len(come)]
            station.space()[: len(come)] = come
            step = station.received(len(come), int(line.now_us))
            if step:
                # Sent, and some of it heard before the end is reported.
                line.answers.append((line.now_us, bytes(station.out())))
                line.now_us += 4600
                station.space()[: heard + len(behind)] = write[:heard] + behind
                station.received(heard + len(behind), int(line.now_us))
                station.sent(int(line.now_us))
        line.end_us = line.now_us
        line.send(write[heard:] + READ[len(behind) :] if behind else write[heard:])
        line.run(line.end_us + 3000, 50)
        if not behind:
            line.send(READ)
            line.run(line.end_us + 3000, 50)
        assert line.frames == [write, READ_ANSWER], (heard, behind)
        assert station.messages == 2


def test_the_same_write_twice_is_answered_twice():
    line = quiet_line()
    write = frame(UNIT, "06 0000 1234")
    for _ in range(2):
        line.send(write, gap_us=100)
        line.run(line.end_us + 2700, 50)
    assert line.frames == [write, write]


TALK = frame(5, "03 04 0302 0504")


@pytest.mark.parametrize("wraps_after_us", [1 << 29, 100, 5000, 6500, 9000])
def test_a_request_behind_the_talk_of_others_is_found_after_a_stall(wraps_after_us):
    line = Line(start_us=(1 << 30) - wraps_after_us - 20000)
    line.run(line.now_us + 20000, 50)
    line.send(TALK)
    line.send(READ, gap_us=line.station.t35_us)
    line.look(line.end_us)  # not before
    line.run(line.end_us + 3000, 50)
    assert line.frames == [READ_ANSWER]


@pytest.mark.parametrize("early_us", [100, 700])
def test_a_request_is_found_where_its_gap_just_may_have_been(early_us):
    line = quiet_line()
    for look_us in (-1, line.station.t35_us - early_us):
        # The second byte came long before it is seen, and the request begins soon after.
        line.send(b"\x55")
        line.look(line.end_us - 1)
        line.look(line.end_us + max(0, look_us))
    line.send(READ, gap_us=line.station.t35_us)
    line.look(line.end_us)
    line.run(line.end_us + 3000, 50)
    assert line.frames == [READ_ANSWER]


def test_what_surely_is_a_gap_in_a_frame_forbids_what_was_found_before_it():
    line = quiet_line()
    line.send(TALK)
    line.send(READ[:4], gap_us=line.station.t35_us)
    line.look(line.end_us)
    line.run(line.end_us + line.station.t15_us + 700, 50)
    line.send(READ[4:])
    line.run(line.end_us + 3000, 50)
    assert line.answers == []


# --- anything, and looks at any time ---------------------------------------------------------

requests = st.sampled_from(
    [READ, frame(UNIT, "06 0000 1234"), frame(UNIT, "10 0000 0002 04 11223344")]
)
others = st.one_of(
    st.sampled_from([frame(5, "03 0001 0002"), frame(5, "03 04 0302 0504"), frame(0, "03 00")]),
    st.binary(min_size=1, max_size=40),
    st.binary(min_size=1, max_size=40).map(lambda data: frame(9, b"\x03" + data)),
)


def by_the_standard(bursts, station):
    """What a receiver that sees every byte when it comes answers to. A burst is (gap, data)."""
    frames = []
    for gap_us, data in bursts:
        if gap_us >= station.t35_us or not frames:
            frames.append((True, data))
        else:
            good, before = frames[-1]
            frames[-1] = (good and gap_us <= station.t15_us, before + data)
    core = make_core()
    answers = []
    for good, data in frames:
        if good and 4 <= len(data) <= 256 and not crc16(data, 0, len(data)) and data[0] == UNIT:
            out = bytearray(253)
            n = core.answer(data, 1, len(data) - 2, out, 0)
            answers.append(frame(UNIT, bytes(out[:n])))
    return answers


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.sampled_from([1200, 9600, 19200, 57600, 115200]),
    st.lists(
        st.tuples(
            st.sampled_from(["none", "short", "wrong", "end", "long"]),
            st.one_of(
                requests,
                others,
                st.tuples(requests, st.integers(1, 12)).map(lambda r: r[0][: r[1]]),
                st.tuples(requests, st.integers(1, 7)).map(lambda r: r[0][r[1] :]),
            ),
        ),
        max_size=8,
    ),
)
def test_whatever_comes_is_understood_as_by_a_receiver_that_misses_nothing(baud, parts):
    line = Line(baud)
    station = line.station
    every_us = min(station.character_us, 200) / 2
    line.run(4 * station.t35_us, every_us)
    gaps_us = {
        "none": 0,
        "short": station.t15_us - 2 * every_us,
        "wrong": (station.t15_us + station.t35_us) / 2,
        "end": station.t35_us + 2 * every_us,
        "long": 5 * station.t35_us,
    }
    bursts = [(gaps_us[name], data) for name, data in parts]
    expected = by_the_standard(bursts, station)
    for gap_us, data in bursts:
        line.send(data, gap_us)
    line.run(line.end_us + 2 * station.t35_us, every_us)
    # Answers are not put on this line: their senders do not wait for them.
    assert line.frames == expected


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sampled_from([1200, 19200, 115200]),
    st.lists(st.tuples(st.floats(0, 40), others), max_size=4),
    st.floats(3.6, 60),
    requests,
    st.lists(st.floats(0.01, 80), max_size=30),
    st.floats(0.05, 3.0),
)
def test_a_request_is_answered_once_whenever_it_is_looked_at(
    baud, before, gap, request, pauses, every
):
    line = Line(baud)
    station = line.station
    unit_us = station.t35_us / 3.5
    line.run(4 * station.t35_us, 50)
    line.send(b"\x55")  # so that the first gap is one
    for others_gap, data in before:
        line.send(data, others_gap * unit_us)
    line.send(request, gap * unit_us)
    for pause in pauses:
        line.look(line.now_us + pause * unit_us)
    end_us = max(line.end_us, line.now_us)
    line.run(end_us + 12 * station.t35_us, every * unit_us)
    expected = by_the_standard([(9999999, request)], station)
    assert line.frames[-1:] == expected
    assert line.frames.count(expected[0]) == 1
    assert line.answers[-1][0] >= line.end_us + station.t35_us - 1


# --- the asyncio server ----------------------------------------------------------------------


class Uart:
    """A UART whose far end is a queue; what is written leaves at once, or after `sending` asks."""

    def __init__(self):
        self.come = bytearray()
        self.sent = []
        self.sending = 0
        self.fail = None
        self.log = []

    def any(self):
        if self.fail:
            fault, self.fail = self.fail, None
            raise fault
        return len(self.come)

    def readinto(self, view, n):
        n = min(n, len(view), len(self.come))
        view[:n] = self.come[:n]
        del self.come[:n]
        return n

    def write(self, view):
        part = bytes(view[:100])  # less than all, as full buffers do
        self.sent.append(part)
        self.log.append("write")
        self.asked = 0
        return len(part)

    def txdone(self):
        self.asked += 1
        done = self.asked > self.sending
        if done:
            self.log.append("done")
        return done

    def de(self, level):
        self.log.append("on" if level else "off")


async def told(uart, data, size):
    """Puts a request on the line and waits for so many bytes of answer."""
    uart.come += data
    for _ in range(2000):
        if sum(map(len, uart.sent)) >= size:
            break
        await asyncio.sleep(0.001)
    answer = b"".join(uart.sent)
    uart.sent.clear()
    return answer


class Timer:
    """Fires when it is told to."""

    ONE_SHOT = 0

    def __init__(self, hard=True):
        self.hard = hard
        self.armed = None

    def init(self, *, mode, period, tick_hz, callback, hard):
        if not self.hard:
            raise ValueError("hard Timers are not implemented")
        assert (mode, tick_hz) == (0, 1000000)
        self.armed = (period, callback)

    def deinit(self):
        self.armed = None


def run(play, core=None, uart=None, **options):
    async def main():
        nonlocal uart
        uart = uart or Uart()
        server = await serve(core or make_core(), uart, UNIT, 115200, de=uart.de, **options)
        try:
            await asyncio.sleep(0.02)
            await play(uart, server)
        finally:
            await server.close()
        assert uart.log[-1] == "off"

    asyncio.run(main())


def test_the_driver_is_on_from_the_first_bit_to_the_last():
    async def play(uart: Uart, server: Server) -> None:
        uart.log.clear()
        uart.sending = 5
        assert await told(uart, READ, len(READ_ANSWER)) == READ_ANSWER
        await asyncio.sleep(0.02)
        assert uart.log == ["on", "write", "done", "off"]
        longest = await told(uart, frame(UNIT, "03 0000 007d"), 255)
        assert longest == frame(UNIT, b"\x03\xfa" + bytes(k ^ 1 for k in range(250)))
        assert server.stats()["answers"] >= 1

    run(play)


def test_an_answer_that_has_begun_is_finished_when_the_server_closes():
    async def play(uart: Uart, server: Server) -> None:
        uart.log.clear()
        uart.sending = 1 << 30
        assert await told(uart, READ, len(READ_ANSWER)) == READ_ANSWER
        assert uart.log == ["on", "write"]
        uart.sending = 0
        await server.close()
        assert uart.log[:4] == ["on", "write", "done", "off"]

    run(play, timer=Timer())


def test_a_timer_switches_the_driver_off_where_the_port_has_it():
    timer = Timer()

    class Slow(Uart):
        def txdone(self):
            done = self.sending == 0
            if done and "done" not in self.log:
                self.log.append("done")
            return done

    async def play(uart: Uart, server: Server) -> None:
        uart.log.clear()
        uart.sending = 1
        assert await told(uart, READ, len(READ_ANSWER)) == READ_ANSWER
        period_us, callback = timer.armed
        # Nine characters of 95.5 µs, and a half.
        assert 860 < period_us < 960
        callback(timer)
        assert uart.log == ["on", "write"], "too early: the server sees to it"
        uart.sending = 0
        callback(timer)
        assert uart.log == ["on", "write", "done", "off"]
        await asyncio.sleep(0.01)
        assert server.stats()["answers"] == 1

    run(play, uart=Slow(), timer=timer)
    assert timer.armed is None


def test_a_port_without_such_timers_is_watched():
    async def play(uart: Uart, server: Server) -> None:
        for _ in range(2):
            assert await told(uart, READ, len(READ_ANSWER)) == READ_ANSWER
        assert uart.log[-4:] == ["on", "write", "done", "off"]

    run(play, timer=Timer(hard=False))


def test_a_write_is_confirmed_when_it_has_taken_effect():
    mailbox = Direct(bytearray(250))
    mailbox.holding = True

    async def play(uart: Uart, server: Server) -> None:
        write = frame(UNIT, "06 0000 1234")
        uart.come += write
        await asyncio.sleep(0.05)
        assert (uart.sent, len(mailbox.held)) == ([], 1)
        mailbox.release()
        assert await told(uart, b"", 8) == write
        # It is confirmed all the same after settle_s.
        assert await told(uart, write, 8) == write
        assert len(mailbox.held) == 1

    run(play, make_core(mailbox), settle_s=0.2)


def test_an_answer_that_is_late_is_not_sent_into_the_next_request():
    mailbox = Direct(bytearray(250))
    mailbox.holding = True

    async def play(uart: Uart, server: Server) -> None:
        uart.come += frame(UNIT, "06 0000 1234")
        await asyncio.sleep(0.05)
        assert await told(uart, READ, 9) == frame(UNIT, "03 04 0000 0000")
        assert server.stats()["late"] == 1

    run(play, make_core(mailbox), settle_s=0.1)


def test_a_fault_of_the_uart_is_counted_and_the_server_goes_on():
    async def play(uart: Uart, server: Server) -> None:
        uart.fail = OSError(5, "no")
        await asyncio.sleep(0.1)
        assert await told(uart, READ, len(READ_ANSWER)) == READ_ANSWER
        assert server.stats()["faults"] == 1
        assert "no" in server.last_fault

    run(play)


@pytest.mark.parametrize(("unit", "baud"), [(0, 9600), (248, 9600), (1, 110), (1, 5000000)])
def test_addresses_and_rates_that_are_none(unit, baud):
    with pytest.raises(ValueError, match="Modbus RTU"):
        Station(make_core(), unit, baud)
