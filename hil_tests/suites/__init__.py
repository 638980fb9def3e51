"""The bench suites of the examples."""
