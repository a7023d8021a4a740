"""The kinds of anomalies: faults that a feed shows, each recorded at the row where it was detected.

To add a kind, add its entry here and raise it: in `orderbook.tracker`, or as the `anomaly` of an `OtherFrame`
in the decoder of a venue. Counts, verdicts, the output and the documentation follow from the entry.
"""

from typing import Final, NamedTuple


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
