"""What can be seen of a save while it is made: one step of it, done to one file."""

from enum import Enum, auto


class Step(Enum):
    """What is known of the file after it."""

    WHOLE = auto()  # it was written to its end, or put there as it is
    OPEN = auto()  # somebody writes it, and its end will be told
    CHANGED = auto()  # it is not as it was, and nobody tells when that ends
    MADE = auto()  # there was none of this name
    GONE = auto()
