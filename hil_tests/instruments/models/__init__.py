"""Devices on the buses of an emulated Pico, modelled from their data sheets.

Each model speaks its bus as the chip does and has its quantities in engineering units as
attributes or methods; `attach` puts it on a bus of a board.
"""
