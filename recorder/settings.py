"""Every default of the recorder, in a frozen class of settings for each of its jobs. Light to import.

RecordSettings    `booktape record`, `recorder.api.record`
LiveSettings      `booktape live`, `recorder.api.live`
ImportSettings    `booktape import`, `recorder.api.import_captures`
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from orderbook.thresholds import DEFAULT_THRESHOLD
from orderbook.times import NS
from orderbook.venues.registry import DEFAULT_VENUE

if TYPE_CHECKING:  # the command line takes its defaults from here, and must not wait for Arrow
    from orderbook.engine import Engine
    from recorder.live.credentials import Credentials

EngineName = Literal["auto", "compiled", "plain"]
PrepareName = Literal["off", "auto"]
"""`auto` is `compiled` if numba is installed, else `plain`; both give the same results to the last bit."""


CaptureFormat = Literal["jsonl", "cryptofeed", "tardis", "json", "tardis-csv"]
"""Formats of captures, see `recorder.captures.formats`."""

_DAY_NS: Final = 86_400 * NS


@dataclass(frozen=True, slots=True)
class SealPolicy:
    """When a segment ends: at the first of these limits, and always at UTC midnight.

    Attributes:
        rows: rows in a segment.
        bytes: bytes of payload in a segment; the row that reaches the limit is the last.
        seconds: age of its first row, even if nothing more arrives.
        sync_s: seconds between fsyncs of the journal: the most that a power failure can lose.
        book_rows: rows after which a segment keeps the book before it; the first one of each hour does, too.
    """

    rows: int = 50_000
    bytes: int = 256 * 2**20
    seconds: float = 900.0
    sync_s: float = 1.0
    book_rows: int = 250_000

    def time_limit(self, first_time: int) -> int:
        """Return the first time that is too late for a segment: by its age, or the next UTC midnight.

        Args:
            first_time: recv_time of its first row, nanoseconds since 1970.
        """
        return min(first_time + int(self.seconds * NS), (first_time // _DAY_NS + 1) * _DAY_NS)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter between connection attempts.

    Attributes:
        first, longest: bounds of the wait in seconds.
    """

    first: float = 0.5
    longest: float = 30.0

    def wait(self, attempt: int, jitter: float) -> float:
        """Return the seconds to wait before an attempt, between half of its ceiling and the ceiling.

        Args:
            attempt: its number since the last success, from 0; the ceiling doubles with each.
            jitter: a random number from 0 to 1.

        >>> [Backoff(first=1, longest=8).wait(attempt, 1.0) for attempt in range(5)]
        [1.0, 2.0, 4.0, 8.0, 8.0]
        """
        ceiling: float = min(self.longest, self.first * 2 ** min(attempt, 32))
        return ceiling * (1 + jitter) / 2


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Which feed to connect to, and how.

    Attributes:
        feed: name of the venue, see `orderbook.venues.registry`.
        url: address, wss://... or ws:// on this machine; None for the exchange's own.
        channel: channel of the book; None for the feed's usual one.
        trades: whether to subscribe to trades too, on the connection of the book.
        stale_after: seconds after which a connection is replaced: without a frame, without a snapshot, or
            without an update that is overdue, see `recorder.live.book_liveness`.
        queue_bytes: limit of what waits in memory between socket and dataflow. In a recording at most half
            of it is in the journal; more is left there. A frame beyond the limit ends the connection with
            `overflow`.
        connections: number of connections after which a product ends; None to reconnect without end.
        backoff: waits between attempts.
        spacing: least seconds between two connection attempts of the process. The Advanced feed takes 8
            unauthenticated messages/s from an address, and a connection begins with three.
        credentials: API key that signs the subscribe messages; None to read it from the environment if the
            channel needs one.
        connect_to: host and port to connect to in place of the url's.
        clock_for: makes a connection's clock from product and last recv_time; None for the wall clock.
        connection_id: makes the id of a connection; None for a random one.
    """

    feed: str = DEFAULT_VENUE
    url: str | None = None
    channel: str | None = None
    trades: bool = True
    stale_after: float = 10.0
    queue_bytes: int = 256 * 2**20
    connections: int | None = None
    backoff: Backoff = Backoff()
    spacing: float = 0.4
    credentials: "Credentials | None" = None
    connect_to: tuple[str, int] | None = None
    clock_for: Callable[[str, int], Callable[[], int]] | None = None
    connection_id: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How a live feed is shown.

    Attributes:
        connection: the feed.
        duration: seconds until it ends; None to run until it is stopped.
        engine: name of the engine that keeps the books, or an engine.
        patience: seconds that a strategy may take for one call once the feed is ending.
        threshold: the relative spread above which a summary is counted as a signal.
    """

    connection: ConnectionSettings = ConnectionSettings()
    duration: float | None = None
    engine: "Engine | EngineName" = "auto"
    patience: float = 5.0
    threshold: float = DEFAULT_THRESHOLD


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """How a live feed is recorded.

    Attributes:
        connection: the feed.
        seal: when a segment ends, and how often the journal is synced.
        threshold: relative spread above which a summary counts as a signal, fraction of the ask price.
        duration: seconds until it ends; None to run until it is stopped.
        engine: name of the engine that keeps the books, or an engine.
        append: continue a tape of another kind, such as an import.
        gather: seconds that a row may wait in the queue for others, as a batch of one costs as much as one
            of twenty.
        patience: seconds that a strategy may take for one call once the feed is ending.
        now_ns: wall clock in nanoseconds since 1970: dates a new tape, and ends segments by age alone.
    """

    connection: ConnectionSettings = ConnectionSettings()
    seal: SealPolicy = SealPolicy()
    threshold: float = DEFAULT_THRESHOLD
    duration: float | None = None
    engine: "Engine | EngineName" = "auto"
    append: bool = False
    gather: float = 0.01
    patience: float = 5.0
    now_ns: Callable[[], int] = time.time_ns


@dataclass(frozen=True, slots=True)
class CaptureForm:
    """What is in a capture.

    Attributes:
        name: its format.
        time_field, frame_field: of the objects of `json`, the names of the time and of the frame.
    """

    name: CaptureFormat = "jsonl"
    time_field: str = "recv_ns"
    frame_field: str = "frame"


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """How captures are imported.

    Attributes:
        form: what is in all files.
        feed: name of the venue of their frames; None to recognise it.
        as_given: keep the order of the files; otherwise they are sorted by the time of their first frame.
        clamp: take captures whose times go back by more than `MAX_CLAMP_S`.
        torn_end: leave out the end of a capture whose recorder died as it wrote it.
        seal: when a segment ends.
        threshold: relative spread above which a summary counts as a signal, fraction of the ask price.
        engine: name of the engine that keeps the books, or an engine.
        batch_rows, batch_bytes: rows and bytes of payload that are handed over together, at most; a row of
            more bytes is alone.
    """

    form: CaptureForm = CaptureForm()
    feed: str | None = None
    as_given: bool = False
    clamp: bool = False
    torn_end: bool = False
    seal: SealPolicy = SealPolicy()
    threshold: float = DEFAULT_THRESHOLD
    engine: "Engine | EngineName" = "auto"
    batch_rows: int = 4096
    batch_bytes: int = 16 * 2**20


SEAL: Final = SealPolicy()
CONNECTION: Final = ConnectionSettings()
LIVE: Final = LiveSettings()
RECORD: Final = RecordSettings()
IMPORT: Final = ImportSettings()

MAX_CLAMP_S: Final = 5.0
"""Seconds by which the times of an import may go back: such rows get the time of the row before."""

MAX_LINE_BYTES: Final = 160 * 2**20
"""Bytes in a line of a capture: more than twice a frame of a live feed, as its quotes are escaped."""

LOG_EVERY_S: Final = 60.0
"""Seconds between status lines in the log of a recording."""

STRATEGY_BYTES: Final = 8 * 2**20
"""Bytes that wait in memory for a strategy; while there are more, the book waits for it."""

METRICS_HOST: Final = "127.0.0.1"
"""Address to which the metrics server of a recording is bound."""

SYNTHETIC_SERVER: Final = "booktape (synthetic)"
"""The `Server` header by which a server of synthetic frames is known: a tape of them says so."""
