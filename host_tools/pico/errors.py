"""What goes wrong with an emulated board."""


class PicoError(Exception):
    """The emulated board cannot do what was asked; the message says why and what to do."""
