"""Exchange frames made of columns: many levels or trades at once, in the spelling of the feed."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from orderbook.venues.columns import LevelColumns, TradeColumns


def updates(levels: LevelColumns) -> pa.Array:
    """Return an l2update for each message. O(levels)."""
    begin = pc.if_else(levels.is_bid, '["buy","', '["sell","')
    changes = pc.binary_join_element_wise(begin, levels.price, '","', levels.size, '"]', "")
    return pc.binary_join_element_wise(
        *('{"type":"l2update","product_id":"', levels.product, '","changes":['),
        *(_joined(changes, levels.first), '],"time":"', _iso(levels.time), '"}', ""),
    )


def snapshots(levels: LevelColumns) -> pa.Array:
    """Return a snapshot for each message, in the key order of 2026. O(levels)."""
    found = pc.binary_join_element_wise('["', levels.price, '","', levels.size, '"]', "")
    is_bid = levels.is_bid.to_numpy(zero_copy_only=False)
    sides = []
    for wanted in (~is_bid, is_bid):
        before = pa.array(wanted.cumsum(dtype="int32"))
        first = pa.concat_arrays([pa.array([0], pa.int32()), before]).take(levels.first)
        sides.append(_joined(found.filter(pa.array(wanted)), first))
    return pc.binary_join_element_wise(
        *('{"type":"snapshot","product_id":"', levels.product, '","asks":[', sides[0]),
        *('],"bids":[', sides[1], '],"time":"', _iso(levels.time), '"}', ""),
    )


def trades(found: TradeColumns) -> pa.Array:
    """Return a match for each trade. O(trades)."""
    return pc.binary_join_element_wise(
        *('{"type":"match","trade_id":', found.trade_id, ',"side":"'),
        *(pc.if_else(found.is_bid, "buy", "sell"), '","size":"', found.size, '","price":"', found.price),
        *('","product_id":"', found.product, '","time":"', _iso(found.time), '"}', ""),
    )


def _joined(texts: pa.Array, first: pa.Array) -> pa.Array:
    """Return the texts of each message, with commas between them."""
    return pc.binary_join(pa.ListArray.from_arrays(first, texts), ",")


def _iso(microseconds: pa.Array) -> Any:
    """Return times as ISO texts with exactly 6 decimals."""
    texts = microseconds.cast(pa.timestamp("us")).cast(pa.string())
    return pc.binary_join_element_wise(pc.replace_substring(texts, " ", "T"), "Z", "")
