"""Real captures as rows of the execution oracle, read with the json module alone, and their real orders."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.support.constants import SECOND

SIDES = {"buy": "bid", "sell": "ask"}


def nanoseconds(text: str) -> int:
    """Return the nanoseconds since the epoch of a time such as 2018-03-25T00:00:01.606000Z."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
    return int(seconds) * SECOND + int(fraction.ljust(9, "0"))


def capture_rows(path: Path, product: str) -> list[dict[str, Any]]:
    """Return the rows of a product in a capture of Coinbase Exchange."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    frames = [(record["recv_ns"], json.loads(record["frame"])) for record in records]
    return [
        {"t": recv_time, **row_of(frame)}
        for recv_time, frame in frames
        if frame.get("product_id", product) == product
    ]


def row_of(frame: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a frame of Coinbase Exchange, without its receive time."""
    time = nanoseconds(frame["time"]) if "time" in frame else None
    match frame["type"]:
        case "snapshot":
            return {"row": "snapshot", "bids": frame["bids"], "asks": frame["asks"], "time": time}
        case "l2update":
            changes = [(SIDES[side], price, size) for side, price, size in frame["changes"]]
            return {"row": "update", "changes": changes, "time": time}
        case "match" | "last_match" as kind:
            trade = (SIDES[frame["side"]], frame["price"], frame["size"], time, frame["trade_id"])
            history = {"is_history": True} if kind == "last_match" else {}
            return {"row": "trades", "trades": [trade], **history}
        case _:
            return {"row": "other"}


def real_orders(path: Path) -> list[dict[str, Any]]:
    """Return the real orders of a capture: what each asked for, when it stood, and how much of it filled."""
    orders: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return orders


def sent_again(order: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requests that send a real order just before it was opened and cancel it when it ended."""
    do = {"bid": "buy", "ask": "sell"}[order["side"]]
    limit = {"t": order["open"] - 1, "do": do, "name": "a", "price": order["price"], "size": order["size"]}
    return [limit, {"t": order["done"], "do": "cancel", "name": "a"}]


def copies(orders: list[dict[str, Any]]) -> pa.Table:
    """Return a table that sends each real order again, each as a setting of its own."""
    rows: list[dict[str, Any]] = []
    for setting, order in enumerate(orders):
        limit = {"what": "limit", "side": order["side"], "price": order["price"], "size": order["size"]}
        rows.append({"time": order["open"] - 1, "setting": setting, **limit})
        rows.append({"time": order["done"], "setting": setting, "what": "cancel"})
    columns = {
        name: pa.array([row.get(name) for row in rows], pa.string())
        for name in ("what", "side", "price", "size")
    }
    times = pa.array([row["time"] for row in rows], pa.int64()).view(pa.timestamp("ns", "UTC"))
    settings = pa.array([row["setting"] for row in rows], pa.int32())
    return pa.table({"time": times, "name": ["copy"] * len(rows), "setting": settings, **columns})
