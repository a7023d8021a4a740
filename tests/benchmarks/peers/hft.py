"""hftbacktest: `convert` makes its prepared file of raw frames, the other ways replay that file.

`hashmap` and `roivector` are its two kinds of book, each kept twice, for the exchange and for the trader;
`local` is `roivector` with the trader's alone, which is all that this work needs and the quickest there is.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest, ROIVectorMarketDepthBacktest
from hftbacktest.types import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    SELL_EVENT,
    event_dtype,
)
from numba import njit

from tests.benchmarks.peers.work import WIDE, Found, answer, frames_of

SPACING_NS = 1_000
FOREVER_NS = 10**18
END_OF_DATA = 1
TICK, LOT = 0.01, 1e-8


def convert(frames: list[bytes], path: Path, flags: int) -> Found:
    """Make the prepared file; its times only count messages, as nothing else is asked of them."""
    kinds = {"buy": flags | DEPTH_EVENT | BUY_EVENT, "sell": flags | DEPTH_EVENT | SELL_EVENT}
    kind: list[int] = []
    prices: list[float] = []
    sizes: list[float] = []
    lengths: list[int] = []
    for frame in frames:
        message = orjson.loads(frame)
        changes = message.get("changes")
        if changes is None:
            changes = [("buy", *level) for level in message["bids"]]
            changes += [("sell", *level) for level in message["asks"]]
        for side, price, size in changes:
            kind.append(kinds[side])
            prices.append(float(price))
            sizes.append(float(size))
        lengths.append(len(changes))
    events = np.zeros(len(kind), event_dtype)
    events["ev"], events["px"], events["qty"] = kind, prices, sizes
    events["local_ts"] = events["exch_ts"] = np.repeat(np.arange(1, len(frames) + 1) * SPACING_NS, lengths)
    np.savez(path, data=events)
    return Found(len(frames), 0)


@njit
def replay(backtest: Any, best: Any) -> tuple[int, int]:
    """Go through all feeds; the last one is told as the end of the data."""
    wide = messages = 0
    end = False
    while not end:
        end = backtest.wait_next_feed(False, FOREVER_NS) == END_OF_DATA
        depth = backtest.depth(0)
        bid, ask = depth.best_bid, depth.best_ask
        best[0], best[2] = bid, ask
        best[1] = depth.bid_qty_at_tick(depth.best_bid_tick)
        best[3] = depth.ask_qty_at_tick(depth.best_ask_tick)
        wide += (ask - bid) / ask > WIDE
        messages += 1
    return messages, wide


def work(build: Callable[[list[Any]], Any], path: Path, region: tuple[float, float]) -> Found:
    """Replay a prepared file once."""
    asset = (
        BacktestAsset()
        .data([str(path)])
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(TICK)
        .lot_size(LOT)
        .roi_lb(region[0])
        .roi_ub(region[1])
        .last_trades_capacity(0)
    )
    backtest = build([asset])
    best = np.zeros(4)
    messages, wide = replay(backtest, best)
    backtest.close()
    bid, bid_size, ask, ask_size = best.tolist()
    return Found(messages, wide, round(bid, 2), bid_size, round(ask, 2), ask_size)


def prepared(raw: str, path: Path, flags: int) -> tuple[float, float]:
    """Make the prepared file, and one of a few frames beside it; return between which prices all are."""
    frames = frames_of(raw)
    convert(frames[:3], few(path), flags)
    convert(frames, path, flags)
    prices = np.load(path)["data"]["px"]
    return float(prices.min()) - TICK, float(prices.max()) + TICK


def few(path: Path) -> Path:
    """Return where the file of a few frames is."""
    return path.with_name(f"few-{path.name}")


def main(way: str, raw: str, directory: Path) -> None:
    """Answer for one way; the file of a few frames makes numba compile before the first."""
    path = directory / f"{way}.npz"
    both = EXCH_EVENT | LOCAL_EVENT
    if way == "convert":
        frames = frames_of(raw)
        answer(lambda: convert(frames, path, both))
        return
    build = HashMapMarketDepthBacktest if way == "hashmap" else ROIVectorMarketDepthBacktest
    region = prepared(raw, path, LOCAL_EVENT if way == "local" else both)
    work(build, few(path), region)
    answer(partial(work, build, path, region))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
