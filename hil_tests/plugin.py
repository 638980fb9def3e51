"""The pytest plugin `takt_bench`."""
