"""Devices under test: one module for each kind of hil_tests/device.py's `Device`."""
