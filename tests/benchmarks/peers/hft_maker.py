"""hftbacktest with the rule of `QuoteWhenWide`: from raw frames, or the loop alone from its prepared file.

`raw` writes the prepared file and runs the rule once for each threshold; `loop` only runs it. The exchange
fills in part, orders have everything at their level before them, requests take the whole of `LATENCY_NS`.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from hftbacktest import GTX, LIMIT, BacktestAsset, ROIVectorMarketDepthBacktest
from hftbacktest.types import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    event_dtype,
)
from numba import njit

from tests.benchmarks.peers.hft import END_OF_DATA, FOREVER_NS, LOT, TICK
from tests.benchmarks.peers.work import (
    INSIDE,
    LATENCY_NS,
    LIMIT_SIZE,
    SIZE,
    Made,
    answer,
    frames_of,
    thresholds,
)

_BOTH = EXCH_EVENT | LOCAL_EVENT
_DEPTH = {"buy": _BOTH | DEPTH_EVENT | BUY_EVENT, "sell": _BOTH | DEPTH_EVENT | SELL_EVENT}
_TRADE = {
    "buy": _BOTH | TRADE_EVENT | SELL_EVENT,
    "sell": _BOTH | TRADE_EVENT | BUY_EVENT,
}  # the maker's side


def convert(frames: list[bytes], path: Path) -> None:
    """Write the prepared file, with changes and trades at the times that the frames tell."""
    kind: list[int] = []
    prices: list[float] = []
    sizes: list[float] = []
    times: list[str] = []
    lengths: list[int] = []
    for frame in frames:
        message = orjson.loads(frame)
        what = message["type"]
        if what == "match":
            changes = [(_TRADE[message["side"]], message["price"], message["size"])]
        elif what == "l2update":
            changes = [(_DEPTH[side], price, size) for side, price, size in message["changes"]]
        elif what == "snapshot":
            changes = [(_DEPTH["buy"], *level) for level in message["bids"]]
            changes += [(_DEPTH["sell"], *level) for level in message["asks"]]
        else:
            continue
        for each, price, size in changes:
            kind.append(each)
            prices.append(float(price))
            sizes.append(float(size))
        times.append(message["time"][:-1])
        lengths.append(len(changes))
    events = np.zeros(len(kind), event_dtype)
    events["ev"], events["px"], events["qty"] = kind, prices, sizes
    events["local_ts"] = events["exch_ts"] = np.repeat(
        np.array(times, "datetime64[ns]").astype(np.int64), lengths
    )
    np.savez(path, data=events)


@njit
def make(backtest: Any, threshold: float, size: float, limit: float, inside: int, tick: float) -> int:
    """Run the rule over all messages; return how many orders it sent."""
    sent = 0
    ids = np.zeros(2, np.int64)  # of the order of each side, 0 for none
    end = False
    while not end:
        end = backtest.wait_next_feed(False, FOREVER_NS) == END_OF_DATA
        backtest.clear_inactive_orders(0)
        depth, orders, position = backtest.depth(0), backtest.orders(0), backtest.position(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        is_wide = ask > bid and (ask - bid) / ask > threshold
        step = inside if ask - bid >= 2 * inside + 1 else 0
        for side in range(2):
            order = orders.get(ids[side])
            held = position if side == 0 else -position
            wanted = bid + step if side == 0 else ask - step
            if is_wide and held + size <= limit:
                if order is None:
                    sent += 1
                    ids[side] = sent
                    if side == 0:
                        backtest.submit_buy_order(0, sent, wanted * tick, size, GTX, LIMIT, False)
                    else:
                        backtest.submit_sell_order(0, sent, wanted * tick, size, GTX, LIMIT, False)
                elif order.cancellable and order.price_tick != wanted:
                    backtest.modify(0, ids[side], wanted * tick, size, False)
            elif order is not None and order.cancellable:
                backtest.cancel(0, ids[side], False)
                ids[side] = 0  # as in booktape, another one need not wait for the report
    return sent


def work(events: Any, region: tuple[float, float], messages: int, settings: int) -> Made:
    """Run the rule once for each setting."""
    sent = fills = 0
    for threshold in thresholds(settings):
        asset = (
            BacktestAsset()
            .data([events])
            .linear_asset(1.0)
            .constant_order_latency(LATENCY_NS, 0)
            .risk_adverse_queue_model()
            .partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(TICK)
            .lot_size(LOT)
            .roi_lb(region[0])
            .roi_ub(region[1])
            .last_trades_capacity(0)
        )
        backtest = ROIVectorMarketDepthBacktest([asset])
        sent += make(backtest, threshold, float(SIZE), float(LIMIT_SIZE), INSIDE, TICK)
        fills += int(backtest.state_values(0).num_trades)
        backtest.close()
    return Made(messages, sent, fills)


def run(frames: list[bytes], path: Path, settings: int, *, raw: bool) -> Made:
    """Do the work once."""
    if raw:
        convert(frames, path)
    events = np.load(path)["data"]
    region = float(events["px"].min()) - TICK, float(events["px"].max()) + TICK
    return work(events, region, len(frames), settings)


def main(mode: str, raw: str, directory: Path, settings: int) -> None:
    """Run one mode; numba compiles on a few frames, before the work is measured."""
    frames = frames_of(raw)
    run(frames[:50], directory / f"few-{mode}-{settings}.npz", 1, raw=True)
    path = directory / f"maker-{mode}-{settings}.npz"
    convert(frames, path)
    answer(partial(run, frames, path, settings, raw=mode == "raw"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
