"""What is to happen at steps and instants of a device's time, as plants and faults do."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.record import field, record

FAR_NS = 1 << 62


@record()
class _Step:
    period_ns: int  # 0: once
    call: Callable[[int], None]
    due_ns: int


@record()
class Beat:
    """Steps in the order in which they were added, where several are due at one time."""

    steps: list[_Step] = field(default_factory=list)
    next_ns: int = FAR_NS

    def add(self, period_ns: int, call: Callable[[int], None], now_ns: int) -> None:
        """From the first multiple of the period at or after `now_ns` on."""
        if period_ns <= 0:
            raise ValueError("a step takes some time")
        due_ns = -(-now_ns // period_ns) * period_ns
        self.steps.append(_Step(period_ns, call, due_ns))
        self.next_ns = min(self.next_ns, due_ns)

    def once(self, due_ns: int, call: Callable[[int], None]) -> None:
        """At `due_ns`, or as soon as time goes on."""
        self.steps.append(_Step(0, call, due_ns))
        self.next_ns = min(self.next_ns, due_ns)

    def serve(self, now_ns: int) -> None:
        """Do what is due."""
        for step in tuple(self.steps):
            if step.due_ns <= now_ns:
                if step.period_ns:
                    step.due_ns += step.period_ns
                else:
                    self.steps.remove(step)
                step.call(now_ns)
        self.next_ns = min((s.due_ns for s in self.steps), default=FAR_NS)
