# What is frozen into the firmware for QEMU: asyncio, and none of the port's own tests.
include("$(MPY_DIR)/extmod/asyncio")  # noqa: F821
