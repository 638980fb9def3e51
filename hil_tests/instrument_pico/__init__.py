"""The program of a second Pico that is the bench's instrument: see docs/bench-instruments.md.

Runs on stock MicroPython (rp2, 1.24 or newer), in `/instrument_pico` with a `main.py` that calls
`instrument_pico.serve.main()`. `frames` is used by the host too.
"""
