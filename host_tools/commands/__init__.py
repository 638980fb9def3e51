"""One module for each command: `add(parser)` declares its arguments, `run(arguments)` does it."""
