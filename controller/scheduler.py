"""The portable scheduler: releases tasks at start + k * interval and runs them one by one.

Time is counted in base ticks, the greatest common divisor of the intervals, so that all numbers a
release works with are small and allocate nothing on a 32-bit board (intervals above 1.07 s cost a
few big integers a release, which is seldom). Two ways to run it, on the same scans:

    run_virtual    the clock jumps from release to release; scans take no time
    run            real time, asyncio works between the passes

A pass serves every task that was released, by priority number and then in the order of the
manifest, each at most once. Nothing else runs between two scans of a pass but what a scan takes in
itself: the mailbox first, then the inputs the task reads, then forced values, the logic, forced
values again, and the outputs the task writes.

- Late: the latest release that is due is served; the ones before it are counted as skipped. The
  logical clock follows: `now` is always the release that is served, of this task. A task that is
  served late may so see an earlier `now` than another one before it; its own never goes back.
- Freewheeling tasks run in every pass after the others; in virtual time every 10 ms.
- A task with SINGLE runs once for each rising edge, looked for at the beginning of a pass and
  after every scan (in real time at least every ms or so); TRUE from the start counts as one. If it
  has an interval as well, it is periodic while SINGLE is 0 (IEC 61131-3:2013, table 63). An edge
  after the task has run in this pass is served in the next.
- A watchdog or an overrun is found when the scan has ended: a cooperative scheduler cannot stop a
  task half-way. The back-edge budget of the task's loops is what ends one that does not come back.
- A fault: outputs of the task go to their safe state, it is no longer released, the others go on.
"""

import struct

from controller import image as im
from controller.faults import INTERNAL, OVERRUN, WATCHDOG
from controller.image import WHOLE, const
from controller.io import safe_rows

# Words of the header as constants of this file, which MicroPython compiles in.
_SEQUENCE = const(4)
_STATE = const(5)
_RELEASES = const(8)

_IDLE_NS = 10000000  # virtual time between two passes of freewheeling tasks
_POLL_MS = const(1)  # real time between two looks at SINGLE
_STEP_NS = 60000000000  # longest step of the clock: well within half a period of its ticks
_WRAP = const(0x3FFFFFFF)  # it wraps where 32-bit MicroPython would begin to allocate


class Force:
    """Forced bytes of the image: rows of [offset, mask, value], re-imposed around every scan."""

    def __init__(self, data):
        self._data = data
        self.rows = []

    def impose(self):
        data = self._data
        for row in self.rows:
            offset = row[0]
            data[offset] = data[offset] & ~row[1] | row[2]


class _Task:
    """A task: its row of the manifest and where it is in time."""

    def __init__(self, index, row, logic, image):
        self.index = index
        self.name = row["name"]
        self.logic = logic
        self.record = im.TaskRecord(image, index)
        self.priority = row["priority"]
        self.interval_ns = row["interval_ns"]
        single = row.get("single")
        self.single = single is not None
        self.single_byte: int
        self.single_byte, bit = (0, 0) if single is None else single
        self.single_mask = 1 << bit
        self.level = False  # of SINGLE when it was looked at last
        self.freewheeling = not self.interval_ns and not self.single
        self.fault_overrun = row.get("on_overrun") == "fault"
        self.watchdog_us = (row.get("watchdog_ms") or 0) * 1000
        self.output_ranges = row.get("outputs") or ()
        self.inputs = ()
        self.outputs = ()
        self.safe = ()  # [byte, mask, value] rows besides the outputs' own
        self.period = 0  # base ticks
        self.interval_us = self.interval_ns // 1000
        self.interval_rest = self.interval_ns % 1000
        self.count = 0  # base ticks until the next release
        self.pending = False
        self.turn = -1  # the pass it ran in
        self.released_us = 0  # tick of the latest release, and ns beyond it
        self.released_rest = 0


def _virtual_ticks_add(tick_us, delta_us):
    return (tick_us + delta_us) & 0x0FFFFFFF  # the modulus of the filters of inputs


def _gcd(a, b):
    while b:
        a, b = b, a % b
    return a


class Scheduler:
    """Releases the tasks of a program.

    `image` is an Image, `tasks` the manifest's rows, `program` the engine's module (attach,
    TASKS), `exchange` a controller.io.Exchange or None, `mailbox` a Mailbox or None, `clock` a
    Clock (only run() needs it), `safe` the manifest's "safe" rows, `collector` a Collector or
    None.

    `stimulus(n)` and `observe(n)`, if set, are called before and after the n-th release instant,
    from 0. `error` is the exception behind the first INTERNAL fault. `stopping` ends run().
    """

    def __init__(
        self,
        image,
        tasks,
        program,
        exchange=None,
        mailbox=None,
        clock=None,
        safe=(),
        collector=None,
    ):
        program.attach(image.data)
        self.image = image
        self.mailbox = mailbox
        self.exchange = exchange
        self.clock = clock
        self.collector = collector
        self.force = Force(image.data)
        self.stimulus = None
        self.observe = None
        self.error = None
        self.stopping = False
        self.tasks = []
        for k in range(len(tasks)):
            task = _Task(k, tasks[k], program.TASKS[k], image)
            if exchange is not None:
                task.inputs = exchange.inputs[k]
                task.outputs = exchange.outputs[k]
            task.safe = safe_rows(safe, task.output_ranges)
            self.tasks.append(task)
        # Freewheeling ones last, whatever their priority says.
        self._order = sorted(self.tasks, key=lambda t: (t.freewheeling, t.priority, t.index))
        self._timed = []  # the tasks with a period
        self._events = [task for task in self._order if task.single]
        # With nothing but events, a look at them counts as a release instant, so that a number of
        # scans comes to its end.
        self._only_events = len(self._events) == len(self._order)
        self._triggers = ()
        if exchange is not None:
            for task in self._events:
                self._triggers += exchange.triggers(task.single_byte)
        self._real = False
        self._started = False
        self._turn = 0
        self._next = 0  # base ticks from the position to the next release
        self._position = bytearray(8)  # logical time up to which releases are decided, ns
        self._halves = im.halves(self._position)
        self._position_us = 0  # the same as a tick of the clock, and ns beyond it
        self._rest = 0
        self._left = None  # base ticks from the position to the end of the run
        self._behind = False  # the last pass left a task pending
        self._early = False  # the pass begins before its instant

    # Time.

    def start(self, real=False):
        """Fixes logical time 0, the first release instant of all tasks: now. Called once."""
        base = 0
        for task in self._order:
            period_ns = task.interval_ns
            if not period_ns and not real:
                period_ns = _IDLE_NS  # for SINGLE: how often it is looked at if nothing else runs
            if period_ns:
                self._timed.append(task)
                base = _gcd(period_ns, base)
                task.period = period_ns
        base = base or _IDLE_NS
        if base > _STEP_NS:
            base = _gcd(base, _STEP_NS)
        for task in self._timed:
            task.period //= base
        self.base_ns = base
        self._base_us = base // 1000
        self._base_rest = base % 1000
        self._step = _STEP_NS // base
        self._real = real
        self._ticks_add = _virtual_ticks_add
        if real:
            self._ticks_add = self.clock.ticks_add
            self._position_us = self.clock.ticks_us()
        self._started = True
        self.image.words[_STATE] = im.RUNNING

    def time_ns(self):
        """Logical time of the next release instant; of the last pass if no task has a period."""
        ahead = self._next * self.base_ns if self._timed else 0
        return struct.unpack("<q", self._position)[0] + ahead

    def _tick(self, base_ticks):
        """The clock's tick that many base ticks after the position."""
        rest = self._rest + base_ticks * self._base_rest
        return self._ticks_add(self._position_us, base_ticks * self._base_us + rest // 1000)

    def _advance(self, n):
        """Moves the position on by n base ticks and releases what falls due up to there."""
        position_us = self._position_us
        rest = self._rest
        if n:
            delta_us = n * self._base_us
            rest += n * self._base_rest
            if rest >= 1000:
                delta_us += rest // 1000
                rest %= 1000
            self._position_us = position_us = self._ticks_add(position_us, delta_us)
            self._rest = rest
            im.add64(self._halves, 0, n * self.base_ns)
            if self._left is not None:
                self._left -= n
        nearest = self._step
        for task in self._timed:
            count = task.count - n
            if count <= 0:
                back = -count  # how long ago its latest release was
                missed = back // task.period
                if missed:
                    back -= missed * task.period
                count = task.period - back
                if not task.single or (task.interval_ns and not task.level):
                    if task.pending:
                        missed += 1
                    if missed:
                        task.record.skipped(missed)
                    task.pending = True
                    task.record.release[WHOLE] = self._position
                    task.released_us = position_us
                    task.released_rest = rest
                    if back:
                        task.record.advance(-back * self.base_ns)
                        rest_back = rest - back * self._base_rest
                        task.released_us = self._ticks_add(
                            position_us, rest_back // 1000 - back * self._base_us
                        )
                        task.released_rest = rest_back % 1000
            task.count = count
            if count < nearest:
                nearest = count
        self._next = nearest

    def _catch_up(self):
        """Moves the position to the clock."""
        clock = self.clock
        elapsed_us = clock.ticks_diff(clock.ticks_us(), self._position_us)
        n = (elapsed_us * 1000 + 999 - self._rest) // self.base_ns
        if n > 0 or not self._next:
            self._advance(max(0, n))

    def _release(self, task):
        """Releases a task now, out of any period."""
        if task.pending:
            if task.interval_ns:
                return  # one scan serves the edge and the period
            task.record.skipped(1)
        task.pending = True
        task.record.release[WHOLE] = self._position
        task.released_us = self._position_us
        task.released_rest = 0
        if self._real:
            task.released_us = self.clock.ticks_us()
            after_us = self.clock.ticks_diff(task.released_us, self._position_us)
            task.record.advance(max(0, after_us * 1000 - self._rest))

    # Scans.

    def run_virtual(self, scans=None, until_ns=None):
        """Runs in virtual time for `scans` release instants, or all that lie before `until_ns`.

        Returns how many there were; may be called again to go on. Ends as well when every task
        has faulted.
        """
        if not self._started:
            self.start()
        self._end_at(until_ns)
        done = 0
        while self._order and done != scans:
            n = self._next
            if self._left is not None and n >= self._left:
                break
            self._advance(n)
            if self._pass() or self._only_events:
                done += 1
        return done

    async def run(self, scans=None, until_ns=None):
        """Runs in real time, for `scans` passes or until `until_ns` of logical time, or for ever.

        Returns how many passes there were, after all outputs were driven to their safe state; also
        when it is cancelled, when `stopping` was set, and when every task has faulted.
        """
        clock = self.clock
        collector = self.collector
        done = 0
        try:
            if collector is not None:
                collector.start()
            if not self._started:
                self.start(True)
            self._end_at(until_ns)
            while self._order and done != scans and not self.stopping:
                left = self._left
                due_us = self._tick(self._next if left is None else min(self._next, left))
                if self._behind or self._order[-1].freewheeling:
                    await clock.idle(0)
                    self._catch_up()
                elif self._events and clock.ticks_diff(due_us, clock.ticks_us()) > 2000 * _POLL_MS:
                    await clock.idle(_POLL_MS)
                    self._catch_up()
                else:
                    await clock.near(due_us)
                    if left is not None and self._next >= left:
                        clock.until(due_us)
                        break
                    # All there is to decide is decided before the instant: less latency.
                    self._advance(self._next)
                    self._early = True
                if left is not None and self._left <= 0:  # type: ignore[operator]
                    break
                if self._pass() or self._only_events:
                    done += 1
                if collector is not None:
                    due_us = self._tick(self._next)
                    collector.after_pass(clock.ticks_diff(due_us, clock.ticks_us()))
        finally:
            self.stop()
        return done

    def _end_at(self, until_ns):
        self._left = None
        if until_ns is not None:
            position_ns = struct.unpack("<q", self._position)[0]
            self._left = -((position_ns - until_ns) // self.base_ns)

    def why_stopped(self):
        """In words, "" while it runs: as Kernel.why_stopped."""
        state = self.image.words[_STATE]
        if state == im.RUNNING or self._order and state == im.FAULTED:
            return ""
        return "Python" if self._order else "all tasks faulted"

    def stop(self):
        """Drives all outputs to their safe state; the image keeps the last values."""
        words = self.image.words
        if words[_STATE] == im.RUNNING:
            words[_STATE] = im.STOPPED
        if words[_SEQUENCE] & 1:  # Ctrl-C in the middle of a scan
            words[_SEQUENCE] = (words[_SEQUENCE] + 1) & _WRAP
        if self.exchange is not None:
            self.exchange.make_safe()

    def _pass(self):
        """Runs what was released; True if there was something."""
        self._turn = turn = (self._turn + 1) & 0xFFFF
        words = self.image.words
        if self.stimulus is not None:
            self.stimulus(words[_RELEASES])
        if self._events:
            if not self._real:
                for task in self._events:
                    if task.pending:  # left over from the instant before
                        task.record.release[WHOLE] = self._position
            if self.mailbox is not None and self.mailbox.count:
                self.mailbox.apply()
            self._look()
        ran = False
        behind = False
        k = 0
        order = self._order
        while k < len(order):
            task = order[k]
            if task.turn == turn or not (task.pending or (self._real and task.freewheeling)):
                behind = behind or task.pending
                k += 1
                continue
            if not ran:
                ran = True
                words[_RELEASES] += 1
            if self._early:
                self._early = False
                clock = self.clock
                clock.until(self._position_us)
                if clock.ticks_diff(clock.ticks_us(), self._position_us) >= self._base_us:
                    # Woken so late that more is due.
                    self._catch_up()
                    k = 0
                    continue
            if not task.pending:
                self._release(task)
            task.turn = turn
            task.pending = False
            self._scan(task)
            # From the beginning: more may be due by now, and a fault takes the task out.
            if self._real:
                self._catch_up()
            if self._events:
                self._look()
            order = self._order
            behind = False
            k = 0
        self._behind = behind
        if self._early:  # there was nothing but a step on the way to a far release
            self._early = False
            self.clock.until(self._position_us)
        if ran and self.observe is not None:
            self.observe(words[_RELEASES] - 1)
        return ran

    def _look(self):
        """Releases the tasks whose SINGLE has risen."""
        data = self.image.data
        if self._triggers:
            now_us = self.clock.ticks_us() if self._real else self._position_us
            for channel in self._triggers:
                channel.latch(data, now_us)
        for task in self._events:
            level = data[task.single_byte] & task.single_mask != 0
            if level and not task.level:
                self._release(task)
            task.level = level

    def _scan(self, task):
        image = self.image
        data = image.data
        words = image.words
        force = self.force
        record = task.record
        if self._real:
            clock = self.clock
            start_us = clock.ticks_us()
        words[_SEQUENCE] = (words[_SEQUENCE] + 1) & _WRAP
        image.now[WHOLE] = record.release
        if self.mailbox is not None and self.mailbox.count:
            self.mailbox.apply()
        try:
            for channel in task.inputs:
                channel.latch(data, task.released_us)
            if force.rows:
                force.impose()
            task.logic()
            if force.rows:
                force.impose()
            for channel in task.outputs:
                channel.write(data)
        except Exception as error:
            self._fault(task, error)
        if self._real:
            end_us = clock.ticks_us()
            exec_us = clock.ticks_diff(end_us, start_us)
            record.scanned(exec_us, max(0, clock.ticks_diff(start_us, task.released_us)))
            self._judge(task, exec_us, clock.ticks_diff(end_us, task.released_us))
        else:
            record.scanned_virtually()
        words[_SEQUENCE] = (words[_SEQUENCE] + 1) & _WRAP

    # Faults.

    def _judge(self, task, exec_us, since_release_us):
        """Counts an overrun, and faults the task where it must have been in time."""
        code = 0
        rest = task.released_rest + task.interval_rest
        if task.interval_ns and since_release_us > task.interval_us + rest // 1000:
            task.record.overran()
            if task.fault_overrun:
                code = OVERRUN
        if task.watchdog_us and exec_us > task.watchdog_us:
            code = WATCHDOG
        if code and task in self._order:
            self._end(task, code, 0, task.record.scans() - 1)

    def _fault(self, task, error):
        """Ends a task for an exception: one of the engine with `code` and `pos`, or any other."""
        code = getattr(error, "code", None)
        position = getattr(error, "pos", 0)
        if not isinstance(code, int) or not 0 < code <= INTERNAL:
            code, position = INTERNAL, 0
        if code == INTERNAL and self.error is None:
            self.error = error
        self._end(task, code, position, task.record.scans())

    def _end(self, task, code, position, scan):
        image = self.image
        data = image.data
        im.record_fault(image, code, position, task.index, scan)
        task.record.faulted(code)
        self._order = [other for other in self._order if other is not task]
        self._timed = [other for other in self._timed if other is not task]
        self._events = [other for other in self._events if other is not task]
        self._only_events = len(self._events) == len(self._order)
        for row in task.output_ranges:
            mask = row[2] if len(row) > 2 else 0xFF
            for k in range(row[0], row[0] + row[1]):
                data[k] &= ~mask
        for offset, mask, value in task.safe:
            data[offset] = data[offset] & ~mask | value
        if self.exchange is not None:
            self.exchange.fault(task.index)
            for other in self._order:
                other.outputs = self.exchange.outputs[other.index]
