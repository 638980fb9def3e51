"""REAL and LREAL for the python engine: IEEE 754 whatever this machine's Python floats are."""

# REAL is binary32. The names are those of the operation with f (REAL) or d (LREAL) before it.
if 1.0 + 1e-10 == 1.0:
    from controller.rt_single import *  # noqa: F403
else:
    from controller.rt_double import *  # noqa: F403
