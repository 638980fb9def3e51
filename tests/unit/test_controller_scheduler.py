"""The scheduler in virtual and in real time: releases, statistics, SINGLE, faults, mailbox."""

import asyncio
import struct

import pytest
from controller_support import MS, QX, STATE, ToldClock, finish, image, now_ns, scheduler, task

from controller import faults
from controller import image as im
from controller.rt import Fault


def record(sched, index=0):
    return im.read_task(sched.image.data, index)


def header(sched):
    return im.read_header(sched.image.data)


# Virtual time.


def test_virtual_releases_are_multiples_of_the_interval():
    seen = []
    sched = scheduler([task(10)], [lambda: seen.append(now_ns(sched))])
    assert sched.run_virtual(scans=5) == 5
    assert seen == [0, 10 * MS, 20 * MS, 30 * MS, 40 * MS]
    assert sched.time_ns() == 50 * MS
    assert record(sched)["scans"] == 5
    assert record(sched)["histogram"][0] == 5
    assert header(sched)["releases"] == 5
    assert header(sched)["sequence"] == 10
    assert header(sched)["state"] == im.RUNNING


def test_virtual_until_runs_the_instants_before_it_and_can_go_on():
    seen = []
    sched = scheduler([task(10)], [lambda: seen.append(now_ns(sched))])
    assert sched.run_virtual(until_ns=1000 * MS) == 100
    assert sched.time_ns() == 1000 * MS
    assert sched.run_virtual(until_ns=1000 * MS) == 0
    assert sched.run_virtual(until_ns=1001 * MS) == 1
    assert sched.run_virtual(scans=2) == 2
    assert seen[-1] == 1020 * MS


def test_one_instant_runs_by_priority_then_declaration():
    order = []
    rows = [task(10, 5), task(20, 1), task(10, 5), task(10, 0)]
    sched = scheduler(rows, [lambda k=k: order.append(k) for k in range(4)])
    assert sched.run_virtual(scans=2) == 2
    assert order == [3, 1, 0, 2, 3, 0, 2]


def test_intervals_below_a_microsecond_and_above_the_clock_period_do_not_drift():
    seen = {0: [], 1: []}
    rows = [task(0.0015), task(3_600_000)]
    logic = [lambda k=k: seen[k].append(now_ns(sched)) for k in range(2)]
    sched = scheduler(rows, logic)
    sched.run_virtual(scans=4)
    assert seen == {0: [0, 1500, 3000, 4500], 1: [0]}
    slow = []
    sched = scheduler([task(3_600_000)], [lambda: slow.append(now_ns(sched))])
    assert sched.run_virtual(scans=3) == 3
    assert slow == [0, 3600 * 1000 * MS, 7200 * 1000 * MS]


def test_freewheeling_comes_last_and_every_10_ms():
    order = []
    rows = [task(0, 0), task(4, 9)]
    sched = scheduler(rows, [lambda k=k: order.append((k, now_ns(sched) // MS)) for k in (0, 1)])
    sched.run_virtual(until_ns=13 * MS)
    assert order == [(1, 0), (0, 0), (1, 4), (1, 8), (0, 10), (1, 12)]


# SINGLE.


def test_single_runs_once_for_each_rising_edge():
    flag = STATE + 64
    runs = []

    def writer():
        sched.image.data[flag] = header(sched)["releases"] in (3, 4, 7)

    rows = [task(10, 1), task(0, 2, single=[flag, 0])]
    sched = scheduler(rows, [writer, lambda: runs.append(now_ns(sched) // MS)])
    sched.run_virtual(scans=10)
    assert runs == [20, 60]
    assert record(sched, 1)["scans"] == 2


def test_single_of_higher_priority_is_served_in_the_instant_it_rises():
    flag = STATE + 64
    order = []

    def first():
        order.append("first")
        sched.image.data[flag] = 0x10

    rows = [task(10, 1), task(10, 9), task(0, 0, single=[flag, 4])]
    sched = scheduler(rows, [first, lambda: order.append("last"), lambda: order.append("event")])
    sched.run_virtual(scans=2)
    assert order == ["first", "event", "last", "first", "last"]


def test_single_with_interval_is_periodic_while_it_is_0():
    flag = STATE + 64
    runs = []

    def writer():
        sched.image.data[flag] = 40 <= now_ns(sched) // MS < 70

    rows = [task(10, 1), task(10, 2, single=[flag, 0])]
    sched = scheduler(rows, [writer, lambda: runs.append(now_ns(sched) // MS)])
    sched.run_virtual(scans=10)
    assert runs == [0, 10, 20, 30, 40, 80, 90]
    assert record(sched, 1)["skipped"] == 0


def test_single_from_the_mailbox_and_nothing_else_to_run():
    flag = STATE + 64
    runs = []
    sched = scheduler([task(0, 1, single=[flag, 0])], [lambda: runs.append(now_ns(sched) // MS)])
    assert sched.run_virtual(scans=3) == 3
    sched.mailbox.post(flag, b"\1")
    assert sched.run_virtual(scans=3) == 3
    assert runs == [30]
    assert header(sched)["releases"] == 1


def test_two_events_that_set_each_other_do_not_hang():
    a, b = STATE + 64, STATE + 65
    runs = []

    def logic(mine, others):
        runs.append(now_ns(sched) // MS)
        sched.image.data[mine] = 0
        sched.image.data[others] = 1

    rows = [task(0, 1, single=[a, 0]), task(0, 2, single=[b, 0])]
    sched = scheduler(rows, [lambda: logic(a, b), lambda: logic(b, a)])
    sched.mailbox.post(a, b"\1")
    sched.run_virtual(scans=3)
    assert runs == [0, 0, 10, 10, 20, 20]


# Real time.


def real(rows, logic, clock, scans=None, **more):
    until_ns = more.pop("until_ns", None)
    sched = scheduler(rows, logic, clock=clock, **more)
    finish(sched.run(scans, until_ns))
    return sched


def test_latency_and_execution_are_measured_and_put_into_buckets():
    clock = ToldClock(late_us=[0, 1, 2, 3, 1000])
    times = iter([5, 700, 20, 30, 40])

    def logic():
        clock.us += next(times)

    got = record(real([task(10)], [logic], clock, scans=5))
    assert (got["exec_last"], got["exec_min"], got["exec_max"]) == (40, 5, 700)
    assert got["exec_total"] == 795
    assert (got["latency_last"], got["latency_min"], got["latency_max"]) == (1000, 0, 1000)
    # 0 -> 0; 1 -> 1; 2, 3 -> 2; 512 <= 1000 < 1024 -> 10
    assert {k: n for k, n in enumerate(got["histogram"]) if n} == {0: 1, 1: 1, 2: 2, 10: 1}
    assert got["overruns"] == got["skipped"] == 0


def test_a_late_finish_is_an_overrun_and_missed_releases_are_skipped():
    clock = ToldClock()
    times = iter([35_000, 1000, 1000])
    seen = []

    def logic():
        seen.append((now_ns(sched) // MS, clock.us))
        clock.us += next(times)

    sched = scheduler([task(10)], [logic], clock=clock)
    finish(sched.run(scans=3))
    # 10 and 20 were never served, 30 is served 5 ms late, 40 is in time again.
    assert seen == [(0, 0), (30, 35_000), (40, 40_000)]
    got = record(sched)
    assert (got["overruns"], got["skipped"], got["latency_max"]) == (1, 2, 5000)


def test_ending_when_the_next_release_is_due_is_in_time_and_one_later_is_not():
    for extra, overruns in ((0, 0), (1, 1)):
        clock = ToldClock()

        def logic(clock=clock, extra=extra):
            clock.us += 10_000 + extra

        got = record(real([task(10)], [logic], clock, scans=1))
        assert got["overruns"] == overruns


def test_a_task_of_higher_priority_goes_between_two_others():
    clock = ToldClock()
    order = []
    fast = task(1, 0)
    slow = [task(10, 1), task(10, 2)]

    def logic(k, exec_us):
        order.append((k, clock.us))
        clock.us += exec_us

    sched = scheduler(
        [fast, *slow],
        [lambda: logic(0, 100), lambda: logic(1, 1500), lambda: logic(2, 100)],
        clock=clock,
    )
    finish(sched.run(scans=3))
    # The pass at 0 serves each once: the fast one released at 1 ms waits for the next pass,
    # since it has run in this one, and then has a latency.
    assert order == [(0, 0), (1, 100), (2, 1600), (0, 1700), (0, 2000)]
    assert record(sched, 0)["latency_max"] == 700


def test_the_wrap_of_the_ticks_changes_nothing():
    def run(origin):
        clock = ToldClock(late_us=[0, 3, 0, 40_000, 7] * 20, origin=origin)
        log = []

        def logic(k, exec_us):
            log.append((k, now_ns(sched), clock.us))
            clock.us += exec_us

        rows = [task(7.3, 1), task(20, 0), task(300_000, 2)]
        logics = [lambda: logic(0, 900), lambda: logic(1, 4000), lambda: logic(2, 5)]
        sched = scheduler(rows, logics, clock=clock)
        finish(sched.run(scans=90))
        return log, bytes(sched.image.data)

    for back_us in (1, 50_000, 500_000):
        assert run(ToldClock.PERIOD - back_us) == run(0)


def test_hours_between_releases_take_steps_the_ticks_can_count():
    clock = ToldClock(origin=12345)
    seen = []
    sched = scheduler([task(7_200_001)], [lambda: seen.append(clock.us)], clock=clock)
    finish(sched.run(scans=3))
    assert seen == [0, 7_200_001_000, 14_400_002_000]
    assert record(sched)["latency_max"] == 0
    assert header(sched)["releases"] == 3


def test_until_ns_ends_a_real_run_after_that_time():
    clock = ToldClock()
    sched = real([task(10)], [lambda: None], clock, until_ns=95 * MS)
    assert record(sched)["scans"] == 10
    assert 90_000 <= clock.us <= 100_000
    clock = ToldClock()
    sched = real([task(3_600_000)], [lambda: None], clock, until_ns=5000 * MS)
    assert record(sched)["scans"] == 1
    assert clock.us >= 5_000_000


def test_freewheeling_runs_when_nothing_else_is_due_with_the_time_it_starts_at():
    clock = ToldClock(pause_us=300)
    seen = []

    def free():
        seen.append((now_ns(sched) // 1000, clock.us))
        clock.us += 200

    def timed():
        clock.us += 50

    sched = scheduler([task(0, 0), task(1, 9)], [free, timed], clock=clock)
    finish(sched.run(until_ns=20 * MS))
    assert all(now == at for now, at in seen)
    assert seen[0] == (350, 350)  # the other one, released at 0, was first
    assert len(seen) > 30
    assert record(sched, 1)["scans"] in (20, 21)
    assert record(sched, 1)["latency_max"] <= 500
    assert record(sched, 0)["overruns"] == record(sched, 0)["skipped"] == 0


def test_event_in_real_time_is_found_without_a_periodic_task():
    flag = STATE + 64
    clock = ToldClock()
    seen = []
    sched = scheduler([task(0, 1, single=[flag, 0])], [lambda: seen.append(clock.us)], clock=clock)
    polls = []

    def stimulus(n):
        polls.append(clock.us)
        if len(polls) == 1500:
            sched.mailbox.post(flag, b"\1")
            assert sched.time_ns() <= clock.us * 1000 <= sched.time_ns() + 10 * MS

    sched.stimulus = stimulus
    finish(sched.run(scans=1600))
    assert len(seen) == 1
    assert struct.unpack("<q", sched.image.now)[0] == seen[0] * 1000
    assert record(sched)["latency_max"] == 0


def test_stopping_ends_the_run_and_marks_the_image_stopped():
    clock = ToldClock()

    def logic():
        sched.stopping = record(sched)["scans"] == 3

    sched = scheduler([task(10)], [logic], clock=clock)
    assert finish(sched.run()) == 4
    assert header(sched)["state"] == im.STOPPED


def test_cancelling_a_run_stops_it():
    from controller.clock import Clock

    async def main():
        sched = scheduler([task(3_600_000)], [lambda: None], clock=Clock())
        run = asyncio.create_task(sched.run())
        while not record(sched)["scans"]:
            await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        return header(sched)["state"]

    assert asyncio.run(main()) == im.STOPPED


# Mailbox, forced values, hooks.


def test_the_mailbox_is_applied_at_the_release_before_the_logic():
    seen = []
    sched = scheduler([task(10)], [lambda: seen.append(bytes(sched.image.data[1100:1102]))])
    sched.run_virtual(scans=1)
    sched.mailbox.post(1100, b"\x12\x34")
    assert sched.image.data[1100] == 0
    sched.mailbox.post_bits(1100, 0x0F, 0x05)
    sched.run_virtual(scans=1)
    assert seen == [b"\0\0", b"\x15\x34"]


def test_forced_values_hold_against_input_latch_and_logic():
    seen = []

    def logic():
        seen.append(sched.image.data[STATE])
        sched.image.data[QX] = 0xFF

    sched = scheduler([task(10)], [logic])
    sched.force.rows = [(STATE, 0x0F, 0x05), (QX, 0x81, 0x01)]
    sched.run_virtual(scans=1)
    assert seen == [0x05]
    assert sched.image.data[QX] == 0x7F


def test_hooks_are_called_around_every_release_instant():
    calls = []
    sched = scheduler([task(10)], [lambda: calls.append("scan")])
    sched.stimulus = lambda n: calls.append(("before", n))
    sched.observe = lambda n: calls.append(("after", n))
    sched.run_virtual(scans=2)
    assert calls == [("before", 0), "scan", ("after", 0), ("before", 1), "scan", ("after", 1)]


def test_a_reader_sees_an_odd_sequence_only_inside_a_scan():
    inside = []
    sched = scheduler([task(10)], [lambda: inside.append(header(sched)["sequence"])])
    sched.run_virtual(scans=2)
    assert inside == [1, 3]
    assert header(sched)["sequence"] == 4


def test_the_sequence_wraps_to_an_even_number():
    sched = scheduler([task(10)], [lambda: None])
    sched.image.words[im.SEQUENCE] = 0x3FFFFFFE
    sched.run_virtual(scans=1)
    assert header(sched)["sequence"] == 0


# Faults.


def failing(at, error):
    count = iter(range(1_000_000))

    def logic():
        sched_count = next(count)
        if sched_count == at:
            raise error

    return logic


def test_a_fault_is_recorded_and_the_other_tasks_go_on():
    rows = [task(10, 1, outputs=[[QX, 1]]), task(20, 2, outputs=[[QX + 1, 1]])]
    sched = scheduler(rows, [failing(3, Fault(faults.INDEX, 2 << 22 | 17)), lambda: None])
    sched.image.data[QX : QX + 2] = b"\xff\xff"
    sched.run_virtual(scans=20)
    assert im.read_fault(sched.image.data) == {
        "code": faults.INDEX,
        "source": 2,
        "line": 17,
        "task": 0,
        "scan": 3,
        "time_ns": 30 * MS,
    }
    assert header(sched)["state"] == im.FAULTED
    first, second = record(sched, 0), record(sched, 1)
    assert (first["scans"], first["state"], first["fault_code"]) == (4, im.FAULTED, faults.INDEX)
    assert (second["scans"], second["state"], second["fault_code"]) == (18, 0, 0)
    assert sched.image.data[QX : QX + 2] == b"\x00\xff"


def test_the_first_fault_stays_and_when_all_have_faulted_the_run_ends():
    rows = [task(10, 1), task(10, 2)]
    logic = [failing(1, Fault(faults.SHIFT, 5)), failing(4, Fault(faults.NULL, 6))]
    sched = scheduler(rows, logic)
    assert sched.run_virtual(scans=100) == 5
    fault = im.read_fault(sched.image.data)
    assert (fault["code"], fault["line"], fault["task"]) == (faults.SHIFT, 5, 0)
    assert record(sched, 1)["fault_code"] == faults.NULL
    assert sched.run_virtual(scans=100) == 0


def test_a_run_of_scans_ends_where_only_events_are_left_after_a_fault():
    rows = [task(10, 1), task(0, 2, single=[STATE + 64, 0])]
    sched = scheduler(rows, [failing(0, Fault(faults.DIVISION, 0)), lambda: None])
    assert sched.run_virtual(scans=5) == 5


def test_safe_values_of_the_manifest_reach_the_image():
    safe = [
        [QX, 2, "b1", True],
        [QX, 3, "b1", False],
        [QX + 2, None, "i16", -2],
        [QX + 4, None, "f32", 1.5],
        [STATE + 64, None, "u8", 9],  # not an output of the task
    ]
    sched = scheduler([task(10)], [failing(0, Fault(faults.RANGE, 1))], safe=safe)
    sched.image.data[QX : QX + 8] = b"\xff" * 8
    sched.run_virtual(scans=1)
    assert sched.image.data[QX : QX + 8] == b"\x04\x00\xfe\xff" + struct.pack("<f", 1.5)
    assert sched.image.data[STATE + 64] == 0


def test_bits_of_an_output_byte_that_belong_to_another_task_stay():
    rows = [task(10, 1, outputs=[[QX, 1, 0x03]]), task(10, 2, outputs=[[QX, 1, 0x30]])]
    sched = scheduler(rows, [failing(0, Fault(faults.RANGE, 1)), lambda: None])
    sched.image.data[QX] = 0xFF
    sched.run_virtual(scans=1)
    assert sched.image.data[QX] == 0xFC


def test_any_other_exception_is_an_internal_fault_and_is_kept():
    error = KeyError("x")
    sched = scheduler([task(10)], [failing(0, error)])
    sched.run_virtual(scans=1)
    assert im.read_fault(sched.image.data)["code"] == faults.INTERNAL
    assert sched.error is error


def test_on_overrun_fault_and_watchdog():
    def run(exec_us, **more):
        clock = ToldClock()

        def logic():
            clock.us += exec_us

        sched = real([task(10, **more)], [logic], clock, scans=5)
        got = record(sched)
        return got["fault_code"], got["scans"], got["overruns"]

    assert run(10_001, on_overrun="fault") == (faults.OVERRUN, 1, 1)
    assert run(10_000, on_overrun="fault") == (0, 5, 0)
    assert run(10_001) == (0, 5, 5)
    assert run(5001, watchdog_ms=5) == (faults.WATCHDOG, 1, 0)
    assert run(5000, watchdog_ms=5) == (0, 5, 0)
    assert run(20_000, watchdog_ms=15, on_overrun="fault") == (faults.WATCHDOG, 1, 1)


def test_a_task_that_overruns_and_faults_has_one_fault():
    clock = ToldClock()

    def logic():
        clock.us += 50_000
        raise Fault(faults.BUDGET, 3)

    sched = real([task(10, on_overrun="fault")], [logic], clock, scans=5)
    assert record(sched)["fault_code"] == faults.BUDGET
    assert im.read_fault(sched.image.data)["scan"] == 0


def test_an_image_needs_room_for_its_tasks():
    with pytest.raises(ValueError, match="too small for 13 tasks"):
        image(13)
