"""The work of a backtest: a pass over a product of a tape, for all lanes or some, and the result of all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import pyarrow as pa
from msgspec import UNSET, UnsetType

from orderbook.digest import run_digest
from orderbook.engine import Engine, Watch
from orderbook.tally import Tally, products_with_rows
from recorder.runtime.loading import load_engine
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from replay.pieces.cutting import WHOLE_PRODUCT, ProductPiece
from replay.run_dir.writer import RunWriter
from replay.simulation.parts import BacktestPart
from replay.simulation.passes import Observer, Write, run_product
from replay.simulation.results import Backtest
from replay.simulation.rows import BacktestRow, row_of
from replay.simulation.settings import BacktestSettings
from replay.simulation.share_rows import Rows
from replay.simulation.sums import LaneSums, market_of, sums_of, total


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

    def products(self) -> list[tuple[int, str]]:
        """Return the products of each tape, by the number of the tape."""
        return [
            (number, product)
            for number, tape in enumerate(self.tapes)
            for product in tape.select(self.settings.products)
        ]


@dataclass(slots=True)
class Pass:
    """What came of a product on a tape, or of some of its lanes; picklable.

    Attributes:
        tape, product: the product.
        tally: counts and digest of its summaries.
        lanes, parts: the numbers of the lanes, in order.
        tables: their rows by stream, if they are kept.
        rows: those of some of its lanes, to be put together with the others.
    """

    tape: int
    product: str
    tally: Tally
    lanes: list[LaneSums]
    parts: list[BacktestPart]
    tables: dict[str, list[pa.Table]] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)

    def merge(self, _later: "Pass") -> None:
        """Refuse what comes next: the rows of a lane are never cut."""
        raise NotImplementedError

    def market(self) -> object:
        """Return what does not depend on the lanes, and so is equal in all shares of them."""
        return self.tally.document(), [market_of(lane) for lane in self.lanes[:1]]


@dataclass(slots=True)
class Output:
    """Takes the tables of a product on a tape: writes and keeps them."""

    work: BacktestWork
    tape: int
    tables: dict[str, list[pa.Table]] = field(default_factory=dict)

    def __call__(self, stream: str, product: str, batch: pa.RecordBatch) -> None:
        """Take rows of a stream."""
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
    output = Output(work, number)
    write = output if work.keep or work.writer else None
    observer = None if watch is None else watch(work.tapes[number].path, product)
    whole = ProductPiece(number, product, WHOLE_PRODUCT)
    return replace(run_lanes(work, whole, write, is_stopped, progress, observer), tables=output.tables)


def run_lanes(
    work: BacktestWork,
    each: ProductPiece,
    write: Write | None,
    is_stopped: Callable[[], bool],
    progress: Watch | None = None,
    observer: Observer | None = None,
) -> Pass:
    """Run the lanes of the settings over a product of one of the tapes, or until it is stopped."""
    tape, product, settings = work.tapes[each.tape], each.product, work.settings
    engine = load_engine(work.engine, executes=True)
    run = run_product(tape, product, settings, write, is_stopped, progress, engine, observer, each.piece)
    parts = [
        part
        for lane in run.lanes
        for part in lane.parts.finish(
            product, lane.setting, lane.queue, lane.lane.account, work.name(each.tape)
        )
    ]
    return Pass(each.tape, product, run.tally, list(sums_of(run, settings, each.tape)), parts)


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
