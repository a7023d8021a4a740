"""nautilus_trader runs on the catalog that we write for it, and tells its best bid and ask after each frame.

    python nautilus_best.py TAPE PRODUCT CATALOG OUT

OUT is JSON: a row for each batch of changes with its time of receipt, best bid, its size, best ask, its size
(null for an empty side), and the number of trades that the strategy got.
"""

import json
import sys
from pathlib import Path
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.enums import AccountType, BookType, OmsType
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from nautilus_trader.trading.strategy import Strategy

import booktape as bt


class Watcher(Strategy):  # type: ignore[misc]  # nautilus_trader has no types
    """Notes the best levels after each batch of changes, and counts trades."""

    def __init__(self, instrument: Any) -> None:
        super().__init__()
        self.instrument = instrument
        self.rows: list[list[float | None]] = []
        self.trades = 0

    def on_start(self) -> None:
        """Subscribe."""
        self.subscribe_order_book_deltas(self.instrument, BookType.L2_MBP)
        self.subscribe_trade_ticks(self.instrument)

    def on_order_book_deltas(self, deltas: Any) -> None:
        """Note the best levels."""
        book = self.cache.order_book(self.instrument)
        best = (book.best_bid_price(), book.best_bid_size(), book.best_ask_price(), book.best_ask_size())
        self.rows.append([deltas.ts_init, *(None if each is None else float(str(each)) for each in best)])

    def on_trade_tick(self, _tick: Any) -> None:
        """Count."""
        self.trades += 1


def main(tape: str, product: str, directory: str, out: str) -> None:
    """Export, and run."""
    bt.open(tape).export(directory, to="nautilus", products=product)
    catalog = ParquetDataCatalog(directory)
    (instrument,) = catalog.instruments()
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        Venue("COINBASE"),
        OmsType.NETTING,
        AccountType.CASH,
        [Money(1_000_000, USD)],
        book_type=BookType.L2_MBP,
    )
    engine.add_instrument(instrument)
    engine.add_data(catalog.order_book_deltas(batched=True))
    engine.add_data(catalog.trade_ticks())
    watcher = Watcher(instrument.id)
    engine.add_strategy(watcher)
    engine.run()
    found = {"rows": watcher.rows, "trades": watcher.trades, "precision": instrument.price_precision}
    Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
