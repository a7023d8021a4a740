"""The tables of the Python API, and what each of their columns holds."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from orderbook.depth import depth_schema
from orderbook.schema import (
    CONNECTION,
    FLOW_ANOMALY_SCHEMA,
    FLOW_SUMMARY_SCHEMA,
    FLOW_TRADE_SCHEMA,
    TAPE_SCHEMA,
)
from orderbook.tally import TALLY_SCHEMA
from replay.checking.diff.results import DIFF_SCHEMA
from replay.checking.inspect import INSPECTION_SCHEMA
from replay.checking.ladder import LADDER_SCHEMA
from replay.checking.verification import VERDICT_SCHEMA
from replay.simulation.columns import PARTS_SCHEMA, backtest_schema
from replay.simulation.tables import EQUITY_SCHEMA, EVENTS_SCHEMA, LOG_SCHEMA, ORDERS_SCHEMA, fills_schema
from replay.simulation.walk_results import WALK_SCHEMA


class Column(NamedTuple):
    """The unit of a column, and what it holds."""

    unit: str
    meaning: str


COLUMNS: Final[Mapping[str, Column]] = {
    "seq": Column("-", "number of the row on the tape of its product, from 0"),
    "recv_time": Column("UTC", "when the frame was received"),
    "exchange_time": Column("UTC", "when the exchange sent it, by the frame; null if it does not say"),
    "bid_price": Column("quote currency", "best bid; null if there is none"),
    "bid_size": Column("base currency", "size at the best bid"),
    "ask_price": Column("quote currency", "best ask; null if there is none"),
    "ask_size": Column("base currency", "size at the best ask"),
    "spread": Column("quote currency", "best ask less best bid; null if a side is empty"),
    "relative_spread": Column("fraction of the best ask", "spread divided by the best ask"),
    "connection": Column("-", "number of the connection, from 0; books do not continue from one to the next"),
    "kind": Column("-", "`frame`, `connected` or `disconnected`"),
    "payload": Column("-", "the frame as it was received; of a mark, its JSON"),
    "FLOW_ANOMALY_SCHEMA.kind": Column("-", "one of the kinds below"),
    "detail": Column("-", "what was wrong"),
    "trade_id": Column("-", "number of the trade; the trades of a product are numbered one by one"),
    "FLOW_TRADE_SCHEMA.exchange_time": Column("UTC", "when it happened; null if the feed does not say"),
    "maker_side": Column("-", "`bid` or `ask`: the side of the book that was hit; `ask`: a buyer took"),
    "FLOW_TRADE_SCHEMA.price": Column("quote currency", "price of the trade"),
    "FLOW_TRADE_SCHEMA.size": Column("base currency", "size of the trade"),
    "is_history": Column("-", "whether it happened before the subscription"),
    "bid_price_1": Column(
        "quote currency", "price of the best bid; `bid_price_2` of the next level, and so on"
    ),
    "bid_size_1": Column("base currency", "size at that level"),
    "ask_price_1": Column("quote currency", "price of the best ask"),
    "ask_size_1": Column("base currency", "size at that level"),
    "setting": Column("-", "index of the settings of the strategy"),
    "queue": Column("-", "queue model that decides what fills: `back`, `share` or `front`"),
    "orders": Column("-", "orders, refused ones included"),
    "refused": Column("-", "orders that were refused"),
    "fills": Column("-", "fills"),
    "fills_maker": Column("-", "fills of resting orders"),
    "fills_taker": Column("-", "fills of orders that took"),
    "fill_ratio": Column("fraction", "filled size by accepted size; null if no order was accepted"),
    "fill_ratio_back": Column("fraction", "the same under the lower bound"),
    "fill_ratio_front": Column("fraction", "the same under the upper bound"),
    "turnover": Column("quote currency", "sum of the values of all fills"),
    "fees": Column("quote currency", "sum of the fees, rebates taken off"),
    "realised": Column("quote currency", "profit of what was bought and sold again, before fees"),
    "mark": Column("quote currency", "the last mid that is known, at which `net` values the position"),
    "unrealised": Column("quote currency", "profit of the position at the last known mid"),
    "net": Column("quote currency", "realised + unrealised - fees"),
    "net_exit": Column("quote currency", "the same with the position marked at the touch"),
    "position": Column("base currency", "size held, negative if short"),
    "position_max": Column("base currency", "most held"),
    "position_min": Column("base currency", "least held"),
    "drawdown": Column(
        "quote currency", "largest fall of the equity below its highest mark, or below its start"
    ),
    "time_in_position_s": Column("s", "time with a position"),
    "sharpe": Column("-", "yearly Sharpe ratio; null below 100 samples or one day"),
    "sharpe_samples": Column("-", "its samples, taken for independent"),
    "sharpe_standard_error": Column("-", "its standard error"),
    "sharpe_hourly": Column("-", "yearly Sharpe ratio of hourly marks; null below 30 hours"),
    "interrupted_size": Column("base currency", "size of the orders that interruptions ended"),
    "interrupted_through": Column("-", "of those, how many the next book was at or through"),
    "interrupted_traded": Column("-", "of those, how many the next history trades went through"),
    "markout_1s_mean_bps": Column(
        "bps", "by how much the mid is better for us than the fill by then, mean; one column for each horizon"
    ),
    "markout_1s_standard_error_bps": Column("bps", "standard error of that mean; null below two fills"),
    "markout_1s_maker_bps": Column("bps", "the mean over fills as maker"),
    "markout_1s_taker_bps": Column("bps", "the mean over fills as taker"),
    "part": Column("-", "start of the UTC hour, UTC date, or number of the connection"),
    "PARTS_SCHEMA.net": Column("quote currency", "change of the equity since the part before"),
    "PARTS_SCHEMA.position": Column("base currency", "size held at the end of the part"),
    "trade_gaps": Column("-", "places at which trades are missing on the tape"),
    "number": Column("-", "number of the order, from 1 a lane"),
    "name": Column("-", "its name in a table of orders"),
    "ORDERS_SCHEMA.kind": Column("-", "`limit`, `ioc` or `market`"),
    "post_only": Column("-", "whether it is refused if it would take"),
    "ORDERS_SCHEMA.price": Column("quote currency", "its limit; null of a market order"),
    "ORDERS_SCHEMA.size": Column("base currency", "its size, after amends"),
    "filled": Column("base currency", "filled under the queue model of the lane"),
    "filled_back": Column("base currency", "filled under the lower bound"),
    "filled_share": Column("base currency", "filled under the estimate"),
    "filled_front": Column("base currency", "filled under the upper bound"),
    "ahead_at_rest": Column("base currency", "size ahead of it as it came to rest; null if it never did"),
    "sent": Column("UTC", "when the strategy sent it"),
    "arrived": Column("UTC", "when it arrived; null if the tape ended before"),
    "rested": Column("UTC", "when it first came to rest"),
    "ended": Column("UTC", "when it ended"),
    "end": Column(
        "-", "`filled`, `cancelled`, `expired`, `interrupted`, `end`, `unsent` or why it was refused"
    ),
    "amends": Column("-", "amends that were done"),
    "fill": Column("-", "number of the fill, from 0 a lane"),
    "FILLS_SCHEMA.seq": Column("-", "row of the tape that caused it"),
    "time": Column("UTC", "when, on the clock of `recv_time`"),
    "liquidity": Column("-", "`maker` or `taker`"),
    "by": Column("-", "`take`, `trade` at its price, `through` it, `cross` or `late`"),
    "FILLS_SCHEMA.price": Column("quote currency", "price of the fill"),
    "FILLS_SCHEMA.size": Column("base currency", "size of the fill"),
    "value": Column("quote currency", "price times size, exact"),
    "fee": Column("quote currency", "fee, rounded against us"),
    "ahead_back": Column("base currency", "size ahead of the order just before, under the lower bound"),
    "ahead_share": Column("base currency", "the same under the estimate"),
    "mid": Column("quote currency", "mid at the fill; null if a side is empty"),
    "markout_1s_bps": Column("bps", "how the mid moved for us by then; one column for each horizon"),
    "EVENTS_SCHEMA.seq": Column("-", "last row of the tape at that moment"),
    "event": Column(
        "-",
        "`resting`, `fill`, `amended`, `too_late`, how an order ended or why it was refused (`end` of an order;"
        " `amend_...` of an amend), or `log`",
    ),
    "EVENTS_SCHEMA.price": Column(
        "quote currency", "price of the fill, else of the order; null if it has none"
    ),
    "EVENTS_SCHEMA.size": Column("base currency", "size of the fill, else what is left of the order"),
    "EVENTS_SCHEMA.position": Column("base currency", "size held after it"),
    "why": Column("-", "`grid`, `fill`, `break` or `end`"),
    "cash": Column("quote currency", "money, from 0 or from `cash`"),
    "equity": Column("quote currency", "cash and position at the mid; null if no book is known"),
    "equity_exit": Column("quote currency", "the same at the touch that one would hit"),
    "values": Column("-", "what the strategy logged, a JSON object"),
    "product": Column("-", "product id"),
    "rows": Column("-", "rows of the tape"),
    "frames": Column("-", "rows that are frames"),
    "summaries": Column("-", "frames after which the best bid and ask are known"),
    "signals": Column("-", "summaries with a relative spread above the threshold"),
    "connections": Column("-", "connections that the rows come from"),
    "anomalies": Column("-", "anomalies of all kinds"),
    "absent_deletes": Column("-", "updates that delete a level that is not there; harmless"),
    "noop_sets": Column("-", "updates that set a level to the size that it has; harmless"),
    "first_time": Column("UTC", "`recv_time` of the first row"),
    "last_time": Column("UTC", "`recv_time` of the last row"),
    "observed_s": Column("s", "time between consecutive summaries of one connection"),
    "excluded_s": Column("s", "the rest of the time from the first row to the last: no book was known"),
    "digest": Column("-", "SHA-256 over the summaries, hex"),
    "interruptions": Column("-", "gaps between connections"),
    "segments": Column("-", "sealed files"),
    "bytes": Column("bytes", "size on disk, sealed or not"),
    "verdict": Column("-", "`verified`, `unverifiable` or `broken`; the worst if there are several"),
    "reason": Column("-", "why"),
    "side": Column("-", "`bid` or `ask`"),
    "level": Column("-", "1 is the best"),
    "price": Column("quote currency", "price of the level"),
    "size": Column("base currency", "size at the level"),
    "cumulative_size": Column("base currency", "sum of the sizes from the best level to this one"),
    "fit_from": Column("UTC", "where the part to fit begins"),
    "judge_from": Column("UTC", "where the part to judge begins, and that to fit ends"),
    "judge_to": Column("UTC", "where the part to judge ends"),
    "WALK_SCHEMA.setting": Column("-", "index of the setting that was chosen; null if none had a value"),
    "in_sample": Column("as `choose`", "its value in the part to fit"),
    "out_of_sample": Column("as `choose`", "its value in the part to judge; null if it had none"),
    "rank": Column("-", "how many settings were better in the part to judge, plus one"),
    "WALK_SCHEMA.fills": Column("-", "its fills in the part to judge"),
    "WALK_SCHEMA.net": Column("quote currency", "its net profit in the part to judge; null without a book"),
    "net_median": Column("quote currency", "that of the middle setting"),
    "net_best": Column("quote currency", "that of the best setting, which nobody could have known"),
    "stream": Column("-", "`rows` of a tape; `summaries`, `signals`, `anomalies` and others of a RUN"),
    "rows_a": Column("-", "rows of A"),
    "rows_b": Column("-", "rows of B"),
    "equal": Column("-", "rows that are equal"),
    "differing": Column("-", "rows with the same seq that differ"),
    "only_a": Column("-", "rows that only A has"),
    "only_b": Column("-", "rows that only B has"),
    "first_seq": Column("-", "seq of the first row that differs; null if all are equal"),
}

TABLES: Final = (
    ("Tape.summaries", "FLOW_SUMMARY_SCHEMA", FLOW_SUMMARY_SCHEMA),
    ("Tape.rows", "TAPE_SCHEMA", TAPE_SCHEMA),
    ("Tape.trades", "FLOW_TRADE_SCHEMA", FLOW_TRADE_SCHEMA),
    ("RunResult.summaries and RunResult.signals", "FLOW_SUMMARY_SCHEMA", FLOW_SUMMARY_SCHEMA),
    ("RunResult.anomalies", "FLOW_ANOMALY_SCHEMA", FLOW_ANOMALY_SCHEMA),
    ("RunResult.depth, of one level", "depth_schema", depth_schema(1).append(CONNECTION)),
    ("RunResult.trades", "FLOW_TRADE_SCHEMA", FLOW_TRADE_SCHEMA),
    ("RunResult.table and Recorded.table", "TALLY_SCHEMA", TALLY_SCHEMA),
    ("Backtest.table", "BACKTEST_SCHEMA", backtest_schema((10**9,))),
    ("Backtest.parts_table", "PARTS_SCHEMA", PARTS_SCHEMA),
    ("WalkForward.table", "WALK_SCHEMA", WALK_SCHEMA),
    ("Backtest.orders", "ORDERS_SCHEMA", ORDERS_SCHEMA),
    ("Backtest.fills", "FILLS_SCHEMA", fills_schema((10**9,))),
    ("Backtest.equity", "EQUITY_SCHEMA", EQUITY_SCHEMA),
    ("Backtest.log", "LOG_SCHEMA", LOG_SCHEMA),
    ("What `record` and `live` give `on_rows` of a strategy that trades", "EVENTS_SCHEMA", EVENTS_SCHEMA),
    ("Inspection.table", "INSPECTION_SCHEMA", INSPECTION_SCHEMA),
    ("Verification.table", "VERDICT_SCHEMA", VERDICT_SCHEMA),
    ("Ladder.table", "LADDER_SCHEMA", LADDER_SCHEMA),
    ("Diff.table", "DIFF_SCHEMA", DIFF_SCHEMA),
)
