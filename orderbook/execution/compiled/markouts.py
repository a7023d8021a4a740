"""The mid after each fill, for the fills of all lanes at once: `markouts.Markouts` on arrays."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from orderbook.execution.compiled.layout import TOUCH
from orderbook.execution.market_rows import BOOK, BREAK, MarketRows
from orderbook.execution.results import FillRow

_Int64 = npt.NDArray[np.int64]


class Markouts:
    """Fills whose horizons have not all passed.

    Args:
        horizons: ns after a fill, ascending.
    """

    def __init__(self, horizons: Sequence[int]) -> None:
        self._horizons = horizons
        self._pending: list[tuple[FillRow, list[FillRow]]] = []  # a fill, and where it goes once it is whole
        self._is_known = False
        self._touch = (0, 0)
        self._book_row = 0

    def start(self, touch: tuple[int, int], *, is_known: bool) -> None:
        """Begin with the book as it stands."""
        self._touch, self._is_known = touch, is_known

    def see(
        self, rows: MarketRows, touches: _Int64, fills: Sequence[tuple[list[FillRow], list[FillRow]]]
    ) -> None:
        """Take the rows of a batch: what they tell of the fills so far, and of those of the batch.

        Args:
            rows: the rows.
            touches: best bid and ask after each.
            fills: of each lane its new fills, and where they go once they are whole.
        """
        self._pending += [(fill, whole) for new, whole in fills for fill in new]
        (at,) = np.nonzero((rows.kind == BOOK) | (rows.kind == BREAK))
        if len(at):
            self._tell(rows, touches.reshape(-1, TOUCH), at)
        if not self._horizons:
            self._take_whole()

    def _tell(self, rows: MarketRows, touches: _Int64, at: npt.NDArray[np.int64]) -> None:
        is_book = rows.kind[at] == BOOK
        was_known = np.concatenate(([self._is_known], is_book[:-1]))
        before = np.concatenate(([self._touch], touches[:-1]))[at]
        mids = np.where(before.all(axis=1), before.sum(axis=1), 0)
        # Times of the last book row before each of these rows.
        last_book = np.maximum.accumulate(np.where(is_book, rows.time[at], self._book_row))
        last_book = np.concatenate(([self._book_row], last_book[:-1]))
        books, breaks = is_book & was_known, ~is_book & was_known
        if self._pending and self._horizons:
            self._resolve(
                (at[books], rows.time[at[books]], mids[books]),
                (at[breaks], rows.seq[at[breaks]], mids[breaks], last_book[breaks]),
            )
        self._is_known = bool(is_book[-1])
        last_bid, last_ask = touches[-1].tolist()
        self._touch = (last_bid, last_ask)
        if is_book.any():
            self._book_row = int(rows.time[at[is_book][-1]])

    def _resolve(self, books: tuple[_Int64, ...], breaks: tuple[_Int64, ...]) -> None:
        book_at, book_time, book_mid = books
        break_at, break_seq, break_mid, break_last = breaks
        fills = [fill for fill, _ in self._pending]
        times = np.array([fill.time for fill in fills], np.int64)
        seqs = np.array([fill.how.seq for fill in fills], np.int64)
        next_break = np.searchsorted(break_seq, seqs, "right")
        never = np.iinfo(np.int64).max
        ends_at = np.append(break_at, never)[next_break]
        for number, horizon in enumerate(self._horizons):
            due = times + horizon
            found = np.searchsorted(book_time, due, "right")
            told_at = np.append(book_at, never)[found]
            told = np.append(book_mid, 0)[found]
            is_cut = ends_at < told_at
            in_time = due <= np.append(break_last, 0)[next_break]
            told = np.where(is_cut, np.where(in_time, np.append(break_mid, 0)[next_break], 0), told)
            is_told = (told_at < never) | is_cut
            for fill, mid, is_known in zip(fills, told.tolist(), is_told.tolist(), strict=True):
                if is_known and len(fill.later_mids) == number:
                    fill.later_mids.append(mid or None)
        self._take_whole()

    def _take_whole(self) -> None:
        pending = []
        for fill, whole in self._pending:
            if len(fill.later_mids) == len(self._horizons):
                whole.append(fill)
            else:
                pending.append((fill, whole))
        self._pending = pending

    def end(self) -> None:
        """The tape ends."""
        bid, ask = self._touch
        mid = bid + ask if bid and ask else None
        for fill, _ in self._pending:
            for horizon in self._horizons[len(fill.later_mids) :]:
                fill.later_mids.append(mid if fill.time + horizon <= self._book_row else None)
        self._take_whole()
