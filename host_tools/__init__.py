"""Host side of Takt: compiler, project model, build, simulate, deploy.

For scripts and tests:

    from host_tools import load, compile, simulate

    sim = simulate(compile(load("examples/tank")))
    sim.set("main.level", 80)
    sim.run(scans=10)
    sim["main.pump1"]

and for the tests in Structured Text:

    run_tests("examples/tank").ok
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host_tools.build import compile as compile
    from host_tools.project import load as load
    from host_tools.simulation import simulate as simulate
    from host_tools.testing import run_tests as run_tests

__all__ = ["compile", "load", "run_tests", "simulate"]


def __getattr__(name: str) -> object:
    # Imported when first used: every command imports this package, few need all of it.
    if name == "compile":
        from host_tools.build import compile

        return compile
    if name == "load":
        from host_tools.project import load

        return load
    if name == "simulate":
        from host_tools.simulation import simulate

        return simulate
    if name == "run_tests":
        from host_tools.testing import run_tests

        return run_tests
    raise AttributeError(f"module 'host_tools' has no attribute '{name}'")
