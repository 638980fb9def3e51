"""Machine code: C compiled for this computer or a board, and put into what loads it there."""
