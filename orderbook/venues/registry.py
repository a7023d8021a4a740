"""The names of all venues, and the way from a name to its `Venue`. Light to import."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

from orderbook.errors import UnknownVenueError

if TYPE_CHECKING:
    from orderbook.venues.base import Venue

VENUE_NAMES: Final = (
    "exchange",
    "advanced",
)
"""One line a venue: its folder's name, which is its name on the command line (`--feed`) and on disk."""

DEFAULT_VENUE: Final = VENUE_NAMES[0]
"""The venue if none is named."""


@cache
def venue(name: str) -> "Venue":
    """Return a venue by its name.

    Raises:
        UnknownVenueError: if there is no such venue.

    >>> venue("exchange").url
    'wss://ws-feed.exchange.coinbase.com'
    """
    if name not in VENUE_NAMES:
        raise UnknownVenueError(
            f"{name!r} is not known, use {' or '.join(VENUE_NAMES)}", option="feed", value=name
        )
    found: Venue = import_module(f"orderbook.venues.{name}").VENUE
    return found


def all_venues() -> "list[Venue]":
    """Return all venues, in the order of the registry."""
    return [venue(name) for name in VENUE_NAMES]
