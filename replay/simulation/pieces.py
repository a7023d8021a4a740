"""The work of a backtest on one product of one tape, here or as a worker does it, and of a step of a walk.

A lane carries its orders and its money, so a product of a tape is never cut; the steps of a walk begin anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import pyarrow as pa
from msgspec import UNSET, UnsetType

from orderbook.digest import run_digest
from orderbook.engine import Engine, Watch
from orderbook.tally import Tally, products_with_rows
from recorder.runtime.loading import engine_name, load_engine
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from replay.pieces.cutting import ProductPiece, ProductPieces, whole_product
from replay.pieces.workers import Workers
from replay.processes import check_picklable
from replay.run_dir.writer import RunWriter, piece_files
from replay.simulation.parts import BacktestPart
from replay.simulation.passes import Observer, run_product
from replay.simulation.results import Backtest
from replay.simulation.rows import BacktestRow, row_of
from replay.simulation.settings import BacktestSettings
from replay.simulation.sums import LaneSums, sums_of, total


@dataclass(frozen=True, slots=True)
class BacktestWork:
    """What is run; picklable if the strategy can be imported.

    Attributes:
        tapes: the tapes.
        names: their paths, as they were given.
        settings: what is run on each.
        writer: of the RUN directory; None if nothing is written.
        keep: whether the tables come back.
        engine: runs the books and the exchange.
    """

    tapes: Sequence[Tape]
    names: Sequence[Path]
    settings: BacktestSettings
    writer: RunWriter | None
    keep: bool
    engine: Engine | EngineName

    def name(self, tape: int) -> str | UnsetType:
        """Return the name of a tape in results, where there are several."""
        return str(self.names[tape]) if len(self.names) > 1 else UNSET

    def products(self) -> list[ProductPieces]:
        """Return the products of each tape, which are not cut."""
        return [
            whole_product(number, product)
            for number, tape in enumerate(self.tapes)
            for product in tape.select(self.settings.products)
        ]


@dataclass(slots=True)
class Pass:
    """What came of a product on a tape; picklable."""

    tape: int
    product: str
    tally: Tally
    lanes: list[LaneSums]
    parts: list[BacktestPart]
    tables: dict[str, list[pa.Table]] = field(default_factory=dict)

    def merge(self, _later: "Pass") -> None:
        """Refuse what comes next: a product is never cut."""
        raise NotImplementedError


@dataclass(slots=True)
class _Output:
    """Takes the tables of a product on a tape: writes and keeps them."""

    work: BacktestWork
    tape: int
    tables: dict[str, list[pa.Table]] = field(default_factory=dict)

    def __call__(self, stream: str, product: str, batch: pa.RecordBatch) -> None:
        name = self.work.name(self.tape)
        if name is not UNSET:
            names = pa.array([name] * batch.num_rows, pa.string())
            batch = batch.append_column(pa.field("tape", pa.string(), nullable=False), names)
        if self.work.writer is not None:
            self.work.writer.write(stream, product, batch)
        if self.work.keep:
            ids = pa.array([product] * batch.num_rows, pa.string())
            table = pa.Table.from_batches([batch]).add_column(0, "product", ids)
            self.tables.setdefault(stream, []).append(table)


def run_pass(
    work: BacktestWork,
    number: int,
    product: str,
    is_stopped: Callable[[], bool],
    progress: Watch | None = None,
    watch: Callable[[Path, str], Observer] | None = None,
) -> Pass:
    """Run all lanes of a product over one of the tapes, or until it is stopped."""
    tape, engine = work.tapes[number], load_engine(work.engine, executes=True)
    output = _Output(work, number)
    write = output if work.keep or work.writer else None
    observer = None if watch is None else watch(tape.path, product)
    run = run_product(tape, product, work.settings, write, is_stopped, progress, engine, observer)
    parts = [
        part
        for lane in run.lanes
        for part in lane.parts.finish(product, lane.setting, lane.queue, lane.lane.account, work.name(number))
    ]
    return Pass(number, product, run.tally, list(sums_of(run, work.settings, number)), parts, output.tables)


def run_piece(work: BacktestWork, each: ProductPiece) -> Pass:
    """Run a product of a tape as a worker does; its files are complete when this returns."""
    # The rows of another tape may begin with any seq.
    prefix = f"{each.tape:04d}-" if len(work.names) > 1 else ""
    with piece_files(work.writer, prefix=prefix) as files:
        return run_pass(replace(work, writer=files), each.tape, each.product, lambda: False)


def run_shared(work: BacktestWork, workers: Workers) -> list[Pass]:
    """Run the products of all tapes by workers, the largest first: so none is left to wait for at the end."""
    pieces = work.products()
    sizes = [-work.tapes[each.tape].product(each.product).stored_bytes() for each in pieces]
    order = sorted(range(len(pieces)), key=sizes.__getitem__)
    found = workers.merged(run_piece, sent(work, workers), [pieces[place] for place in order])
    return [each for _, each in sorted(zip(order, found, strict=True), key=lambda pair: pair[0])]


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


def result_of(work: BacktestWork, passes: Sequence[Pass]) -> Backtest:
    """Put the passes together: by product, the tapes in order, and the total of several last."""
    tallies: list[dict[str, Tally]] = [{} for _ in work.names]
    for each in passes:
        tallies[each.tape][each.product] = each.tally
    tables: dict[str, list[pa.Table]] = {}
    rows: list[BacktestRow] = []
    passes = sorted(passes, key=lambda each: (each.product, each.tape))
    for _, of_product in groupby(passes, key=lambda each: each.product):
        found = list(of_product)
        for each in found:
            rows += [row_of(lane, work.settings, work.name(each.tape)) for lane in each.lanes]
            for stream, batches in each.tables.items():
                tables.setdefault(stream, []).extend(batches)
        if len(work.names) > 1:
            rows += _totals(work.settings, [lane for each in found for lane in each.lanes])
    result = Backtest(
        tuple(
            (path, run_digest(products_with_rows(each)))
            for path, each in zip(work.names, tallies, strict=True)
        ),
        work.settings,
        rows,
        [part for each in passes for part in each.parts],
    )
    for stream, batches in tables.items():
        setattr(result, stream, pa.concat_tables(batches))
    return result


def _totals(settings: BacktestSettings, lanes: list[LaneSums]) -> list[BacktestRow]:
    """Return the rows of a product over all tapes."""
    of_lane: dict[tuple[int, str], list[LaneSums]] = {}
    for each in lanes:
        of_lane.setdefault((each.setting, each.queue), []).append(each)
    return [row_of(total(found), settings, None) for found in of_lane.values()]
