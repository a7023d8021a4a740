"""When a segment ends, and how much a power cut may take."""

from dataclasses import dataclass
from typing import Final

from orderbook.times import NS

_DAY_NS: Final = 86_400 * NS


@dataclass(frozen=True, slots=True)
class SealPolicy:
    """When a segment ends; whichever comes first. UTC midnight always ends one.

    Attributes:
        rows: rows in a segment.
        bytes: bytes of payload in a segment; the row that reaches it is the last.
        seconds: time from its first row on, also where nothing more arrives.
        sync_s: seconds between two times at which the journal is made durable: what a power cut may take.
    """

    rows: int = 50_000
    bytes: int = 256 * 2**20
    seconds: float = 900.0
    sync_s: float = 1.0

    def time_limit(self, first_time: int) -> int:
        """Return the first time that no longer belongs to a segment: by its age, or the next UTC midnight.

        Args:
            first_time: recv_time of its first row, nanoseconds since 1970.
        """
        return min(first_time + int(self.seconds * NS), (first_time // _DAY_NS + 1) * _DAY_NS)
