"""What is odd about a connection and leaves its book as it is: counted by its recorder, told everywhere."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from orderbook.display import count
from orderbook.venues.base import Venue

ODDITIES: Final = {
    "trades_unacknowledged": "{} without an acknowledgement of the trades",
    "trades_malformed": "{} with trades that could not be read",
    "trades_repeated": "{} with a trade_id that had come before, counted once",
    "trade_gaps": "{} before which trades are missing",
    "foreign_frames": "{} of a product that was not asked for",
}
"""What is counted, and how it is said of a number of frames or connections."""


def oddity_lines(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield a line for each oddity that is there; names of a later version are said as they are.

    >>> list(oddity_lines({"trades_malformed": 2, "trades_unacknowledged": 1, "trade_gaps": 0}))
    ['1 connection without an acknowledgement of the trades', '2 frames with trades that could not be read']
    >>> list(oddity_lines({"{1}": 1}))
    ['1 frame of kind {1}']
    """
    for name in (*ODDITIES, *(name for name in counts if name not in ODDITIES)):
        if number := counts.get(name, 0):
            noun = "connection" if name == "trades_unacknowledged" else "frame"
            what = f"{count(number)} {noun}{'s' * (number != 1)}"
            said = ODDITIES.get(name)
            yield f"{what} of kind {name}" if said is None else said.format(what)


def is_foreign(venue: Venue, text: str, named: Collection[str], subscribed: Collection[str]) -> bool:
    """Tell whether a frame of the book or of trades is about products alone that were not asked for.

    Args:
        venue: the venue of the frame.
        text: the frame.
        named: the products that it names.
        subscribed: the products that its connection asked for.
    """
    if not named or any(product in subscribed for product in named):
        return False
    return venue.holds_book(text) or any(word in text for word in venue.trade_words)
