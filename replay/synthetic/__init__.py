"""A synthetic market and a small exchange on loopback that serves it: nothing here is real market data.

`settings` says how both are configured. `market` generates the order book, one side of it in `ladder`;
`conversation` answers a client without I/O; `connection` serves one socket and `exchange` accepts them on a
thread. Used by `booktape demo`, the sample tape, tests and benchmarks.
"""
