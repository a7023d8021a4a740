"""The core: raw frames in, best bid and ask out. No clock, file, socket or thread lives here.

Rules for whoever edits this package:

- State changes in one place only, `OrderBookState`, and only through `Tracker`.
- A fault of the feed is a value (an anomaly row); a fault of the code is an exception.
- Prices are exact integers of 1e-8. Floats are results of the core; no decision in it depends on one.
- bytewax is imported only under `orderbook.dataflow`.
"""
