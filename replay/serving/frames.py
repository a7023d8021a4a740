"""Reads the frames of a connection replay from the tape, as they are needed."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from orderbook.trades import TradeWatch
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape
from replay.serving.merging import ServedFrame, StoredFrame, merged
from replay.serving.playlist import ConnectionReplay, TapeConnection

_BATCH_ROWS: Final = 512
"""Rows of each product that are in memory at once, for every client."""

_CHUNK_FRAMES: Final = 256
_CHUNK_CHARACTERS: Final = 2**20


def frames(tape: Tape, replay: ConnectionReplay) -> Iterator[ServedFrame]:
    """Yield the frames of a connection replay in recorded order, reading at most a batch per product ahead.

    Raises:
        DamagedTapeError: if a file is not as it was written.
    """
    connections: dict[tuple[str, str], dict[str, Iterator[StoredFrame]]] = {}
    for each in replay.connections:
        # A connection without an id is not shared.
        stored = _stored_frames(tape.product(each.product), each, min(each.end, replay.end))
        connections.setdefault((each.id, "" if each.id else each.product), {})[each.product] = stored
    return merged(connections.values(), tape.venue)


def next_chunk(source: Iterator[ServedFrame]) -> list[ServedFrame]:
    """Return the next frames: at most 256, about a megabyte of text; an empty list at the end."""
    chunk = []
    characters = 0
    for frame in islice(source, _CHUNK_FRAMES):
        chunk.append(frame)
        characters += len(frame.text)
        if characters >= _CHUNK_CHARACTERS:
            break
    return chunk


def is_acknowledged(tape: Tape, connection: TapeConnection) -> bool:
    """Return whether a connection holds the acknowledgement of a subscription. O(rows before it)."""
    kind = tape.venue.acknowledgement
    for rows in _batches(tape.product(connection.product), connection, connection.end):
        likely = rows.filter(pc.match_substring(rows.column("payload"), f'"{kind}"'))
        if any(tape.venue.kind(text) == kind for text in likely.column("payload").to_pylist()):
            return True
    return False


def has_trades(tape: Tape, product: str) -> bool:
    """Return whether a product has a trade. O(rows before it)."""
    watch = TradeWatch(product, tape.venue)
    for rows in tape.product(product).batches(_BATCH_ROWS):
        payloads = rows.filter(watch.may_matter(rows)).column("payload").to_pylist()
        if any(tape.venue.holds_trades(text) for text in payloads):
            return True
    return False


def _stored_frames(tape: ProductTape, connection: TapeConnection, end: int) -> Iterator[StoredFrame]:
    for rows in _batches(tape, connection, end):
        times = rows.column("recv_time").view(pa.int64()).to_pylist()
        yield from map(StoredFrame, times, rows.column("payload").to_pylist())


def _batches(tape: ProductTape, connection: TapeConnection, end: int) -> Iterator[pa.RecordBatch]:
    """Yield the frames of a connection up to a time (inclusive), in seq order."""
    first_seq, parts = tape.sealed_rows(), tape.parts()
    if (removed := tape.removed) is not None and parts[0].connections[0] >= connection.number:
        raise removed.error(tape.directory)  # a client needs the snapshot that began it
    for part in parts:
        if part.connections[1] >= connection.number:
            first_seq = part.first_seq
            break
    for rows in tape.batches(_BATCH_ROWS, first_seq):
        numbers, times = rows.column("connection"), rows.column("recv_time").view(pa.int64())
        wanted = pc.and_(pc.equal(numbers, connection.number), pc.equal(rows.column("kind"), "frame"))
        yield rows.filter(pc.and_(wanted, pc.less_equal(times, end)))
        if numbers[-1].as_py() > connection.number or times[-1].as_py() > end:
            return
