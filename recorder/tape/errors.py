"""What can be wrong with a tape; each is one clear line for the user."""

from orderbook.errors import BooktapeError


class TapeError(BooktapeError):
    """The tape cannot be used as asked."""


class NotATapeError(TapeError):
    """The path is missing, no directory, or a directory without a readable manifest."""


class NewerTapeError(TapeError):
    """The tape is of a format that this version does not know."""


class LockedTapeError(TapeError):
    """Another recorder writes to the tape."""


class UnknownProductError(TapeError):
    """The tape has no such product, or the name is none."""


class DamagedTapeError(TapeError):
    """A file of the tape is not what was written."""
