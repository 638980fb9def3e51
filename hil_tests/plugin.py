"""The pytest plugin `takt_bench`: its fixtures, from `dut` to `traces`.

    pytest --bench bench.toml --dut host,pico

Tests that use none of the fixtures are left alone, and nothing is imported for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hil_tests.bench import Bench

_DUT_NAME = "_takt_dut_name"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("takt bench")
    group.addoption(
        "--bench",
        metavar="FILE",
        help="the bench.toml; by default the one beside the test file or in a folder above it",
    )
    group.addoption(
        "--dut",
        action="append",
        metavar="NAME",
        help="device under test: host, micropython, pico, or a [dut.NAME] of bench.toml; "
        "several by commas or by repeating (default: host)",
    )
    group.addoption(
        "--bench-out",
        metavar="FOLDER",
        default="bench-results",
        help="where failures and reports are left, '' for nowhere (default: bench-results)",
    )
    group.addoption(
        "--record-golden",
        action="store_true",
        help="write golden traces from what happens, in place of comparing with them",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "needs(*capabilities): skip, saying why, on a bench whose device has not all of them",
    )


def _chosen(config: pytest.Config) -> list[str]:
    names = [n.strip() for text in config.getoption("--dut") or ["host"] for n in text.split(",")]
    return list(dict.fromkeys(n for n in names if n)) or ["host"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if _DUT_NAME in metafunc.fixturenames:
        metafunc.parametrize(_DUT_NAME, _chosen(metafunc.config), indirect=True)


def _out(config: pytest.Config) -> Path | None:
    """Where reports go; None where none are wanted."""
    given: str = config.getoption("--bench-out")
    return config.invocation_params.dir / given if given else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if _is_bench(item):
        from hil_tests.outcomes import add_phase

        add_phase(item, report, _out(item.config))
    return report


def _is_bench(item: pytest.Item) -> bool:
    """Names such as `bench` or `clock` may be fixtures of somebody else; this one is not."""
    return _DUT_NAME in getattr(item, "fixturenames", ())


class _Gathering:
    """Registered with the first test that uses the bench."""

    def __init__(self, config: pytest.Config) -> None:
        from hil_tests.outcomes import Gathered

        self._config = config
        self._page: Path | None = None
        self.gathered = Gathered()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.gathered.add(report)

    def pytest_sessionfinish(self) -> None:
        from hil_tests.outcomes import leave_reports
        from host_tools.failure import Failure

        out = _out(self._config)
        # With xdist the workers tell the process that writes.
        if not self.gathered.told or out is None or hasattr(self._config, "workerinput"):
            return
        try:
            self._page = leave_reports(self.gathered, out)
        except Failure as failure:
            raise pytest.UsageError(_failure_text(failure)) from None

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._page is not None:
            terminalreporter.write_line(f"bench: {_shown(self._page)}")


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def pytest_collection_finish(session: pytest.Session) -> None:
    if any(_is_bench(item) for item in session.items):
        session.config.pluginmanager.register(_Gathering(session.config), "takt_bench_gathering")


@pytest.fixture
def _takt_dut_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def _bench_path(item: pytest.Item) -> Path | None:
    from hil_tests.bench_file import find_bench

    given = item.config.getoption("--bench")
    return Path(given) if given is not None else find_bench(item.path.parent)


FAILURES = pytest.StashKey[list[int]]()
"""Exit codes, as of a command, of benches that could not be set up."""

PREPARED_KINDS = {"pico"}
"""Devices that are started once, for tests to go on from."""

_PREPARED = pytest.StashKey[dict[tuple[Path, str], "Bench | None"]]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> object:
    """Tests on an emulated board go on from one that has booted: hil_tests/forked.py."""
    if not _is_bench(item):
        return None
    from hil_tests.forked import can_fork, run_in_child

    if not can_fork(item.config) or not _prepare(item):
        return None
    run_in_child(item, nextitem)
    return True


def _prepare(item: pytest.Item) -> bool:
    """Start the device of a test, if it is worth while; whether it is there."""
    from hil_tests.bench import open_bench
    from hil_tests.bench_file import read_bench
    from hil_tests.progress import Progress
    from host_tools.failure import Failure

    name = getattr(item, "callspec").params.get(_DUT_NAME)  # noqa: B009
    path = _bench_path(item)
    if path is None or "dut" not in item.fixturenames:  # type: ignore[attr-defined]
        return False
    prepared = item.config.stash.setdefault(_PREPARED, {})
    if (path, name) in prepared:
        return prepared[path, name] is not None
    prepared[path, name] = None
    progress = Progress(item.config)
    try:
        file = read_bench(path)
        if file.dut(name).kind not in PREPARED_KINDS:
            return False
        progress.say(f"starting {name} with {file.name}")
        bench = open_bench(file, name)
        bench.begin()
    except Failure:
        return False  # told by the test's own fixture
    finally:
        progress.end()
    prepared[path, name] = bench
    return True


@pytest.fixture
def bench(request: pytest.FixtureRequest, _takt_dut_name: str) -> Iterator[Bench]:
    """The bench of one test, with a fresh device; not started, unless it is a prepared one."""
    from hil_tests.bench import open_bench
    from hil_tests.bench_file import read_bench
    from hil_tests.forked import IN_CHILD
    from hil_tests.outcomes import BENCH
    from hil_tests.progress import Progress

    path = _bench_path(request.node)
    if path is None:
        pytest.fail(
            f"there is no bench.toml beside {request.path.name} or in a folder above it\n"
            "help: write one (docs/bench.md), or name it with --bench FILE",
            pytrace=False,
        )
    made = None
    if request.config.stash.get(IN_CHILD, False):
        made = request.config.stash[_PREPARED].get((path, _takt_dut_name))
    if made is None:
        with _told(request):
            made = open_bench(read_bench(path), _takt_dut_name)
    assert made is not None
    request.node.stash[BENCH] = made
    progress = Progress(request.config)
    progress.follow(made, request.node.name)
    try:
        _skip_unless(request.node, made)
        yield made
    finally:
        progress.end()
        made.close()


@contextmanager
def _told(request: pytest.FixtureRequest) -> Iterator[None]:
    """A Failure becomes that of the test: in words, with what to do next."""
    from host_tools.failure import Failure

    try:
        yield
    except Failure as failure:
        request.config.stash.setdefault(FAILURES, []).append(failure.exit_code)
        raise pytest.fail.Exception(_failure_text(failure), pytrace=False) from None


def _failure_text(failure: Any) -> str:
    return f"{failure}\nhelp: {failure.help}" if failure.help else str(failure)


def _skip_unless(node: pytest.Item, bench: Bench) -> None:
    needed = [str(n) for mark in node.iter_markers("needs") for n in mark.args]
    missing = [name for name in needed if name not in bench.capabilities]
    if missing:
        pytest.skip(f"device '{bench.dut_line.name}' has no {', '.join(missing)}")


@pytest.fixture
def dut(request: pytest.FixtureRequest, bench: Bench) -> Any:
    """The device under test (hil_tests.device.Device), started."""
    if not bench.started:
        # The plant gives the first values, so it has to be there before.
        if "plant" in request.fixturenames:
            request.getfixturevalue("plant")
        with _told(request):
            bench.begin()
    return bench.dut


@pytest.fixture
def signals(bench: Bench, dut: Any) -> Any:
    """The signals of bench.toml by name (hil_tests.signals.Signals)."""
    return bench.signals


@pytest.fixture
def clock(bench: Bench, dut: Any) -> Any:
    """Lets the device's time pass (hil_tests.clock.Clock)."""
    return bench.clock


@pytest.fixture
def plant(request: pytest.FixtureRequest, bench: Bench) -> Any:
    """The model of [plant], connected to the signals and stepping on the device's time. Its
    attributes can be changed while it runs."""
    with _told(request):
        return bench.connect_plant()


@pytest.fixture
def traces(request: pytest.FixtureRequest, bench: Bench, dut: Any) -> Any:
    """Plays and compares traces in CSV files (hil_tests.traces.Traces)."""
    from hil_tests.traces import Traces

    record: bool = request.config.getoption("--record-golden")
    return Traces(bench, dut.recording, request.path.parent, record)


@pytest.fixture
def faults(bench: Bench, dut: Any) -> Iterator[Any]:
    """Faults to inject (hil_tests.faults.Faults), taken back at the end of the test."""
    from hil_tests.faults import Faults

    made = Faults(bench)
    yield made
    made.end_all()
