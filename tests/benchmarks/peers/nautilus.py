"""nautilus_trader's OrderBook, fed from Python with orjson and one `from_raw` delta for each change."""

import sys

import orjson
from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.data import OrderBookDelta
from nautilus_trader.model.enums import BookAction, BookType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.objects import FIXED_PRECISION

from tests.benchmarks.peers.work import WIDE, Found, answer, frames_of

# All prices of the tape have 2 decimals and all sizes 8, so there is no need to count them.
PRICE, SIZE = 2, 8
PRICE_SCALE, SIZE_SCALE = 10 ** (FIXED_PRECISION - PRICE), 10 ** (FIXED_PRECISION - SIZE)


def work(frames: list[bytes]) -> Found:
    """Do the work once."""
    instrument = InstrumentId.from_str("BTC-USD.COINBASE")
    book = OrderBook(instrument, BookType.L2_MBP)
    apply, delta = book.apply_delta, OrderBookDelta.from_raw
    update, delete = BookAction.UPDATE, BookAction.DELETE
    sides = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}
    wide = 0
    bid = ask = bid_size = ask_size = 0.0
    for frame in frames:
        message = orjson.loads(frame)
        changes = message.get("changes")
        if changes is None:
            changes = [("buy", *level) for level in message["bids"]]
            changes += [("sell", *level) for level in message["asks"]]
        for side, price, size in changes:
            price_raw = int(price.replace(".", "")) * PRICE_SCALE
            size_raw = int(size.replace(".", "")) * SIZE_SCALE
            action = update if size_raw else delete
            apply(delta(instrument, action, sides[side], price_raw, PRICE, size_raw, SIZE, 0, 0, 0, 0, 0))
        bid, ask = book.best_bid_price().as_double(), book.best_ask_price().as_double()
        bid_size, ask_size = book.best_bid_size().as_double(), book.best_ask_size().as_double()
        wide += (ask - bid) / ask > WIDE
    # as_double() is inexact in the last bits.
    best = round(bid, PRICE), round(bid_size, SIZE), round(ask, PRICE), round(ask_size, SIZE)
    return Found(len(frames), wide, *best)


if __name__ == "__main__":
    raw = frames_of(sys.argv[1])
    answer(lambda: work(raw))
