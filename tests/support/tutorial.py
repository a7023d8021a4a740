"""The source and the book of bytewax's order book tutorial: `python tutorial.py URL PRODUCT`.

Prints the best levels after every message as JSON lines, until the connection ends. Nothing of ours in it.
"""

import json
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import websockets
from bytewax.inputs import StatefulSourcePartition, batch_async
from websockets.exceptions import ConnectionClosed


async def _ws_agen(product_id: str, url: str) -> AsyncGenerator[tuple[str, Any], None]:
    async with websockets.connect(url) as websocket:
        msg = json.dumps({"type": "subscribe", "product_ids": [product_id], "channels": ["level2_batch"]})
        await websocket.send(msg)
        # The first msg is just a confirmation that we have subscribed.
        await websocket.recv()

        while True:
            msg = str(await websocket.recv())
            yield (product_id, json.loads(msg))


class CoinbasePartition(StatefulSourcePartition[tuple[str, Any], None]):
    """The tutorial's partition."""

    def __init__(self, product_id: str, url: str) -> None:
        self._batcher = batch_async(_ws_agen(product_id, url), timedelta(seconds=0.5), 100)

    def next_batch(self) -> list[tuple[str, Any]]:
        """Return what came within half a second, at most 100 messages."""
        return next(self._batcher)

    def snapshot(self) -> None:
        """Keep no state."""


@dataclass
class OrderBookState:
    """The tutorial's book: best prices by `max` and `min`."""

    bids: dict[float, float] = field(default_factory=dict)
    asks: dict[float, float] = field(default_factory=dict)

    def update(self, data: dict[str, Any]) -> None:
        """Take the first message as the snapshot and every other one as changes."""
        if not self.bids:
            self.bids = {float(price): float(size) for price, size in data["bids"]}
        if not self.asks:
            self.asks = {float(price): float(size) for price, size in data["asks"]}
        for side, price_text, size_text in data.get("changes", []):
            levels = self.asks if side == "sell" else self.bids
            price, size = float(price_text), float(size_text)
            if size == 0.0:
                levels.pop(price, None)
            else:
                levels[price] = size

    def top(self) -> tuple[float, float, float, float]:
        """Return best bid, its size, best ask, its size."""
        bid, ask = max(self.bids), min(self.asks)
        return bid, self.bids[bid], ask, self.asks[ask]


def follow(product_id: str, url: str) -> None:
    """Print the best levels until the connection ends."""
    partition = CoinbasePartition(product_id, url)
    book = OrderBookState()
    while True:
        try:
            messages = partition.next_batch()
        except ConnectionClosed:
            return
        for _, data in messages:
            book.update(data)
            sys.stdout.write(json.dumps(book.top()) + "\n")


if __name__ == "__main__":
    follow(sys.argv[2], sys.argv[1])
