"""The wiring file takt.toml: reading, validation, and the rows the controller gets from it."""
