"""Decides when to collect garbage: in slack that was measured to be long enough.

A scan makes garbage (big integers and floats of the python engine), and a collection stops
everything for milliseconds. So one is made when enough memory has been used to be worth it and the
next release is far enough away. When memory gets short and such slack never comes, it is made all
the same and counted as `forced`. MicroPython's own collection stays switched on without a
threshold, so it happens only instead of a MemoryError; with gc.disable() that error would stop a
task for want of memory that was only not swept.
"""

import gc

_MARGIN_US = 500
_CHECKS_MAX = 1024  # passes between two looks at the free memory
_PATIENCE = 64  # passes to wait for slack that is long enough to look


class Collector:
    """Collects in slack. `collections`, `forced` count; `longest_us` is the longest one."""

    def __init__(self, clock):
        self._clock = clock
        self._works = hasattr(gc, "mem_free")  # CPython counts references: nothing to do there
        self._passes = 1  # until memory is looked at again
        self._period = 1  # from the last collection to then
        self._free = 0  # after the last collection
        self.collections = 0
        self.forced = 0
        self.last_us = 0
        self.longest_us = 0

    def start(self):
        """Collects a first time, which measures how long it takes."""
        if self._works:
            gc.threshold(-1)
            self._collect()

    def after_pass(self, slack_us):
        """Called after each pass of the scheduler with the time until the next release."""
        if not self._works:
            return
        self._passes -= 1
        if self._passes > 0:
            return
        # Looking costs a walk over the heap, a part of a collection: it needs slack as well.
        enough = slack_us >= self.last_us + (self.last_us >> 1) + _MARGIN_US
        if not enough and self._passes > -_PATIENCE:
            return
        free = gc.mem_free()
        if free > self._free >> 1:
            # Again when most of the rest down to one half is used at this rate.
            used = max(1, self._free - free)
            passes = self._period * (free - (self._free >> 1)) // used
            self._passes = max(1, min(_CHECKS_MAX, passes - (passes >> 3)))
            self._period += self._passes
        elif enough:
            self._collect()
        elif free < self._free >> 2:
            self.forced += 1
            self._collect()
        else:
            self._period -= self._passes - _PATIENCE
            self._passes = _PATIENCE

    def _collect(self):
        clock = self._clock
        start = clock.ticks_us()
        gc.collect()
        self.last_us = clock.ticks_diff(clock.ticks_us(), start)
        if self.last_us > self.longest_us:
            self.longest_us = self.last_us
        self.collections += 1
        self._free = gc.mem_free()
        self._period = self._passes = 1
