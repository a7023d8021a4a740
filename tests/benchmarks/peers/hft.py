"""hftbacktest: the mode `convert` writes its prepared file from raw frames, the other modes replay that file.

`hashmap` and `roivector` are its two kinds of book, each kept twice, for the exchange and for the trader.
`local` is `roivector` with the trader's book only, which is enough for this work and the fastest mode.
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
    """Write the prepared file; its times only number the messages, which is enough for this work."""
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
    """Replay all messages; hftbacktest reports the last one as the end of the data."""
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
    """Write the prepared file and one with a few frames; return bounds below and above all prices."""
    frames = frames_of(raw)
    convert(frames[:3], few(path), flags)
    convert(frames, path, flags)
    prices = np.load(path)["data"]["px"]
    return float(prices.min()) - TICK, float(prices.max()) + TICK


def few(path: Path) -> Path:
    """Return the path of the file with a few frames."""
    return path.with_name(f"few-{path.name}")


def main(mode: str, raw: str, directory: Path) -> None:
    """Run one mode; numba compiles on the file with a few frames, before the work is measured."""
    path = directory / f"{mode}.npz"
    both = EXCH_EVENT | LOCAL_EVENT
    if mode == "convert":
        frames = frames_of(raw)
        answer(lambda: convert(frames, path, both))
        return
    build = HashMapMarketDepthBacktest if mode == "hashmap" else ROIVectorMarketDepthBacktest
    region = prepared(raw, path, LOCAL_EVENT if mode == "local" else both)
    work(build, few(path), region)
    answer(partial(work, build, path, region))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
