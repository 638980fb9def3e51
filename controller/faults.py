"""The fault codes of the image header and what each says; docs/faults.md says what to do."""

DIVISION = 1
INDEX = 2
RANGE = 3
NULL = 4
SHIFT = 5
STEP = 6
BUDGET = 7
WATCHDOG = 8
OVERRUN = 9
INTERNAL = 10

MESSAGES = (
    "",
    "integer division by zero",
    "array index out of its bounds",
    "value outside of its subrange",
    "null reference",
    "negative shift count",
    "FOR with step 0",
    "a loop used up the task's budget",
    "the task ran longer than its watchdog_ms",
    "the task was not finished when its next release was due",
    "error inside the runtime",
)


def message(code):
    """What fault `code` says; a code that is not known is named by its number."""
    return MESSAGES[code] if 0 < code < len(MESSAGES) else "fault %d" % code


class Fault(Exception):
    """Ends the scan of a task: code, and position as docs/image.md has it."""

    def __init__(self, code, pos):
        self.code = code
        self.pos = pos

    def __str__(self):
        return "fault %d at %d:%d" % (self.code, self.pos >> 22, self.pos & 0x3FFFFF)
