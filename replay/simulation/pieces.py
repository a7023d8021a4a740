"""A backtest that is shared out to workers: products of tapes, and of large ones shares of their lanes.

A lane carries its orders and its money, so its rows are never cut. A worker holds the book, a batch of rows,
its own lanes, and with `keep` their tables.
"""

import threading
from dataclasses import replace

import pyarrow as pa

from orderbook.errors import StepError
from recorder.runtime.loading import engine_name
from recorder.runtime.signals import interruptible
from recorder.settings import EngineName
from replay.pieces.cutting import WHOLE_PRODUCT, Piece, ProductPiece, ProductPieces
from replay.pieces.workers import Workers
from replay.processes.pool import check_picklable
from replay.run_dir.writer import piece_files
from replay.simulation.making import lanes_of_a_replay
from replay.simulation.parts import BacktestPart
from replay.simulation.share_rows import ShareRows, remove_shares, together
from replay.simulation.sharing import shares_of
from replay.simulation.sums import LaneSums
from replay.simulation.work import BacktestWork, Output, Pass, run_lanes, run_pass


def run_piece(work: BacktestWork, each: ProductPiece) -> Pass:
    """Run a product of a tape, or some of its lanes, as a worker does; its files are complete then."""
    lanes = each.piece.lanes
    with piece_files(work.writer, prefix=_prefix(work, each.tape)) as files:
        if lanes is None:
            found = run_pass(replace(work, writer=files), each.tape, each.product, _never)
            # Thousands of small tables take a second to send.
            whole = {
                stream: [pa.concat_tables(tables).combine_chunks()] for stream, tables in found.tables.items()
            }
            return replace(found, tables=whole)
        work = replace(work, settings=replace(work.settings, share=lanes))
        if not work.keep and files is None:
            return run_lanes(work, each, None, _never)
        name = f"{each.tape:04d}-{each.product}-{lanes.start:06d}"
        taken = ShareRows(None if work.keep else files, name)
        return replace(run_lanes(work, each, taken, _never, taken.end_step), rows=taken.finish())


def _never() -> bool:
    return False


def _prefix(work: BacktestWork, tape: int) -> str:
    """Return what precedes the names of the files of a tape: the rows of another may begin with any seq."""
    return f"{tape:04d}-" if len(work.names) > 1 else ""


def run_shared(work: BacktestWork, workers: Workers) -> list[Pass]:
    """Run the products of all tapes by workers, or shares of their lanes."""
    pieces = _cut(work, workers.width)
    products: dict[tuple[int, str], list[Pass]] = {each: [] for each in work.products()}
    for found in workers.merged(run_piece, sent(work, workers), pieces):
        products[found.tape, found.product].append(found)
    stopped = threading.Event()
    with interruptible(stopped.set, "no run was written"):
        passes = [_together(work, found, stopped) for found in products.values()]
    if work.writer is not None:
        remove_shares(work.writer)
    return passes


def _cut(work: BacktestWork, workers: int) -> list[ProductPieces]:
    """Return the pieces, those that take longest first: so none is left to wait for at the end."""
    products = work.products()
    tapes = [work.tapes[number].product(product) for number, product in products]
    sizes, lanes = [tape.stored_bytes() for tape in tapes], len(work.settings.lanes())
    least = lanes_of_a_replay(products[0][1], work.settings) if products and lanes > 1 else 1
    pieces = []
    for (number, product), tape, size, shares in zip(
        products, tapes, sizes, shares_of(sizes, lanes, workers, least), strict=True
    ):
        next_seq = tape.next_seq() if len(shares) > 1 else None
        for share in shares:
            piece = WHOLE_PRODUCT if next_seq is None else Piece(next_seq=next_seq, lanes=share)
            pieces.append((size * (len(share) + least), ProductPieces(number, product, (piece,))))
    pieces.sort(key=lambda each: -each[0])
    return [piece for _, piece in pieces]


def _together(work: BacktestWork, shares: list[Pass], stopped: threading.Event) -> Pass:
    """Return what came of a product whose lanes were shared out, as of one process, or until it is stopped.

    Raises:
        StepError: if not all of them have seen the same market.
    """
    first, *others = shares
    if not others:
        return first
    if any(each.market() != first.market() for each in others):
        raise StepError(
            f"{work.names[first.tape]}: {first.product}: the processes that shared its lanes read different"
            " rows: run it again when the tape does not change, or in one process"
        )
    queues = work.settings.queues

    def place(lane: LaneSums | BacktestPart) -> tuple[int, int]:
        return lane.setting, queues.index(lane.queue)

    with piece_files(work.writer, prefix=_prefix(work, first.tape)) as files:
        output = Output(replace(work, writer=files), first.tape)
        for stream in dict.fromkeys(stream for each in shares for stream in each.rows):
            for rows in together([each.rows[stream] for each in shares if stream in each.rows], queues):
                if stopped.is_set():
                    break
                output(stream, first.product, rows)
    return replace(
        first,
        lanes=sorted((lane for each in shares for lane in each.lanes), key=place),
        parts=sorted((part for each in shares for part in each.parts), key=place),
        tables=output.tables,
        rows={},
    )


def sent(work: BacktestWork, workers: Workers) -> BacktestWork:
    """Return what is sent to workers: each loads the engine from where its code is kept.

    Raises:
        OptionError: if the strategy cannot be sent.
    """
    check_picklable(work.settings)
    workers.ready_engine("plain")
    name: EngineName = "plain" if engine_name(work.engine) == "plain" else "compiled"
    return replace(
        work, tapes=[tape.to_send(elsewhere=workers.are_elsewhere) for tape in work.tapes], engine=name
    )
