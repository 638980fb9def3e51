"""`python -m hil_tests.speed`: what it measures is told, in words and as JSON."""

from __future__ import annotations

import json

import pytest

from hil_tests.speed import main


def test_it_tells_how_long_virtual_seconds_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--for", "20s", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["device"], found["virtual_s"], found["fault"]) == ("host", 20, None)
    assert found["plant_steps"] == 400
    assert found["changes"] > 400  # the level, at least
    assert 0 < found["processor_s"] <= found["run_s"] + 0.1
    assert main(["--for", "1s"]) == 0
    assert capsys.readouterr().out.startswith("host (python): 1 virtual seconds, 20 steps of the")


def test_mistakes_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dut", "hots"]) == 2
    assert "did you mean 'host'?" in capsys.readouterr().err
    assert main(["--for", "soon"]) == 2
    assert "'soon' is not a duration" in capsys.readouterr().err
