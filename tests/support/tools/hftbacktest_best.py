"""hftbacktest replays prepared files; its best bid and ask after every time of receipt go to a .npy file.

    python hftbacktest_best.py JOBS

JOBS is a file of JSON, a list of jobs: `book` is `hashmap` or `roivector`, `tick` the price's step, `start` a
file for `initial_snapshot` or null, `convert` files of Tardis from which the one to replay is made, `files`
what to replay, `out` the result: rows of time of receipt, best bid in ticks, its size, best ask in ticks, its
size; -1 and 0 for an empty side.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest, ROIVectorMarketDepthBacktest
from hftbacktest.data.utils import tardis
from hftbacktest.types import BUY_EVENT, EXCH_EVENT, LOCAL_EVENT, TRADE_EVENT, event_dtype
from numba import njit

END_OF_DATA = 1
FOREVER_NS = 10**18
HIGHEST = 2**62


@njit
def replay(backtest: Any, times: Any, best: Any) -> int:
    """Fill in a row for each time of receipt; return how many they are."""
    rows = 0
    end = False
    while not end:
        end = backtest.wait_next_feed(False, FOREVER_NS) == END_OF_DATA
        depth = backtest.depth(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        times[rows] = backtest.current_timestamp
        best[rows, 0] = -1 if bid < 0 else bid
        best[rows, 1] = 0 if bid < 0 else depth.bid_qty_at_tick(bid)
        best[rows, 2] = -1 if ask > HIGHEST else ask
        best[rows, 3] = 0 if ask > HIGHEST else depth.ask_qty_at_tick(ask)
        rows += 1
    return rows


def run(job: dict[str, Any]) -> None:
    """Replay the files of a job."""
    if job["convert"]:
        tardis.convert(job["convert"], job["files"][0], buffer_size=1_000_000, ss_buffer_size=100_000)
    events = [np.load(file)["data"] for file in job["files"]]
    prices = np.concatenate([each["px"][each["px"] > 0] for each in events])
    last = np.zeros(1, event_dtype)  # the end of the data hides what its last event did
    last["ev"] = EXCH_EVENT | LOCAL_EVENT | TRADE_EVENT | BUY_EVENT
    last["exch_ts"] = last["local_ts"] = max(each["local_ts"].max() for each in events) + 1
    asset = (
        BacktestAsset()
        .data([*job["files"], last])
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(job["tick"])
        .lot_size(1e-8)
        .last_trades_capacity(0)
    )
    if job["start"]:
        asset = asset.initial_snapshot(job["start"])
    if job["book"] == "roivector":
        near = float(np.median(prices))
        backtest = ROIVectorMarketDepthBacktest([asset.roi_lb(near / 2).roi_ub(near * 2)])
    else:
        backtest = HashMapMarketDepthBacktest([asset])
    number = sum(map(len, events)) + 2
    times, best = np.zeros(number, np.int64), np.zeros((number, 4))
    rows = replay(backtest, times, best)
    np.savez(job["out"], times=times[:rows], best=best[:rows])


if __name__ == "__main__":
    for each in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        run(each)
