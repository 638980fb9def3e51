"""The scheduler against a model of design.md 5 in absolute nanoseconds, on random task sets."""

from controller_support import MS, ToldClock, finish, now_ns, scheduler, task
from hypothesis import given, settings
from hypothesis import strategies as st

from controller import image as im

INTERVALS_NS = st.one_of(
    st.integers(1, 50).map(lambda ms: ms * MS),
    st.integers(1_000, 60_000).map(lambda us: us * 1000),
    st.integers(300_000, 20_000_000),
)


@st.composite
def task_sets(draw):
    n = draw(st.integers(1, 4))
    return [task(1, draw(st.integers(0, 3)), interval_ns=draw(INTERVALS_NS)) for _ in range(n)]


def expected_virtually(rows, instants):
    """(task, now) of every scan in the first `instants` release instants."""
    following = [0] * len(rows)
    order = sorted(range(len(rows)), key=lambda k: (rows[k]["priority"], k))
    log = []
    for _ in range(instants):
        now = min(following)
        for k in order:
            if following[k] == now:
                log.append((k, now))
                following[k] += rows[k]["interval_ns"]
    return log, min(following)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(task_sets(), st.integers(1, 60))
def test_virtual_runs_follow_the_model(rows, instants):
    log = []
    sched = scheduler(rows, [lambda k=k: log.append((k, now_ns(sched))) for k in range(len(rows))])
    assert sched.run_virtual(scans=instants) == instants
    expected, following_ns = expected_virtually(rows, instants)
    assert log == expected
    assert sched.time_ns() == following_ns
    for k in range(len(rows)):
        assert im.read_task(sched.image.data, k)["scans"] == sum(who == k for who, _ in expected)


class Model:
    """What a cooperative scheduler must do, without any of its tricks: one release after another,
    all times exact integers of ns (releases) or µs (the clock)."""

    def __init__(self, rows, exec_us, late_us, passes):
        self.rows = rows
        self.intervals = [row["interval_ns"] for row in rows]
        self.order = sorted(range(len(rows)), key=lambda k: (rows[k]["priority"], k))
        self.exec_us = exec_us
        self.us = 0
        n = len(rows)
        self.following = [0] * n  # release numbers not yet due
        self.pending = [None] * n  # release numbers
        self.log = []
        self.stats = [
            {"scans": 0, "skipped": 0, "overruns": 0, "latencies": [], "execs": []} for _ in rows
        ]
        late = iter(late_us)
        for _ in range(passes):
            if not any(number is not None for number in self.pending):
                due_us = min(self.due_us(k, self.following[k]) for k in range(n))
                self.us = max(self.us, due_us) + next(late)
            self.take()
            self.serve()

    def due_us(self, k, number):
        return number * self.intervals[k] // 1000

    def take(self):
        for k in range(len(self.rows)):
            while self.due_us(k, self.following[k]) <= self.us:
                if self.pending[k] is not None:
                    self.stats[k]["skipped"] += 1
                self.pending[k] = self.following[k]
                self.following[k] += 1

    def serve(self):
        served = set()
        while True:
            ready = [k for k in self.order if self.pending[k] is not None and k not in served]
            if not ready:
                return
            k = ready[0]
            served.add(k)
            number = self.pending[k]
            self.pending[k] = None
            start_us = self.us
            self.log.append((k, number * self.intervals[k], start_us))
            self.us += next(self.exec_us)
            stats = self.stats[k]
            stats["scans"] += 1
            stats["latencies"].append(start_us - self.due_us(k, number))
            stats["execs"].append(self.us - start_us)
            stats["overruns"] += self.us > self.due_us(k, number + 1)
            self.take()


def bucket(us):
    return min(us.bit_length(), 23)


@settings(derandomize=True, max_examples=120, deadline=None)
@given(
    task_sets(),
    st.lists(st.integers(0, 30_000), min_size=5, max_size=5),
    st.lists(st.sampled_from([0, 0, 1, 80, 900, 25_000]), min_size=7, max_size=7),
    st.integers(0, (1 << 30) - 1),
    st.integers(1, 40),
)
def test_real_runs_follow_the_model(rows, exec_us, late_us, origin, passes):
    def cycle(values):
        while True:
            yield from values

    model = Model(rows, cycle(exec_us), cycle(late_us), passes)
    # The clock starts so that it wraps somewhere within the run, in about half of the examples.
    wraps = ToldClock.PERIOD - 1 - model.us // 2
    clock = ToldClock(cycle(late_us), origin if origin & 1 else wraps % ToldClock.PERIOD)
    times = cycle(exec_us)
    log = []

    def logic(k):
        log.append((k, now_ns(sched), clock.us))
        clock.us += next(times)

    sched = scheduler(rows, [lambda k=k: logic(k) for k in range(len(rows))], clock=clock)
    finish(sched.run(scans=passes))
    assert log == model.log
    for k, stats in enumerate(model.stats):
        got = im.read_task(sched.image.data, k)
        assert got["scans"] == stats["scans"]
        assert got["skipped"] == stats["skipped"]
        assert got["overruns"] == stats["overruns"]
        latencies, execs = stats["latencies"], stats["execs"]
        if latencies:
            assert got["latency_last"] == latencies[-1]
            assert got["latency_min"] == min(latencies)
            assert got["latency_max"] == max(latencies)
            assert got["exec_last"] == execs[-1]
            assert got["exec_min"] == min(execs)
            assert got["exec_max"] == max(execs)
            assert got["exec_total"] == sum(execs)
        histogram = [0] * 24
        for latency in latencies:
            histogram[bucket(latency)] += 1
        assert got["histogram"] == histogram
