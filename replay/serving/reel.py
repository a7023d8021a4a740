"""The frames of a stretch, read from the tape as they are needed."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from orderbook.envelope import open_envelope
from orderbook.frames import MalformedError
from orderbook.rawjson import string
from recorder.tape.index import parts_of
from recorder.tape.reader import ProductTape, Tape
from replay.serving.merging import Row, Said, merged
from replay.serving.script import Stretch, TapeConnection

_BATCH_ROWS: Final = 512
"""Rows of each product that are in memory at once, for every client."""

_TAKE_FRAMES: Final = 256
_TAKE_CHARACTERS: Final = 2**20


def frames(tape: Tape, stretch: Stretch) -> Iterator[Said]:
    """Yield the frames of a stretch in recorded order, reading at most a batch of each product ahead.

    Raises:
        DamagedTapeError: where a file is not what was written.
    """
    connections: dict[tuple[str, str], dict[str, Iterator[Row]]] = {}
    for each in stretch.connections:
        # A connection without an id is nobody else's.
        rows = _rows(tape.product(each.product), each, min(each.end, stretch.end))
        connections.setdefault((each.id, "" if each.id else each.product), {})[each.product] = rows
    return merged(connections.values(), tape.feed)


def take(said: Iterator[Said]) -> list[Said]:
    """Return the next frames, some hundred or about a megabyte of them; none at the end."""
    taken = []
    characters = 0
    for each in islice(said, _TAKE_FRAMES):
        taken.append(each)
        characters += len(each.text)
        if characters >= _TAKE_CHARACTERS:
            break
    return taken


def is_acknowledged(tape: Tape, connection: TapeConnection) -> bool:
    """Tell whether a connection holds a `subscriptions` frame. O(rows before the first)."""
    for rows in _batches(tape.product(connection.product), connection, connection.end):
        likely = rows.filter(pc.match_substring(rows.column("payload"), '"subscriptions"'))
        if any(frame_kind(text) == "subscriptions" for text in likely.column("payload").to_pylist()):
            return True
    return False


def frame_kind(text: str) -> str | None:
    """Return the type of a frame of the Exchange feed or the channel of one of the other; None without.

    >>> frame_kind('{"type":"heartbeat"}'), frame_kind('{"channel":"subscriptions"}')
    ('heartbeat', 'subscriptions')
    """
    try:
        envelope = open_envelope(text)
    except MalformedError:
        return None
    return string(envelope.channel) or string(envelope.type)


def _rows(tape: ProductTape, connection: TapeConnection, end: int) -> Iterator[Row]:
    for rows in _batches(tape, connection, end):
        times = rows.column("recv_time").view(pa.int64()).to_pylist()
        yield from map(Row, times, rows.column("payload").to_pylist())


def _batches(tape: ProductTape, connection: TapeConnection, end: int) -> Iterator[pa.RecordBatch]:
    """Yield the frames of a connection up to and at a time, in seq order."""
    entries = tape.segments()
    first_seq = entries[-1].next_seq if entries else 0
    for part in parts_of(entries):
        if part.connections[1] >= connection.number:
            first_seq = part.first_seq
            break
    for rows in tape.batches(_BATCH_ROWS, first_seq):
        numbers, times = rows.column("connection"), rows.column("recv_time").view(pa.int64())
        wanted = pc.and_(pc.equal(numbers, connection.number), pc.equal(rows.column("kind"), "frame"))
        yield rows.filter(pc.and_(wanted, pc.less_equal(times, end)))
        if numbers[-1].as_py() > connection.number or times[-1].as_py() > end:
            return
