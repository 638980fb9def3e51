"""`takt run` and `takt deploy` on MicroPython firmware on an emulated RP2040."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host_tools.board_link import PicoLink
from host_tools.build import compile, with_engine
from host_tools.cli import main
from host_tools.deployment import deploy, install_runtime, wait_until_it_scans
from host_tools.failure import DEVICE, Failure
from host_tools.pico import EmulatedPico, SerialConsole
from host_tools.project import load
from host_tools.wiring.boards import load_board

pytestmark = pytest.mark.emulated


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "demo"]) == 0
    return Path("demo")


def test_run_on_the_pico_gives_the_same_image(
    demo: Path, pico_uf2: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Inputs come from pins there, so the one that is set is not wired.
    common = ["run", "demo", "--json", "--clock", "virtual", "--scans", "20", "--trace-crc"]
    common += ["--set", "main.half_second.ET=T#3s"]
    capsys.readouterr()
    assert main(common) == 0
    here = json.loads(capsys.readouterr().out)
    assert main([*common, "--on", "pico"]) == 0
    there = json.loads(capsys.readouterr().out)
    assert here == there


@pytest.fixture
def link(pico: EmulatedPico) -> PicoLink:
    """A Pico that has the runtime; programs take the way through its REPL."""
    made = PicoLink(pico)
    install_runtime(made, lambda text: None)
    made.upload = True
    return made


def test_a_deployed_program_runs(demo: Path, link: PicoLink) -> None:
    bundle = compile(load(demo)).bundle()
    done = deploy(link, bundle, load_board("pico"), lambda text: None)
    assert done.slot == "a"
    assert done.firmware.machine == "Raspberry Pi Pico with RP2040"
    assert not done.runtime_copied
    assert done.message["name"] == "demo"
    assert done.message["releases"] >= 10
    files = link.pico.files()
    assert files["/takt/a/program.mpy"] == bundle.parts["program.mpy"]
    assert "/takt/arrived.taktb" not in files


@pytest.mark.slow
def test_a_deployed_program_is_scanned_by_the_kernel(demo: Path, link: PicoLink) -> None:
    bundle = compile(with_engine(load(demo))).bundle()
    assert (bundle.manifest["engine"], bundle.manifest["kernel"]) == ("native", True)
    done = deploy(link, bundle, load_board("pico"), lambda text: None)
    assert done.message["releases"] >= 10
    told = link.execute(
        "import controller.boot as b, json\nprint(json.dumps(b.status()))", 20
    ).splitlines()[-1]
    status = json.loads(told)
    assert (status["kernel"], status["fault"]) == (True, None)
    assert status["why"] == "Python"  # what asked has interrupted it
    task = status["tasks"][0]
    assert task["scans"] > 10
    assert (task["overruns"], task["skipped"]) == (0, 0)


@pytest.mark.slow
def test_a_program_that_faults_at_once_gives_way(demo: Path, link: PicoLink) -> None:
    board = load_board("pico")
    deploy(link, compile(load(demo)).bundle(), board, lambda text: None)
    text = (demo / "main.st").read_text(encoding="utf-8")
    broken = text.replace(
        "    started(", "    starts := starts / (starts - starts);\n    started("
    )
    (demo / "main.st").write_text(broken, encoding="utf-8")
    with pytest.raises(Failure, match="integer division by zero") as failed:
        deploy(link, compile(load(demo)).bundle(), board, lambda text: None)
    assert failed.value.exit_code == DEVICE
    assert "slot a" in failed.value.help
    # And so it is after a reset.
    assert wait_until_it_scans(link.press_reset(), "a")["slot"] == "a"


def test_a_program_for_another_board_and_a_foreign_main_are_refused(
    demo: Path, pico: EmulatedPico
) -> None:
    link = PicoLink(pico)
    bundle = compile(load(demo)).bundle()
    with pytest.raises(Failure, match="is Raspberry Pi Pico with RP2040"):
        deploy(link, bundle, load_board("pico2"), lambda text: None)
    link.put({"/main.py": b"print('mine')\n"})
    with pytest.raises(Failure, match="of its own, which would be lost"):
        deploy(link, bundle, load_board("pico"), lambda text: None)
    assert pico.files()["/main.py"] == b"print('mine')\n"
    assert not any(path.startswith("/takt/lib/") for path in pico.files())


@pytest.mark.slow
def test_deploy_and_run_through_mpremote_on_a_serial_port(
    demo: Path,
    link: PicoLink,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The emulation may be many times slower than a board.
    monkeypatch.setattr("host_tools.deployment._START_S", 600)
    capsys.readouterr()
    with SerialConsole(link.pico) as console:
        assert main(["deploy", console.path, "demo", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["slot"], told["runtime_copied"]) == ("a", False)
        assert told["releases"] >= 10
        assert main(["run", "demo", "--on", console.path, "--scans", "3", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["scans"] == 3
    # What was deployed goes on after the run.
    link.pico.run_until(lambda: b'"running"' in link.pico.read_console(), 5)
    assert "'releases': 0" not in link.execute("import controller.boot as b\nprint(b.status())")
