"""The pytest plugin, as somebody meets it who has a bench of their own."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree

import pytest

from tests.unit.bench_story import FOLDER, opened

pytest_plugins = ["pytester"]

GOOD = """
from hil_tests.expect import expect

def test_valve(signals, clock):
    clock.run("25ms")
    signals.sensor.set(True)
    signals.level.set(80.0)
    expect(signals.valve).rises(within="15ms")
"""


@pytest.fixture(scope="module")
def _loaded() -> None:
    """pytester forgets every module that a run imports: none may be imported there first, or
    packages would go on with the old one."""
    bench = opened("host")
    bench.begin()
    bench.clock.run("1s")
    bench.close()


@pytest.fixture
def bench(pytester: pytest.Pytester, _loaded: None) -> pytest.Pytester:
    """A folder with a project and its bench.toml."""
    shutil.copytree(FOLDER, pytester.path, dirs_exist_ok=True)
    return pytester


def test_one_file_runs_on_every_device(bench: pytest.Pytester) -> None:
    bench.makepyfile(GOOD)
    run = bench.runpytest("-v", "--dut", "host,micropython")
    run.assert_outcomes(passed=2)
    run.stdout.fnmatch_lines(["*test_valve[[]host[]] PASSED*", "*test_valve[[]micropython[]]*"])
    run.stdout.fnmatch_lines(["bench: bench-results/index.html"])
    results = json.loads((bench.path / "bench-results" / "results.json").read_text())
    assert results["device"] == "host, micropython"
    assert results["summary"]["passed"] == 2
    assert set(results["sha256"]) == {
        *(f"host {name}" for name in ("bundle", "wiring", "bench")),
        *(f"micropython {name}" for name in ("firmware", "bundle", "wiring", "bench")),
    }
    (check,) = results["tests"][0]["checks"]
    assert check["text"] == "valve rises within 15 ms"
    assert check["where"] == "test_one_file_runs_on_every_device.py:7"
    suites = ElementTree.parse(bench.path / "bench-results" / "junit.xml")
    assert len(list(suites.iter("testcase"))) == 2


def test_a_failure_is_told_in_words_and_leaves_its_files(bench: pytest.Pytester) -> None:
    bench.makepyfile(
        """
        from hil_tests.expect import expect

        def test_lamp(signals, clock):
            signals.button.set(True)
            clock.run("300ms")
            expect(signals.lamp).falls(within="50ms", after=signals.button.rises())
        """
    )
    run = bench.runpytest("--bench-out", "left")
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(
        [
            "E * lamp falls within 50 ms after button rises",
            "E * seen: after 220 ms",
            "E * lamp was low*",
        ]
    )
    left = bench.path / "left"
    results = json.loads((left / "results.json").read_text())
    (case,) = results["tests"]
    assert case["outcome"] == "failed"
    assert case["message"] == "AssertionError: lamp falls within 50 ms after button rises"
    assert "lamp rose only at 0.100 s" in case["words"]
    files = {path.name for path in (left / case["folder"]).iterdir()}
    assert {"timeline.html", "trace.vcd", "failure.json"} <= files


def test_a_test_says_what_it_needs(bench: pytest.Pytester) -> None:
    bench.makepyfile(
        """
        import pytest

        @pytest.mark.needs("power", "edges", "uart")
        def test_edges(dut):
            raise AssertionError("it must not run")

        @pytest.mark.needs("power")
        def test_power(dut):
            dut.power_cut()
        """
    )
    run = bench.runpytest("-rs", "--strict-markers")
    run.assert_outcomes(passed=1, skipped=1)
    run.stdout.fnmatch_lines(["SKIPPED*device 'host' has no edges, uart"])


def test_the_plant_steps_only_for_those_that_ask_for_it(bench: pytest.Pytester) -> None:
    bench.makepyfile(
        basin="""
        class Basin:
            step_ns = 10_000_000
            takes = ("valve",)
            gives = ("level",)

            def __init__(self, level=10.0):
                self.level = level

            def step(self, inputs):
                self.level += 1 if inputs["valve"] is False else 0
                return {"level": self.level}
        """,
        test_basin="""
        import pytest
        from hil_tests.expect import expect
        from host_tools.failure import Failure

        def test_with(signals, clock, plant):
            signals.sensor.set(True)
            clock.run("1s")
            assert plant.level == 51  # the valve opens above 50 %
            with pytest.raises(Failure, match="'level' comes from the plant"):
                signals.level.set(3.0)
            plant.level = 5.0
            expect(signals.valve).falls(within="25ms")

        def test_without(signals, clock):
            clock.run("1s")
            assert signals.level.value == 0
        """,
    )
    with (bench.path / "bench.toml").open("a") as file:
        file.write('[plant]\nmodel = "basin:Basin"\nparameters = { level = 12.0 }\n')
    bench.runpytest().assert_outcomes(passed=2)


def test_mistakes_are_told_without_a_traceback(bench: pytest.Pytester) -> None:
    bench.makepyfile(GOOD)
    run = bench.runpytest("--dut", "pcio")
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(["the bench has no device 'pcio'", "help: did you mean 'pico'?"])
    run.stdout.no_fnmatch_line("*Traceback*")
    run.stdout.no_fnmatch_line("During handling*")
    results = json.loads((bench.path / "bench-results" / "results.json").read_text())
    (case,) = results["tests"]
    assert (case["outcome"], case["device"]) == ("error", "pcio")
    assert case["message"] == "the bench has no device 'pcio'"
    run = bench.runpytest("--bench", "nowhere.toml")
    run.stdout.fnmatch_lines(["cannot read 'nowhere.toml': No such file or directory"])
    (bench.path / "bench.toml").write_text('[bench]\nname = "x"\n[signal]\na = { too = 1 }\n')
    run = bench.runpytest()
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(["error*E0601*has no key 'too'", "*bench.toml:4:7"])
    (bench.path / "bench.toml").unlink()
    run = bench.runpytest()
    run.stdout.fnmatch_lines(["there is no bench.toml beside test_mist*", "help: write one*"])


def test_other_tests_are_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_imported():
            mine = {n for n in sys.modules if n.split(".")[0] in ("hil_tests", "host_tools")}
            assert mine <= {"hil_tests", "hil_tests.plugin"}
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    assert not (pytester.path / "bench-results").exists()


@pytest.fixture
def forking(bench: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    import hil_tests.plugin

    monkeypatch.setattr(hil_tests.plugin, "PREPARED_KINDS", {"host"})
    return bench


def test_every_test_goes_on_from_the_same_start(forking: pytest.Pytester) -> None:
    forking.makepyfile(
        """
        import os
        import pytest
        from hil_tests.expect import expect

        PARENT = os.getpid()

        @pytest.fixture(scope="module")
        def place(tmp_path_factory):
            path = tmp_path_factory.getbasetemp() / f"place-{os.getpid()}"
            path.touch()
            yield path
            path.unlink()

        @pytest.mark.parametrize("n", range(3))
        def test_a_scan_counts(n, dut, clock, signals, place):
            assert os.getpid() != PARENT
            assert clock.now == 0
            clock.run("95ms")
            assert dut.variable("main.scans") == 10
            signals.button.set(True)

        def test_a_failure_comes_through(signals):
            expect(signals.lamp).is_(True)

        def test_skipping_comes_through(dut):
            pytest.skip("not today")

        def test_without_a_device_there_is_no_child(place):
            assert os.getpid() == PARENT
            names = [p.name for p in place.parent.glob("place-*")]
            assert names == [place.name]  # of the children nothing is left

        def test_the_bench_alone_is_not_started(bench):
            assert os.getpid() == PARENT
            assert not bench.started

        def test_the_child_dies(dut):
            os._exit(3)
        """
    )
    run = forking.runpytest("-v", "-rs")
    run.assert_outcomes(passed=5, failed=2, skipped=1)
    run.stdout.fnmatch_lines(["E * lamp is true", "SKIPPED*not today"])
    run.stdout.fnmatch_lines(["the process of this test ended with exit status 3"])
    results = json.loads((forking.path / "bench-results" / "results.json").read_text())
    assert results["summary"] == {"passed": 4, "failed": 2, "error": 0, "skipped": 1}
    assert results["tests"][-1]["message"] == "the process of this test ended with exit status 3"


def test_ctrl_c_in_a_child_ends_the_session(bench: pytest.Pytester) -> None:
    bench.makeconftest("import hil_tests.plugin\nhil_tests.plugin.PREPARED_KINDS.add('host')\n")
    bench.makepyfile(
        """
        def test_first(dut):
            raise KeyboardInterrupt

        def test_second(dut):
            pass
        """
    )
    run = bench.runpytest_subprocess()
    assert run.ret == pytest.ExitCode.INTERRUPTED
    run.stdout.no_fnmatch_line("*1 passed*")


def test_golden_traces_are_recorded_with_an_option(bench: pytest.Pytester) -> None:
    bench.makepyfile(
        """
        def test_lamp(signals, clock, traces):
            signals.button.set(True)
            clock.run("300ms")
            traces.golden("lamp", signals.lamp)
        """
    )
    bench.runpytest("--record-golden").assert_outcomes(passed=1)
    bench.runpytest().assert_outcomes(passed=1)
