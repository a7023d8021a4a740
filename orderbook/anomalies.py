"""What can be wrong with a feed, and how it is told.

An *anomaly* is recorded at the row where it was detected. An *oddity* of a connection leaves its book as it
is: the recorder counts it, and it has no row.

To add a kind of anomaly, add its entry here and raise it: in `orderbook.tracker`, or as the `anomaly` of an
`OtherFrame` in the decoder of a venue. Counts, verdicts, the output and the documentation follow.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from orderbook.display import count
from orderbook.venues.base import Venue


class AnomalyKind(NamedTuple):
    """One kind of anomaly.

    Attributes:
        name: the `kind` of its rows.
        meaning: what has happened, for the documentation.
        is_feed_fault: whether the feed is to blame: `verify --strict` then fails.
        breaks_connection: whether the book of the connection may differ from the venue's from then on: the
            connection is judged broken.
    """

    name: str
    meaning: str
    is_feed_fault: bool = False
    breaks_connection: bool = False


ANOMALIES: Final = (
    AnomalyKind(
        "malformed",
        "a frame breaks the format of its venue and changes nothing",
        is_feed_fault=True,
        breaks_connection=True,
    ),
    AnomalyKind("early_update", "an update comes before its connection's first snapshot", is_feed_fault=True),
    AnomalyKind(
        "crossed",
        "after a frame, the best bid is above the best ask",
        is_feed_fault=True,
        breaks_connection=True,
    ),
    AnomalyKind("unknown", "a frame is of a type that the venue does not document"),
    AnomalyKind("error", "the venue sends an error message"),
    AnomalyKind("gap", "sequence numbers are missing", is_feed_fault=True, breaks_connection=True),
)
"""All kinds, in the order in which they are printed."""

ANOMALY_KINDS: Final = tuple(each.name for each in ANOMALIES)
FEED_FAULTS: Final = tuple(each.name for each in ANOMALIES if each.is_feed_fault)
BREAKING_KINDS: Final = frozenset(each.name for each in ANOMALIES if each.breaks_connection)


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
