"""Faults to inject: of signals, buses and the clock, and of the power while flash is written."""
