"""What is odd about a connection and leaves its book as it is: counted by its recorder, told everywhere."""

from collections.abc import Iterator, Mapping
from typing import Final

from orderbook.display import count

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
