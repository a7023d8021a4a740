"""nautilus_trader: a catalog, written through its own API, as the widths of its numbers depend on its build.

Its objects are made one by one, so this is the slowest of the formats.
"""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from orderbook.errors import OptionError
from orderbook.execution.market_rows import NO_TIME
from recorder.tape.store.durable import sync_directory
from recorder.tape.store.files import ParquetFile, sync_file
from replay.export.events import EMPTIED, IN_SNAPSHOT, events_of, events_of_book
from replay.export.ordering import Ordered, Ordering
from replay.export.passing import Part
from replay.export.results import ExportedFile
from replay.run_dir.writer import RunError

VENUE: Final = "COINBASE"
SIZE_DECIMALS: Final = 8
_MOST_DECIMALS: Final = 8
_ADD, _UPDATE, _DELETE, _CLEAR = 1, 2, 3, 4
_SNAPSHOT, _LAST = 32, 128  # bits of `flags`
_CHUNK: Final = 50_000
"""Objects in a file of the catalog, about."""


def require_nautilus() -> None:
    """Check that nautilus_trader can be imported.

    Raises:
        OptionError: if it is not installed.
    """
    if find_spec("nautilus_trader") is None:
        reason = "its catalog is written by nautilus_trader: install booktape and it in one environment"
        raise OptionError(reason, option="to", value="nautilus")


class NautilusWriter:
    """Writes one product into the catalog.

    Args:
        directory: of the catalog.
        product: id of the product.
    """

    def __init__(self, directory: Path, product: str) -> None:
        self._directory = directory
        self._product = product
        self._data = import_module("nautilus_trader.model.data")
        self._objects = import_module("nautilus_trader.model.objects")
        identifiers = import_module("nautilus_trader.model.identifiers")
        self._trade_id = identifiers.TradeId
        self._symbol = identifiers.Symbol(product)
        self._id = identifiers.InstrumentId.from_str(f"{product}.{VENUE}")
        catalog = import_module("nautilus_trader.persistence.catalog")
        self._catalog = catalog.ParquetDataCatalog(str(directory))
        self._ordering = Ordering(None)
        self._decimals: int | None = None
        self._held: dict[str, list[Any]] = {"deltas": [], "trades": []}
        self._trades: list[Part] = []  # of before the first book, which tells the decimals

    def add(self, part: Part) -> None:
        """Add the next rows. O(events), slowly."""
        if part.begins and part.book is not None:
            self._add_deltas(self._ordering.add(events_of_book(part.book, part.first_time)))
        self._add_deltas(self._ordering.add(events_of(part, with_trades=False)))
        self._trades.append(part)
        if self._decimals is not None:
            self._add_trades()

    def close(self) -> list[ExportedFile]:
        """Write what is held, and return all files of the product."""
        self._add_deltas(self._ordering.finish())
        if self._decimals is None:
            self._begin(_MOST_DECIMALS, self._trades[0].first_time if self._trades else 0)
        self._add_trades()
        for name in self._held:
            self._write(name, len(self._held[name]))
        found = []
        for path in sorted(self._directory.glob(f"data/*/{self._id}/*.parquet")):
            sync_file(path)
            sync_directory(path.parent)
            with ParquetFile(path) as file:
                found.append(ExportedFile.of_path(path, self._directory, file.metadata.num_rows))
        return found

    def _begin(self, decimals: int, time: int) -> None:
        """Write the instrument, whose price has so many decimals."""
        self._decimals = decimals
        instruments, make = import_module("nautilus_trader.model.instruments"), self._objects
        base, _, quote = self._product.partition("-")
        instrument = instruments.CurrencyPair(
            instrument_id=self._id,
            raw_symbol=self._symbol,
            base_currency=make.Currency.from_str(base),
            quote_currency=make.Currency.from_str(quote or base),
            price_precision=decimals,
            size_precision=SIZE_DECIMALS,
            price_increment=make.Price(10**-decimals, decimals),
            size_increment=make.Quantity(10**-SIZE_DECIMALS, SIZE_DECIMALS),
            ts_event=time,
            ts_init=time,
        )
        self._catalog.write_data([instrument])

    def _raw(self, values: Any, decimals: int) -> list[int]:
        """Return numbers as nautilus has them, whole multiples of the last decimal."""
        scale = 10 ** (self._objects.FIXED_PRECISION - decimals)
        return [each * scale for each in np.rint(values * 10**decimals).astype(np.int64).tolist()]

    def _raw_prices(self, prices: Any) -> list[int]:
        decimals = self._decimals
        assert decimals is not None  # noqa: S101  the first book was seen
        wrong = prices[np.rint(prices * 10**decimals) / 10**decimals != prices]
        if len(wrong):
            raise RunError(f"{self._product}: {wrong[0]} has more decimals than the first book's prices")
        return self._raw(prices, decimals)

    def _add_deltas(self, found: Iterator[Ordered]) -> None:
        make, held = self._data.OrderBookDelta.from_raw, self._held["deltas"]
        for ordered in found:
            events = ordered.events.before(len(ordered.group))
            if self._decimals is None:
                prices = events.price[events.what == IN_SNAPSHOT]
                if not len(prices):
                    continue  # no book was known yet
                self._begin(_decimals_of(prices), int(ordered.day_time[0]))
            size, count = events.size, np.diff(events.first)
            kinds = [events.what == EMPTIED, size == 0, events.what == IN_SNAPSHOT]
            flags = np.where(kinds[0] | kinds[2], _SNAPSHOT, 0)
            flags[events.first[1:][count > 0] - 1] = _LAST  # alone, or its batching does not see it
            columns = (
                np.select(kinds, [_CLEAR, _DELETE, _ADD], _UPDATE).tolist(),
                np.array([1, 2, 0])[events.side].tolist(),
                self._raw_prices(events.price),
                self._raw(size, SIZE_DECIMALS),
                flags.tolist(),
                np.repeat(ordered.exch, count).tolist(),
                np.repeat(ordered.day_time, count).tolist(),
            )
            held += (
                make(self._id, action, side, price, self._decimals, amount, SIZE_DECIMALS, 0, flag, 0, *times)
                for action, side, price, amount, flag, *times in zip(*columns, strict=True)
            )
            self._flush("deltas")

    def _add_trades(self) -> None:
        make, held = self._data.TradeTick.from_raw, self._held["trades"]
        for part in self._trades:
            market, step = part.market, part.step.trades
            assert step is not None  # noqa: S101  trades were read
            told = np.flatnonzero(market.trades[:, 5] == 0)
            if not len(told):
                continue
            rows = step.trades.take(pa.array(told))
            local, time = rows.column("recv_time").view(pa.int64()).to_numpy(), market.trades[told, 1]
            columns = (
                self._raw_prices(rows.column("price").to_numpy()),
                self._raw(rows.column("size").to_numpy(), SIZE_DECIMALS),
                (2 - market.trades[told, 2]).tolist(),
                rows.column("trade_id").cast(pa.string()).to_pylist(),
                np.where(time == NO_TIME, local, time).tolist(),
                local.tolist(),
            )
            for price, amount, side, number, event, init in zip(*columns, strict=True):
                trade = self._trade_id(str(number))
                held.append(
                    make(self._id, price, self._decimals, amount, SIZE_DECIMALS, side, trade, event, init)
                )
        self._trades = []
        self._flush("trades")

    def _flush(self, name: str) -> None:
        """Write what fills files; no time of receipt is in two of them."""
        held = self._held[name]
        while len(held) >= 2 * _CHUNK:
            cut = _CHUNK
            while cut < len(held) and held[cut].ts_init == held[cut - 1].ts_init:
                cut += 1
            if cut == len(held):
                return
            self._write(name, cut)

    def _write(self, name: str, count: int) -> None:
        if count:
            self._catalog.write_data(self._held[name][:count])
            del self._held[name][:count]


def _decimals_of(prices: Any) -> int:
    """Return how many decimals prices have at most."""
    scaled = ((decimals, prices * 10**decimals) for decimals in range(_MOST_DECIMALS))
    fits = (decimals for decimals, each in scaled if (np.rint(each) / 10**decimals == prices).all())
    return next(fits, _MOST_DECIMALS)
