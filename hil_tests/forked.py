"""Runs a test in a child process that goes on from a device that was started before.

Booting an emulated board costs more than most tests. It is done once for each device; every test
then has a copy of it as it was, which costs nothing: that is what fork is for. What fixtures of a
wider scope set up in the child also ends there.
"""

from __future__ import annotations

import os
import pickle
import signal
import warnings
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from hil_tests.outcomes import add_crash

IN_CHILD = pytest.StashKey[bool]()
"""Set in the process of a test."""


def can_fork(config: pytest.Config) -> bool:
    """Not where there is no fork, and not under a debugger."""
    return hasattr(os, "fork") and not (config.getoption("usepdb") or config.getoption("trace"))


def run_in_child(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The whole protocol of one test: set up, called and torn down in a child, reported here."""
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _reports(item):
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    # What this process had set up for the tests before may not be needed by the next one.
    item.session._setupstate.teardown_exact(nextitem)


def _reports(item: pytest.Item) -> list[pytest.TestReport]:
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Of other threads, from Python 3.12 on: the child uses nothing of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(reading)
        _be_child(item, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    try:
        rows = pickle.loads(told)
    except (EOFError, pickle.UnpicklingError):
        return [_crashed(item, status)]
    if rows is None:
        raise KeyboardInterrupt
    from_rows = item.config.hook.pytest_report_from_serializable
    return [from_rows(config=item.config, data=row) for row in rows]


def _be_child(item: pytest.Item, writing: int) -> None:
    """Never returns."""
    rows: list[dict[str, Any]] | None = None
    item.config.stash[IN_CHILD] = True
    try:
        # What the parent has set up is the parent's to tear down.
        for finalizers, _ in item.session._setupstate.stack.values():
            finalizers.clear()
        to_row = item.config.hook.pytest_report_to_serializable
        reports = runtestprotocol(item, log=False, nextitem=None)
        rows = [to_row(config=item.config, report=report) for report in reports]
    except KeyboardInterrupt:
        pass
    finally:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(pickle.dumps(rows))
        os._exit(0)


def _crashed(item: pytest.Item, status: int) -> pytest.TestReport:
    code = os.waitstatus_to_exitcode(status)
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    report = pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome="failed",
        longrepr=f"the process of this test ended with {how}",
        when="call",
    )
    add_crash(item, report)
    return report
