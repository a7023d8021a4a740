"""Tables that are exported in pieces have the rows of one pass."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orderbook.engine import Engine
from orderbook.times import NS
from recorder.api import import_captures
from recorder.runtime.loading import engine_for
from recorder.settings import EngineName, ImportSettings, SealPolicy
from recorder.tape.reader import Tape
from replay.export.api import export_tape
from replay.export.results import Exported
from replay.export.settings import ExportSettings, TableName
from replay.running.window import WHOLE, Window
from tests.replay.export.conftest import MIDNIGHT, match
from tests.support.constants import BTC, ETH
from tests.support.pieces import CountingWorkers
from tests.support.tapes import snapshot, update, write_capture

TABLES: tuple[TableName, ...] = ("summaries", "levels", "depth", "trades", "rows")


def tape_of(directory: Path, *, trades: bool) -> Path:
    """Return a tape of two products and two connections over midnight, two rows a segment."""
    captures = []
    for number in range(2):
        frames = [(MIDNIGHT - 10 * NS + number * 12 * NS, snapshot(product)) for product in (BTC, ETH)]
        for step in range(1, 20):
            at = frames[0][0] + step * NS // 2
            frames += [(at, update(product, ("buy", f"99.{step}", "1"))) for product in (BTC, ETH)]
            if trades and step % 4 == 0:
                frames.append((at, match(step - step % 8, "buy", "99", "0.5")))  # each second one twice
        captures.append(write_capture(directory / f"{number}.jsonl", frames))
    settings = ImportSettings(seal=SealPolicy(rows=2, book_rows=1), engine="plain")
    import_captures(captures, directory / "tape", settings)
    return directory / "tape"


def rows_of(exported: Exported, table: str, product: str) -> pa.Table:
    """Return the rows of a table of a product, its files in order."""
    folder = exported.output / table / f"product={product}"
    return pa.concat_tables([pq.ParquetFile(path).read() for path in sorted(folder.rglob("*.parquet"))])


@pytest.mark.parametrize(("start", "trades"), [(None, True), (0, False), (NS // 4, True)])
def test_tables_in_pieces(tmp_path: Path, trades: bool, start: int | None) -> None:
    """All rows and counts are those of one pass, also of trades that span the ends of pieces."""
    tape = tape_of(tmp_path, trades=trades)
    first = Tape.open(tape).first_time()
    assert first is not None
    window = WHOLE if start is None else Window(first + start, first + 15 * NS)
    settings = ExportSettings("parquet", (), window, tables=TABLES, depth=2)
    workers = CountingWorkers(4)
    alone = export_tape(tape, settings, tmp_path / "alone", engine="plain")
    shared = export_tape(tape, settings, tmp_path / "shared", engine="plain", workers=workers)
    assert workers.calls[0] > 2 * len(alone.products)
    assert len(workers.calls) == 1 + trades  # trades without a subscription: once more in one pass
    assert shared.products == alone.products
    for table in TABLES:
        for product in alone.products:
            if table != "trades" or (trades and product == BTC):
                assert rows_of(shared, table, product).equals(rows_of(alone, table, product))
    assert {each.path for each in shared.files} == {
        str(path.relative_to(shared.output)) for path in shared.output.rglob("*.parquet")
    }


def test_the_engine_of_workers(tmp_path: Path) -> None:
    """Workers get the engine that `auto` is for the rows of the tape, as one process does."""
    tape, asked = tape_of(tmp_path, trades=False), []

    class AskedWorkers(CountingWorkers):
        def ready_engine(self, engine: Engine | EngineName) -> Engine | EngineName:
            asked.append(engine)
            return super().ready_engine(engine)

    settings = ExportSettings("parquet", (), WHOLE)
    export_tape(tape, settings, tmp_path / "out", workers=AskedWorkers(2))
    assert asked == [engine_for(Tape.open(tape).sealed_work(), "auto")]
