"""The rows of a batch as arrays: what a row of each kind gives, to the last unit."""

from orderbook.events import BookEvent, Trade
from orderbook.execution.market_rows import MarketColumns
from orderbook.execution.rows import BookRow, BreakRow, OtherRow, TradeRow


def test_rows_of_each_kind() -> None:
    """Changes keep their order, a snapshot clears, trades are sorted, what is cut is counted."""
    update = BookEvent(False, [(100, "1.5"), (99, "")], [(101, "0.0000000009")])
    snapshot = BookEvent(True, [(98, "46116860185")], [])
    trades = [Trade(8, None, "ask", 101, "0.123456789", False), Trade(7, 5, "bid", 100, "2", True)]
    columns = MarketColumns()
    for row in (
        BreakRow(0, 10, 0),
        BookRow(1, 11, 0, 4, [update, snapshot]),
        TradeRow(2, 12, 0, trades),
        OtherRow(4, 12, 0),
        BookRow(5, 12, 1, None, [BookEvent(False, [], [])]),
    ):
        columns.add(row)
    rows = columns.to_rows()
    rows.check()
    assert rows.kind.tolist() == [1, 4, 3, 0, 2]
    assert rows.seq.tolist() == [0, 1, 2, 4, 5]
    assert rows.connection.tolist() == [0, 0, 0, 0, 1]
    assert rows.book_time.tolist() == [-(2**63), 4, *[-(2**63)] * 3]
    assert rows.first_change.tolist() == [0, 0, 5, 5, 5, 5]
    assert rows.changes.tolist() == [
        [0, 100, 150_000_000],
        [0, 99, 0],
        [1, 101, -1],  # there, and less than a unit
        [2, 0, 0],
        [0, 98, 2**62],
    ]
    assert rows.first_trade.tolist() == [0, 0, 0, 2, 2, 2]
    assert rows.trades.tolist() == [[7, 5, 0, 100, 200_000_000, 1], [8, -(2**63), 1, 101, 12_345_678, 0]]
    assert rows.sizes_cut.tolist() == [0, 2, 1, 0, 0]


def test_no_rows() -> None:
    """A batch without rows is one too."""
    MarketColumns().to_rows().check()
