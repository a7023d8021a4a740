"""Recording inside the test's process, and when to stop."""

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from recorder.api import record
from recorder.dataflow.flows import SummaryOutput
from recorder.results import Recorded
from recorder.settings import Backoff, ConnectionSettings, RecordSettings

QUICK: Final = Backoff(first=0.01, longest=0.02)


def quick_settings(feed: str, url: str, **settings: Any) -> RecordSettings:
    """Return settings without waits, for any tape; `settings` are of the connection."""
    connection = ConnectionSettings(
        feed, url, **{"trades": False, "backoff": QUICK, "spacing": 0.0, **settings}
    )
    return RecordSettings(connection, append=True)


def record_here(
    url: str,
    tape: Path,
    done: Mapping[str, Callable[[pa.RecordBatch], bool]],
    feed: str = "exchange",
    beside: Sequence[str] = (),
    **settings: Any,
) -> Recorded:
    """Record in this process until each product's condition has held once, then stop as Ctrl-C does.

    Args:
        url: address of the exchange.
        tape: directory of the tape.
        done: by product, the condition on each batch of its summaries.
        feed: name of the exchange's feed.
        beside: products that are recorded too, without a condition.
        settings: of the connection.
    """
    waiting = set(done)

    def take(product: str, summaries: pa.RecordBatch) -> None:
        if product in waiting and done[product](summaries):
            waiting.remove(product)
            if not waiting:
                signal.raise_signal(signal.SIGINT)

    output = SummaryOutput(None, take)
    return record([*beside, *done], tape, quick_settings(feed, url, **settings), output=output)


def summaries(number: int, connection: int = 0) -> Callable[[pa.RecordBatch], bool]:
    """Return a condition: `number` summaries of a connection have arrived."""
    left = number

    def enough(batch: pa.RecordBatch) -> bool:
        nonlocal left
        left -= int(batch.column("connection").to_pylist().count(connection))
        return left <= 0

    return enough
