"""The memory of the compiled exchange as Python owns it: made, filled for a batch, enlarged."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orderbook.compiled.layout import Book, Market
from orderbook.execution.compiled import layout
from orderbook.execution.compiled.digest import HASHED
from orderbook.execution.compiled.layout import ITEMS, MARK, MOST_RESTING, NO_ONE, NODE, REQUEST, UNKNOWN
from orderbook.execution.compiled.loading import Kernel
from orderbook.execution.compiled.places import PRINT
from orderbook.execution.records import as_words
from orderbook.execution.words import MOST_REQUESTS

_FIRST_FILLS: Final = 1 << 13
_FIRST_DONE: Final = 1 << 11
_FIRST_SAMPLES: Final = 1 << 12
_MANY_ROWS: Final = 1 << 16
_FIRST_NODES: Final = 1 << 11
_FIRST_MARKS: Final = 1 << 10
_FIRST_LEVELS: Final = 64
(_INBOX,) = layout.places_of(layout.MARKET, "inbox")
_POOLS: Final = {"orders": "order", "nodes": "node", "reports": "report"}


class Memory:
    """All memory of a product.

    Args:
        kernel: the kernel.
        horizons: of the mark-outs, ns.

    Attributes:
        address: that of all memory, for the kernel.
        market: the record of `layout.MARKET`.
        lanes: the records of `layout.LANE`.
        words, lane_words: the words of the market's record and of the lanes', to read them fast.
        relative_spread: that of the market.
    """

    def __init__(self, kernel: Kernel, horizons: Sequence[int]) -> None:
        self._run = kernel.run
        self._market = np.zeros(1, layout.MARKET)
        self.market: Any = self._market[0]
        self.address = self._market.ctypes.data
        self.words = self._market.view(np.int64).data
        self.relative_spread = self._market["relative_spread"].data
        self._tables: dict[str, npt.NDArray[Any]] = {}
        self._columns: Sequence[npt.NDArray[Any]] = ()
        self._rows: Market | None = None
        self._book: Book | None = None
        for table, item in ITEMS.items():
            self.set(table, np.zeros(0, item))
        self.lanes = self.set("lanes_at", np.zeros(0, layout.LANE))
        self.set("horizons", np.array(horizons, np.int64))
        self.set("told", np.zeros(len(horizons), np.int64))
        self._make_fills(_FIRST_FILLS)
        self.set("done_at", np.zeros(_FIRST_DONE, layout.ORDER))
        self.set("rested_at", np.zeros(_FIRST_DONE, layout.RESTED))
        self.set("marks_at", np.zeros(_FIRST_MARKS * MARK, np.int64))
        self.set("hashed", np.zeros(HASHED, np.int64))
        self.set("met", np.zeros(4 * MOST_RESTING, np.int64))
        self.set("prints_at", np.zeros(64 * PRINT, np.int64))
        self._inbox = self.set("inbox_at", np.zeros(16 * REQUEST, np.int64)).data
        self.set("ladder", np.zeros(2 * _FIRST_LEVELS, np.int64))
        self.set("shown_at", np.zeros(1, ITEMS["shown_at"]))
        self.set("own_at", np.zeros(MOST_RESTING, ITEMS["own_at"]))
        for pool in _POOLS.values():
            self.market[f"free_{pool}"] = NO_ONE
        self._enlarge_pool("orders", 16)
        self._enlarge_pool("nodes", _FIRST_NODES)
        self._enlarge_pool("reports", _FIRST_NODES)
        self.market["next_markout"] = layout.NEVER
        for name in ("next_mark", "book_time", "least_lag", "was_book_time"):
            self.market[name] = layout.UNKNOWN
        self.market["seq"] = -1
        self.market["relative_spread"] = np.nan

    def set_lanes(self, number: int) -> None:
        """Make so many lanes."""
        self.lanes = self.set("lanes_at", np.zeros(number, layout.LANE))
        self.lane_words = self.lanes.view(np.int64).data
        self.accounts = self.set("accounts", np.zeros(number, layout.ACCOUNT))
        self.accounts["mark_time"] = UNKNOWN
        self.moves = self.set("moves_at", np.zeros(2 * number, layout.MOVES))
        self.moves["last"] = UNKNOWN
        horizons = len(self.table("horizons"))
        markouts = self.set("markouts_at", np.zeros(2 * number * horizons, layout.MARKOUTS))
        self.markouts = markouts.reshape(number, 2, horizons)
        self.set("resting", np.zeros(number * MOST_RESTING, np.int64))
        self.set("boxes_at", np.zeros(2 * number, layout.RESTED))
        self.set("due", np.full(number, layout.NEVER))
        self.set("stirs", np.zeros(number, np.int64))
        self.idle_below = self.set("idle_below", np.zeros(number))
        self.market["lanes"] = number

    def set(self, table: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Make an array a table; it is kept alive."""
        self._tables[table] = values
        self.market[table] = values.ctypes.data
        self.market[f"{table}_room"] = len(values)
        return values

    def table(self, name: str) -> npt.NDArray[Any]:
        """Return a table."""
        return self._tables[name]

    def set_rows(self, columns: Sequence[npt.NDArray[Any]], market: Market) -> None:
        """Let the kernel read the rows of a batch, if it does not yet.

        Args:
            columns: seq, recv_time and connection of the rows.
            market: what else the exchange reads of them, written row by row.
        """
        if columns is self._columns and market is self._rows:
            return
        self._columns, self._rows = columns, market
        for table, values in zip(("seq_of", "time_of", "connection_of"), columns, strict=True):
            self.set(table, np.ascontiguousarray(values, ITEMS[table]))
        self.set("kind_of", market.kinds)
        # Of each of these tables they are the first row.
        self.set("book_time_of", market.times)
        self.set("first_trade", market.firsts)
        self.set("trades", market.trades)
        self.market["rows"] = len(columns[0])

    def set_book(self, book: Book) -> None:
        """Let the kernel read a book, if it does not yet."""
        if book is self._book:
            return
        self._book = book
        self.set("book", np.frombuffer(book.registers, ITEMS["book"]))
        for table in ("near", "blocks", "directory"):
            self.set(table, getattr(book, table))

    def add_requests(self, requests: list[tuple[int, ...]]) -> None:
        """Hand over what the strategy that was woken asks for."""
        if not requests:
            return
        if REQUEST * len(requests) > len(self._inbox):
            self._inbox = self.set("inbox_at", np.zeros(2 * REQUEST * len(requests), np.int64)).data
        at = 0
        for request in requests:
            for word in request:
                self._inbox[at] = word
                at += 1
        self.words[_INBOX] = len(requests)
        for table, pool in (("orders", "order"), ("nodes", "node")):
            if self.market[f"free_{pool}s"] < len(requests) + 8:
                self._enlarge_pool(table, 2 * len(requests) + 16)

    def make_room(self) -> None:
        """Make the room that the kernel lacks; what it has written must have been taken away."""
        market = self.market
        needed = int(market["needed"])
        used = int(market["fills"])  # those whose mids are not all known
        if len(self.table("fills_at")) - used < max(needed, used):
            self._make_fills(2 * (used + needed))
        samples = needed + int(market["marks"])
        keeps_done = market["most_orders"] != 0 or (self.lanes["strategy"] == layout.PYTHON).any()
        for table, is_kept, least in (
            ("done_at", keeps_done, needed),
            ("rested_at", market["keeps_rested"], needed),
            ("samples_at", market["keeps_samples"], samples),
        ):  # each time more, as many lanes write much between two batches
            room = len(self.table(table))
            if room < max(least, _MANY_ROWS if is_kept else 0):
                self.set(table, np.zeros(2 * max(room, least), ITEMS[table]))
        for table, pool in _POOLS.items():
            if market[f"free_{pool}s"] < (MOST_REQUESTS + 8 if table == "orders" else needed):
                self._enlarge_pool(table, max(needed, len(self.table(table)) // self._width(table)))
        lanes = self.lanes
        met = int((lanes["resting"] + lanes["late_count"]).max(initial=0))
        if met > len(self.table("met")):
            self.set("met", np.zeros(2 * met, np.int64))
        own = int(lanes["own"].max(initial=0))
        if own > len(self.table("own_at")):
            self.set("own_at", np.zeros(2 * own, ITEMS["own_at"]))
        prints = self.table("prints_at")
        if PRINT * needed > len(prints):
            larger = np.zeros(2 * PRINT * needed, np.int64)
            larger[: len(prints)] = prints
            self.set("prints_at", larger)

    def take_fills(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Take away the fills whose mids are all known: records of `EVENT`, and (fills, horizons)."""
        fills, whole = self.table("fills_at"), self.table("fill_order")[: self._whole_fills()]
        taken = (
            fills.take(whole),
            self.table("mids_at").reshape(len(fills), len(self.table("told"))).take(whole, 0),
        )
        self.drop_fills()
        return taken

    def drop_fills(self) -> None:
        """Drop the fills whose mids are all known."""
        whole, count = self._whole_fills(), int(self.market["fills"])
        words, mids = as_words(self.table("fills_at")), self.table("mids_at")
        order, told = self.table("fill_order"), self.table("told")
        mids = mids.reshape(len(words), len(told))
        rest, left = order[whole:count].copy(), count - whole
        words[:left], mids[:left], order[:left] = words.take(rest, 0), mids.take(rest, 0), np.arange(left)
        told -= whole
        self.market["fills"] = left

    def _whole_fills(self) -> int:
        """Return the number of fills, in the order of their times, whose mids are all known."""
        told = self.table("told")
        return int(told[-1] if len(told) else self.market["fills"])

    def _make_fills(self, number: int) -> None:
        """Make room for so many fills; those that are there stay."""
        horizons = len(self.table("horizons"))
        for table, width in (("fills_at", 1), ("fill_order", 1), ("mids_at", horizons)):
            old = self.table(table)
            larger = np.zeros(number * width, ITEMS[table])
            larger[: len(old)] = old
            self.set(table, larger)

    def make_room_for_marks(self) -> None:
        """Double the marks that can wait until all lanes have taken them."""
        marks = self.table("marks_at")
        self.set("marks_at", np.concatenate((marks, np.zeros_like(marks))))

    def do(self, task: int) -> int:
        """Let the kernel do a task that is not about rows; return why that ended."""
        market = self.market
        market["task"] = task
        why = self._run(self.address, 0)
        market["task"] = layout.RUN_ROWS
        return why

    def ask(self, task: int, wanted: int, answer: int = 0) -> int:
        """Return the answer of the kernel to a question of a strategy."""
        market = self.market
        market["wanted"], market["answer"] = wanted, answer
        self.do(task)
        return int(market["answer"])

    def levels(self, side: int, depth: int | None) -> Iterator[tuple[int, int]]:
        """Yield (price, size) of a side, best first."""
        room = len(self.table("ladder")) // 2
        most = room if depth is None else depth
        while (count := self.ask(layout.TELL_LEVELS, side, min(most, room))) == room and depth != room:
            room *= 2
            most = room if depth is None else depth
            self.set("ladder", np.zeros(2 * room, np.int64))
        words = self.table("ladder")[: 2 * count].tolist()
        return zip(words[::2], words[1::2], strict=True)

    @staticmethod
    def _width(table: str) -> int:
        return NODE if table == "nodes" else 1

    def _enlarge_pool(self, table: str, number: int) -> None:
        """Add free items to a pool."""
        old, width, pool = self.table(table), self._width(table), _POOLS[table]
        used = len(old) // width
        larger = np.zeros((used + number) * width, old.dtype)
        larger[: len(old)] = old
        links = larger[0::width] if width > 1 else larger["next"]
        links[used:] = np.arange(used + 1, used + number + 1)
        links[-1] = self.market[f"free_{pool}"]
        self.market[f"free_{pool}"] = used
        self.market[f"free_{pool}s"] += number
        self.set(table, larger)
