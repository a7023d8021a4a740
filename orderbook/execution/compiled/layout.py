"""The memory of the compiled exchange: every register and array, what it holds and who makes it.

Python makes all memory (`memory.Memory`) and the kernel is given one address: that of the list of all arrays.
Thirty arrays as arguments would cost more than a wake of a strategy.

Sides are 0 (bid) and 1 (ask), queue models 0 (back), 1 (share) and 2 (front). A price of 0 is none. Money is
two words, see `wide`. Lists are chained by number; `NO_ONE` ends them.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from orderbook.compiled import layout as book_layout
from orderbook.execution.codes import Code
from orderbook.execution.market_rows import NO_TIME
from orderbook.execution.resting import COLUMNS as RESTED_COLUMNS
from orderbook.execution.words import MARKET_WORDS, ORDER_WORDS

NO_ONE: Final = -1
UNKNOWN: Final = NO_TIME
"""A time or a number that is not known."""
NEVER: Final = 2**63 - 1

MOST_RESTING: Final = 64
NODE: Final = 8
"""Words of a node; the first chains it to the next."""
MARK: Final = 4
"""Words of a mark of the grid: time, connection, best bid and ask."""
REQUEST: Final = 6
"""Words of a request: what, number of the order or side, kind, post_only, price, size."""
ROW: Final = 8
"""Words of a row of a table of orders: time, what, target, side, price, size, post_only, kind."""


def _record(*fields: tuple[str, int], floats: tuple[str, ...] = ()) -> Any:
    words = [(name, np.int64, (count,)) if count > 1 else (name, np.int64) for name, count in fields]
    return np.dtype([*words, *((name, np.float64) for name in floats)], align=True)


def _words(names: str) -> list[tuple[str, int]]:
    return [(name, 1) for name in names.split()]


TABLES: Final = (
    # Of the batch, see `MarketRows`; the tables are flat.
    *("seq_of", "time_of", "connection_of", "kind_of", "book_time_of", "first_trade", "trades"),
    # The book of the engine, see `orderbook.compiled.layout.Book`.
    *("book", "near", "blocks", "directory"),
    # The lanes; the numbers of their resting orders, `MOST_RESTING` a lane; when each has something to do;
    # what of a row concerns it, see `stirring`, and below which spread it is idle.
    *("lanes_at", "resting", "due", "stirs", "idle_below"),
    # Pools, chained while they are free.
    *("orders", "nodes", "reports"),
    # Trades that the book does not show yet; the orders that a row meets, sorted.
    *("prints_at", "met"),
    # What each lane has come to, see `account`; how its equity moved, from mark to mark, and by the hour; its
    # mark-outs, as maker and as taker, each by horizon.
    *("accounts", "moves_at", "markouts_at"),
    # Fills, orders that are over, how orders rested and samples of equity, until Python takes them; of each
    # lane and side a box, see `resting`; marks of the grid; the words that are hashed.
    *("fills_at", "done_at", "rested_at", "samples_at", "boxes_at", "marks_at", "hashed"),
    # Of the fills: their numbers by time; twice the mid at each horizon, 0 if it is not known; the horizons,
    # and of how many fills by time the mid has been told.
    *("fill_order", "mids_at", "horizons", "told"),
    # Rows of tables of orders; durations that are drawn; requests of the strategy that was woken, and
    # prices and sizes that it asked for.
    *("table", "latencies", "inbox_at", "ladder"),
    # What a compiled strategy sees: the market, and its open orders.
    *("shown_at", "own_at"),
)
"""All memory: the record of the market has of each table its address, and `<name>_room`, its length."""

MARKET: Final = _record(
    *((name, 1) for table in TABLES for name in (table, f"{table}_room")),
    # Where the kernel is, so that it can be called again.
    *_words("row rows phase lane"),
    *_words("ended"),  # why the kernel returned
    *_words("task wanted answer"),  # what `kernel.run` shall do, a question of the strategy, its answer
    *_words("begins has_begun lanes"),  # with what the lanes begin
    *_words("needed"),  # how much room of anything it lacks
    *_words("top_changed has_trades"),  # what of the row wakes strategies
    # The lane whose strategy is woken, and what it has heard; the address that wakes one in Python.
    *_words("woken why heard_before wake"),
    # The rules of the product; `has_steps` once Python has seen the first book, which may tell the tick.
    *_words("has_steps tick lot min_funds_high min_funds_low collar band"),
    # What the tape shows.
    *_words("seq time connection is_known bid bid_size ask ask_size book_time book_row least_lag excess_lag"),
    *_words("was_known was_bid was_ask was_book_time was_book_row"),
    ("sized", 6),  # of each side the price whose size was asked for last, at which row, and its size
    *_words("seen_bid seen_bid_size seen_ask seen_ask_size"),  # the top that strategies were woken for
    *_words("first_mid first_mid_time"),  # twice the first mid that is known, since the lanes began
    *_words("every next_mark"),  # the grid of samples
    *_words("next_markout odd_markouts"),  # when the next mid is due; how many are left, see `markouts`
    # What is wanted beside sums, see `results.Wanted`; -1 for all. `keeps_rested` is of some lanes at least.
    *_words("keeps_samples sample_shift keeps_rested most_rested rested_shift most_orders"),
    *_words("next_due"),  # when the next lane has something to do
    # How much is used of what is filled.
    *_words("prints fills done rested samples marks inbox"),
    *_words("free_order free_orders free_node free_nodes free_report free_reports"),
    floats=("relative_spread",),
)

LANE: Final = _record(
    *_words("number"),
    # Settings.
    *_words("queue keeps forgets maker taker limits_cash limits_base report"),
    *_words("latency low span table_start draws"),
    *_words("wakes every strategy hears"),
    # Requests and orders.
    *_words("requests last_arrival scheduled accepted sent"),
    *_words("resting late_count late_first late_last taken_first"),
    *_words("arrival_first arrival_last report_first report_last"),
    *_words("heard_first heard_last heard"),  # reports that Python has not taken
    *_words("timer timer_number every_time every_number timer_first"),
    *_words("table_next table_end"),
    *_words("acted at_moment now"),
    # What interruptions did, see `breaks.BrokenOrders`.
    *_words("broken_size broken_through broken_traded broken_first untraded_first broken_book_time"),
    # As reported.
    *_words(
        "own_first own_last known_position known_cash_high known_cash_low known_fees_high known_fees_low"
    ),
    *_words("cash_whole cash_fraction fees_whole fees_fraction"),  # the same money, see `words.MarketWords`
    *_words("can_idle"),  # whether it is idle below a spread
    *_words("was_above keeps_rested rested"),  # how often orders rested, see `resting`
    # Of a compiled strategy: the addresses of its function, its arrays and its room for requests; how many
    # open orders it has.
    *_words("function params state out own"),
    floats=("spread",),
)

ORDER: Final = _record(
    *_words("lane number side kind post_only price size sent"),
    ("filled", 3),
    # Its place in the queue, see `queue.QueuePlace`.
    *_words(
        "has_place level since back share is_fresh waiting_first waiting_last waiting owed_first owed_last"
    ),
    *_words("rank arrived rested ahead_at_rest ended end amends"),
    *_words("rested_before"),  # how many orders of the lane that rested were over before
    *_words("resting_since since_size since_back since_share"),  # see `resting`
    *_words("late_book_time late_number is_late is_over next"),
    # As the strategy knows it, see `own_orders.OwnOrder`.
    *_words(
        "is_own own_price own_left wanted_price wanted_left rests amending cancelling own_next own_before"
    ),
)

RESTED: Final = _record(*_words(f"lane {' '.join(RESTED_COLUMNS)} highest rows"))
"""A row of RUN/resting, see `orderbook.execution.resting`; or some of a side, a box, see `resting`."""

ACCOUNT: Final = _record(
    # Money as at the exchange, see `account.Account`.
    *_words("cash_high cash_low position fees_high fees_low realised_high realised_low"),
    *_words("cost_high cost_low turnover_high turnover_low is_valued first_cost_high first_cost_low"),
    ("chain", 4),  # the execution digest, see `digest`
    # Sums, see `totals.LaneTotals`: of orders and refused amends by code, and of sizes in two words.
    ("counts", max(Code) + 1),
    *(("accepted", 2), ("done", 2), ("filled", 6)),
    *(("rested_orders", 1), ("filled_orders", 3)),
    *_words("exceeds_level fills_maker fills_taker position_max position_min"),
    *_words("thinned"),  # of orders that rested every 2**this is kept
    # Samples: marks that are taken, the last mark, the last book with a mid.
    *_words("marks_taken mark_time mark_connection mark_position time_in_position"),
    *_words("known_time known_bid known_ask highest_high highest_low fall_high fall_low"),
    # The extremes so far of the bucket of the last sample.
    *_words("bucket least_position most_position has_equity"),
    *_words("least_equity_high least_equity_low most_equity_high most_equity_low"),
)

MOVES: Final = _record(
    *_words("first last connection equity_high equity_low count total_high total_low"), ("squares", 4)
)
"""How equity moved between marks, see `totals.Moves`; equity is kept twice over."""

MARKOUTS: Final = _record(
    *_words("fills left_out total_high total_low value_high value_low"), ("squares", 4), ("by_value", 4)
)
"""Mark-outs of a lane, see `totals.MarkoutSums`."""

SAMPLE: Final = _record(
    *_words("lane time connection why bid ask position cash_low cash_high fees_low fees_high"),
    *_words("realised_low realised_high equity_low equity_high exit_low exit_high"),
)
"""A row of RUN/equity, see `results.Sample`."""

EVENT: Final = _record(
    *_words("lane time code number side price size is_maker fee_high fee_low"),
    *_words("by seq connection ahead_back ahead_share bid ask fill"),
    # Of a report: the order, when it is due, the running number of the action, and the next one.
    *_words("order due action next"),
)

# Kinds of orders.
LIMIT: Final = 0
IOC: Final = 1
MARKET_ORDER: Final = 2

# Requests.
NEW: Final = 0
AMEND: Final = 1
CANCEL: Final = 2
WAKE_AT: Final = 3
SAME: Final = -1
"""A price or size that an amend leaves as it is."""

# What filled an order.
TAKE: Final = 1
TRADE: Final = 2
THROUGH: Final = 3
CROSS: Final = 4
LATE: Final = 5

# Why there is a sample, see `results.SampleWhy`.
GRID: Final = 0
FILL: Final = 1
BREAK: Final = 2
END: Final = 3

# Models of latency.
FIXED: Final = 0
UNIFORM: Final = 1
DRAWN: Final = 2
FEED: Final = 3

# Strategies.
TABLE: Final = 0
PYTHON: Final = 1
CALLED: Final = 2

# With what the lanes begin.
NOT_YET: Final = 0
WITH_ROW: Final = 1
"""The next row."""
WITH_BOOK: Final = 2
"""The next row that has a summary; the lanes are made then."""

# What the kernel shall do.
RUN_ROWS: Final = 0
END_TAPE: Final = 1
TELL_AHEAD: Final = 2
"""What is ahead of the order whose number is `wanted`."""
TELL_SIZE: Final = 3
"""The size on side `wanted` at the price in `answer`."""
TELL_LEVELS: Final = 4
"""The best `answer` levels of side `wanted`, in `ladder`; their number."""

LOOK: Final = 5
"""Take note of the book as it stands where reading begins."""

# What of a row comes next, see `kernel`.
ADVANCE: Final = 0
APPLY: Final = 1
SEE: Final = 2

# Why the kernel returned.
DONE: Final = 0
LACKS_ROOM: Final = 1
NEEDS_LANES: Final = 2
LACKS_MARKS: Final = 6
NEEDS_TICK: Final = 3
ENDLESS: Final = 5
FAILED: Final = 7


def places_of(record: Any, *names: str) -> Iterator[int]:
    """Yield where fields are in the words of a record; Python reads words faster than fields."""
    return (record.fields[name][1] // 8 for name in names)


ITEMS: Final[dict[str, Any]] = dict.fromkeys(TABLES, np.dtype(np.int64)) | {
    "idle_below": np.dtype(np.float64),
    "connection_of": np.dtype(np.int32),
    "kind_of": np.dtype(np.uint8),
    "first_trade": np.dtype(np.int32),
    "book": book_layout.BOOK_REGISTERS,
    "lanes_at": LANE,
    "orders": ORDER,
    "reports": EVENT,
    "accounts": ACCOUNT,
    "moves_at": MOVES,
    "markouts_at": MARKOUTS,
    "fills_at": EVENT,
    "done_at": ORDER,
    "rested_at": RESTED,
    "boxes_at": RESTED,
    "samples_at": SAMPLE,
    "shown_at": MARKET_WORDS,
    "own_at": ORDER_WORDS,
}
"""What each table holds."""
