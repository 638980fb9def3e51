# What is frozen into the Pico's firmware: the board's boot code and
# asyncio, as in the stock image.
# The stock image's drivers (onewire, ds18x20, dht, neopixel) come from micropython-lib, which
# Debian does not have.
freeze("$(PORT_DIR)/modules")  # noqa: F821
include("$(MPY_DIR)/extmod/asyncio")  # noqa: F821
