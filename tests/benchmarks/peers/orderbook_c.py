"""order-book, the C extension of cryptofeed, with orjson and floats, which are faster than Decimal."""

import sys
from contextlib import suppress

import orjson
from order_book import OrderBook

from tests.benchmarks.peers.work import WIDE, Found, answer, frames_of


def work(frames: list[bytes]) -> Found:
    """Do the work once."""
    book = OrderBook()
    bids, asks = book.bids, book.asks
    wide = 0
    best = 0.0, 0.0, 0.0, 0.0
    for frame in frames:
        message = orjson.loads(frame)
        changes = message.get("changes")
        if changes is None:
            changes = [("buy", *level) for level in message["bids"]]
            changes += [("sell", *level) for level in message["asks"]]
        for side, price, size in changes:
            levels = bids if side == "buy" else asks
            held = float(size)
            if held:
                levels[float(price)] = held
            else:
                with suppress(KeyError):
                    del levels[float(price)]
        best = *bids.index(0), *asks.index(0)
        wide += (best[2] - best[0]) / best[2] > WIDE
    return Found(len(frames), wide, *best)


if __name__ == "__main__":
    raw = frames_of(sys.argv[1], int(sys.argv[2]))
    answer(lambda: work(raw))
