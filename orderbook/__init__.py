"""The core: raw frames in, best bid and ask out. No clock, file, socket or thread lives here.

Rules for whoever edits this package:

- State changes in one place only, `OrderBookState`, and only through `Tracker`.
- What is wrong with the feed is a value (an anomaly row); what is wrong with the code is an exception.
- Prices are exact integers of 1e-8; a float leaves the core, it never decides anything in it.
- bytewax appears in `orderbook.operators` alone.
"""
