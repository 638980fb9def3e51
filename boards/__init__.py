"""One data file for each board; host_tools/wiring/boards.py reads them."""
