"""Rows of the execution oracle as rows of a tape: the frames that each feed would send."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.support.constants import BTC, SECOND
from tests.support.oracle import Row

SIDES = {"bid": "buy", "ask": "sell"}
ADVANCED_SIDES = {"bid": "bid", "ask": "offer"}


def time_text(time: int) -> str:
    """Return a time in nanoseconds since the epoch as a feed writes it."""
    seconds, rest = divmod(time, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def timed(time: int | None, key: str) -> dict[str, str]:
    """Return the field of a time; no field if it is None."""
    return {} if time is None else {key: time_text(time)}


def tape_rows(rows: Iterable[Mapping[str, Any]], feed: str, product: str = BTC) -> Iterator[Row]:
    """Yield rows of the oracle as rows of a tape; a row of several trades is several frames on Exchange."""
    seq = connection = number = 0
    for row in rows:
        if row["row"] in {"connected", "disconnected"}:
            connection += row["row"] == "connected"
            number = 0
            yield Row(seq, row["t"], connection, row["row"], json.dumps({"products": [product]}))
            seq += 1
            continue
        for frame in [advanced_frame(row, product)] if feed == "advanced" else exchange_frames(row, product):
            if feed == "advanced":
                frame["sequence_num"] = number
            yield Row(seq, row["t"], connection, "frame", json.dumps(frame))
            seq += 1
            number += 1


def exchange_frames(row: Mapping[str, Any], product: str) -> list[dict[str, Any]]:
    """Return the frames of Coinbase Exchange for a row."""
    frame: dict[str, Any] = {"product_id": product, **timed(row.get("time"), "time")}
    if row["row"] == "snapshot":
        return [{"type": "snapshot", **frame, "bids": row["bids"], "asks": row["asks"]}]
    if row["row"] == "update":
        changes = [(SIDES[side], price, size) for side, price, size in row["changes"]]
        return [{"type": "l2update", **frame, "changes": changes}]
    if row["row"] == "trades":
        kind = "last_match" if row.get("is_history") else "match"
        return [
            {"type": kind, "trade_id": trade_id, "side": SIDES[side], "size": size, "price": price}
            | {"product_id": product, **timed(time, "time")}
            for side, price, size, time, trade_id in sorted(row["trades"], key=lambda trade: trade[4])
        ]
    return [{"type": "heartbeat", **frame, "time": time_text(row["t"])}]


def advanced_frame(row: Mapping[str, Any], product: str) -> dict[str, Any]:
    """Return the frame of Coinbase Advanced Trade for a row, without its sequence number."""
    frame: dict[str, Any] = {"channel": "l2_data", "timestamp": time_text(row["t"])}
    event: dict[str, Any] = {"type": "snapshot" if row["row"] == "snapshot" else "update"}
    if row["row"] == "trades":
        trades = [
            {"product_id": product, "trade_id": str(trade_id), "side": SIDES[side].upper()}
            | {"price": price, "size": size, **timed(time, "time")}
            for side, price, size, time, trade_id in row["trades"]
        ]
        kind = "snapshot" if row.get("is_history") else "update"
        return frame | {"channel": "market_trades", "events": [{"type": kind, "trades": trades}]}
    if row["row"] == "other":
        return frame | {"channel": "heartbeats", "events": [{"heartbeat_counter": 1}]}
    changes = [
        *(("bid", *level) for level in row.get("bids", ())),
        *(("ask", *level) for level in row.get("asks", ())),
        *row.get("changes", ()),
    ]
    updates = [
        {"side": ADVANCED_SIDES[side], "price_level": price, "new_quantity": size}
        | timed(row["time"], "event_time")
        for side, price, size in changes
    ]
    return frame | {"events": [event | {"product_id": product, "updates": updates}]}
