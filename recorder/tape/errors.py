"""What can be wrong with a tape; each message is one line for the user."""

from pathlib import Path

from orderbook.errors import BooktapeError


class TapeError(BooktapeError):
    """The tape cannot be used in this way.

    Attributes:
        path: the tape, or the file in it, if one is to blame.
    """

    def __init__(self, message: str, path: Path | None = None) -> None:
        super().__init__(message)
        self.path = path


class NotATapeError(TapeError):
    """The path is missing, is not a directory, or has no readable manifest."""


class NewerTapeError(TapeError):
    """The tape has a format that this version does not know."""


class LockedTapeError(TapeError):
    """Another process is writing to the tape."""


class UnknownProductError(TapeError):
    """The tape has no such product.

    Attributes:
        product: the name that was asked for.
        choices: the products of the tape.
    """

    def __init__(
        self, message: str, path: Path | None = None, *, product: str = "", choices: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, path)
        self.product = product
        self.choices = choices


class DamagedTapeError(TapeError):
    """A file of the tape is not what was written."""


class RemovedRowsError(TapeError):
    """Rows are asked for that were removed here; the message names the store in which they are."""


class ShippingError(TapeError):
    """A tape cannot be shipped to this place: another one, or something else, is there."""


class StoreError(TapeError):
    """An object store cannot be reached, refuses what is asked for, or gives no usable answer."""
