"""The bench: hardware in the loop, as a pytest plugin. The same test runs against the host, real
MicroPython, an emulated Pico, and a board on a serial port."""
