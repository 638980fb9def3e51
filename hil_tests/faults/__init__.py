"""Faults to inject: of signals, buses and the clock, and of the power while flash is written."""

from hil_tests.faults.injection import Fault, Faults

__all__ = ["Fault", "Faults"]
