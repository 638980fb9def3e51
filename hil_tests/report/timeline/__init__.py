"""A recording as one page to look at: signals, tasks, faults, checks and frames on one axis."""
