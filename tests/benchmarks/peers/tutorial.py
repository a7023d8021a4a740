"""The method of the Bytewax tutorial, without a dataflow: dicts, and max() and min() at every change."""

import json
import sys

from tests.benchmarks.peers.work import WIDE, Found, answer, frames_of


def work(frames: list[bytes]) -> Found:
    """Do the work once."""
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    wide = 0
    bid = ask = 0.0
    for frame in frames:
        message = json.loads(frame)
        if message["type"] == "snapshot":
            bids = {float(price): float(size) for price, size in message["bids"]}
            asks = {float(price): float(size) for price, size in message["asks"]}
            bid, ask = max(bids), min(asks)
        for side, price, size in message.get("changes", ()):
            levels = bids if side == "buy" else asks
            held = float(size)
            if held:
                levels[float(price)] = held
            else:
                levels.pop(float(price), None)
            bid, ask = max(bids), min(asks)
        wide += (ask - bid) / ask > WIDE
    return Found(len(frames), wide, bid, bids[bid], ask, asks[ask])


if __name__ == "__main__":
    raw = frames_of(sys.argv[1], int(sys.argv[2]))
    answer(lambda: work(raw))
