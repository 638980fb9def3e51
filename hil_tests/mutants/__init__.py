"""Breaks a program on purpose, one place at a time, and looks whether its bench suite notices.

`python -m hil_tests.mutants SUITE`; docs/bench-mutants.md says how to use it.
"""
