"""A synthetic market and a small exchange on loopback that serves it: nothing here is real market data.

`market` makes the order book, `dialects` spells it as Coinbase does, `conversation` answers a client
without any I/O, and `exchange` is the thin edge: sockets, a thread and the pace. Used by `booktape
demo`, the sample tape, tests and benchmarks.
"""
