"""One data file per board."""
